//! Users.

use super::{audit, rows, timed};
use crate::domain::Answer;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::users::{User, UserStore};
use crate::error::StoreError;
use crate::store::dialect::{Database, Dialect, Row as _, query};

impl<D: Database> UserStore for D {
    fn add_user<'a>(&'a self, user: &'a User, password_hash: &'a str) -> Answer<'a, bool> {
        timed("add_user", async move {
            let mut tx = self.begin().await?;
            let added = add(&mut *tx, user, password_hash).await?;
            tx.commit().await?;
            Ok(added)
        })
    }

    fn user_named<'a>(&'a self, name: &'a str) -> Answer<'a, Option<(User, String)>> {
        timed("user_named", async move { named(&mut *self.reader().await?, name).await })
    }

    fn users(&self) -> Answer<'_, Vec<User>> {
        timed("users", async { all(&mut *self.reader().await?).await })
    }

    fn password_parameters(&self) -> Answer<'_, Vec<String>> {
        timed("password_parameters", async {
            // Without `$`, a salt of 16 bytes, `$`, and a hash of 32 bytes in base64.
            let beginnings = "SELECT DISTINCT CASE WHEN length(password_hash) > 67 \
                THEN substr(password_hash, 1, length(password_hash) - 67) ELSE '' END FROM users";
            query(beginnings).scalars(&mut *self.reader().await?).await
        })
    }

    fn rehash_password<'a>(
        &'a self,
        user_id: &'a str,
        old: &'a str,
        new: &'a str,
        now: i64,
    ) -> Answer<'a, ()> {
        timed("rehash_password", async move {
            let mut tx = self.begin().await?;
            rehash(&mut *tx, user_id, old, new, now).await?;
            Ok(tx.commit().await?)
        })
    }
}

async fn add(
    connection: &mut impl Dialect,
    user: &User,
    password_hash: &str,
) -> Result<bool, StoreError> {
    let added = query(
        "INSERT INTO users (id, name, password_hash, roles, scopes, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(&user.id)
    .bind(&user.name)
    .bind(password_hash)
    .bind(rows::names_to_json(&user.roles)?)
    .bind(rows::names_to_json(&user.scopes)?)
    .bind(user.created_at)
    .execute(connection)
    .await?;
    let added = added == 1;
    if added {
        let event = NewEvent::new(EventKind::UserAdded, user.created_at).user(&user.id);
        audit::insert(connection, &event).await?;
    }
    Ok(added)
}

async fn named(
    connection: &mut impl Dialect,
    name: &str,
) -> Result<Option<(User, String)>, StoreError> {
    if !rows::can_be_stored(name) {
        return Ok(None);
    }
    let row = query("SELECT * FROM users WHERE lower(name) = lower($1)")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((rows::user_from(&row)?, row.column("password_hash")?))).transpose()
}

async fn all(connection: &mut impl Dialect) -> Result<Vec<User>, StoreError> {
    let rows = query("SELECT * FROM users").fetch_all(connection).await?;
    let mut users = rows.iter().map(rows::user_from).collect::<Result<Vec<_>, _>>()?;
    // Not by the database, whose order may follow the machine's language.
    users.sort_by_key(|user| user.name.to_ascii_lowercase());
    Ok(users)
}

async fn rehash(
    connection: &mut impl Dialect,
    user_id: &str,
    old: &str,
    new: &str,
    now: i64,
) -> Result<(), StoreError> {
    let changed = query("UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3")
        .bind(new)
        .bind(user_id)
        .bind(old)
        .execute(connection)
        .await?;
    if changed == 0 {
        return Ok(());
    }
    let event = NewEvent::new(EventKind::PasswordRehashed, now).user(user_id);
    audit::insert(connection, &event).await
}
