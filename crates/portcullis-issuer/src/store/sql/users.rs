//! Users.

use sqlx::Row as _;

use super::{Connection, events, rows};
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::users::User;
use crate::error::StoreError;

pub(super) async fn add(
    connection: &mut Connection,
    user: &User,
    password_hash: &str,
) -> Result<bool, StoreError> {
    let added = sqlx::query(
        "INSERT INTO users (id, name, password_hash, roles, scopes, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(&user.id)
    .bind(&user.name)
    .bind(password_hash)
    .bind(rows::names_to_json(&user.roles)?)
    .bind(rows::names_to_json(&user.scopes)?)
    .bind(user.created_at)
    .execute(&mut *connection)
    .await?;
    let added = added.rows_affected() == 1;
    if added {
        let event = NewEvent::new(EventKind::UserAdded, user.created_at).user(&user.id);
        events::insert(connection, &event).await?;
    }
    Ok(added)
}

pub(super) async fn named(
    connection: &mut Connection,
    name: &str,
) -> Result<Option<(User, String)>, StoreError> {
    if !rows::can_be_stored(name) {
        return Ok(None);
    }
    let row = sqlx::query("SELECT * FROM users WHERE lower(name) = lower($1)")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((rows::user_from(&row)?, row.try_get("password_hash")?))).transpose()
}

pub(super) async fn all(connection: &mut Connection) -> Result<Vec<User>, StoreError> {
    let rows = sqlx::query("SELECT * FROM users").fetch_all(connection).await?;
    let mut users = rows.iter().map(rows::user_from).collect::<Result<Vec<_>, _>>()?;
    // Not by the database, whose order may follow the machine's language.
    users.sort_by_key(|user| user.name.to_ascii_lowercase());
    Ok(users)
}

pub(super) async fn rehash(
    connection: &mut Connection,
    user_id: &str,
    old: &str,
    new: &str,
    now: i64,
) -> Result<(), StoreError> {
    let changed =
        sqlx::query("UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3")
            .bind(new)
            .bind(user_id)
            .bind(old)
            .execute(&mut *connection)
            .await?;
    if changed.rows_affected() == 0 {
        return Ok(());
    }
    let event = NewEvent::new(EventKind::PasswordRehashed, now).user(user_id);
    events::insert(connection, &event).await
}
