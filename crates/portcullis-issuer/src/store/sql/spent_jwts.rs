//! JWTs that are good no more, until they expire.

use super::{Connection, events};
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::error::StoreError;

pub(super) async fn spend(
    connection: &mut Connection,
    jwt: &TokenHash,
    expires_at: i64,
    now: i64,
    event: Option<&NewEvent>,
) -> Result<bool, StoreError> {
    sqlx::query(super::super::FORGET_JWTS).bind(now).execute(&mut *connection).await?;
    // Of several who present the same one at once, one adds the row.
    let added = sqlx::query(
        "INSERT INTO spent_jwts (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(jwt.as_slice())
    .bind(expires_at)
    .execute(&mut *connection)
    .await?;
    let first = added.rows_affected() == 1;
    if let Some(event) = event.filter(|_| first) {
        events::insert(connection, event).await?;
    }
    Ok(first)
}

pub(super) async fn has(connection: &mut Connection, jwt: &TokenHash) -> Result<bool, StoreError> {
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM spent_jwts WHERE hash = $1")
        .bind(jwt.as_slice())
        .fetch_one(connection)
        .await?;
    Ok(found == 1)
}
