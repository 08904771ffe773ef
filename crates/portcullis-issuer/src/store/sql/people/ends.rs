//! Statements that end sessions when an account changes.

use crate::error::StoreError;
use crate::store::dialect::{Dialect, query};

/// Ends up to `limit` sessions, and returns their number. Returns 0 only if all sessions have
/// ended.
pub(super) async fn end_some<C: Dialect>(
    connection: &mut C,
    now: i64,
    limit: i64,
) -> Result<u64, StoreError> {
    loop {
        let ended = query(C::END_SOME_SESSIONS).bind(now).bind(limit).execute(connection).await?;
        if ended > 0 {
            return Ok(ended);
        }
        // Another transaction may have ended every session of this batch, while others are still
        // live.
        let left: Option<String> = query("SELECT id FROM sessions WHERE ended_at IS NULL LIMIT 1")
            .scalar_optional(connection)
            .await?;
        if left.is_none() {
            return Ok(0);
        }
    }
}

/// Ends all sessions of a user except `keeps`, if it is set. A trigger revokes their places in the
/// status lists.
pub(in crate::store::sql) async fn end_of_user(
    connection: &mut impl Dialect,
    id: &str,
    keeps: Option<&str>,
    now: i64,
) -> Result<u64, StoreError> {
    query(
        "UPDATE sessions SET ended_at = $1, end_reason = 'deleted' \
         WHERE user_id = $2 AND id <> $3 AND ended_at IS NULL",
    )
    .bind(now)
    .bind(id)
    .bind(keeps.unwrap_or_default())
    .execute(connection)
    .await
}
