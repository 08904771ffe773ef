//! JWTs that were used or revoked, until they expire.

use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::error::StoreError;
use crate::store::dialect::{Dialect, query};
use crate::store::sql::audit;

pub(super) async fn spend(
    connection: &mut impl Dialect,
    jwt: &TokenHash,
    expires_at: i64,
    event: Option<&NewEvent>,
) -> Result<bool, StoreError> {
    // Of concurrent requests with the same JWT, only one adds the row.
    let added =
        query("INSERT INTO spent_jwts (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(jwt.as_slice())
            .bind(expires_at)
            .execute(connection)
            .await?;
    let first = added == 1;
    if let Some(event) = event.filter(|_| first) {
        audit::insert(connection, event).await?;
    }
    Ok(first)
}

pub(super) async fn has(
    connection: &mut impl Dialect,
    jwt: &TokenHash,
) -> Result<bool, StoreError> {
    let found: i64 = query("SELECT count(*) FROM spent_jwts WHERE hash = $1")
        .bind(jwt.as_slice())
        .scalar(connection)
        .await?;
    Ok(found == 1)
}
