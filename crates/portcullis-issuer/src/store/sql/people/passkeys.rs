//! The passkeys of an account whose second factor is reset.

use crate::domain::audit::{EventKind, NewEvent};
use crate::error::StoreError;
use crate::store::dialect::{Dialect, query};
use crate::store::sql::audit;

/// Deletes all passkeys of a user, and ends the sessions that began with one. Returns the number of
/// sessions. The caller undoes the step-ups.
pub(super) async fn forget(
    connection: &mut impl Dialect,
    user_id: &str,
    event: &NewEvent,
) -> Result<u64, StoreError> {
    let removed =
        query("DELETE FROM passkeys WHERE user_id = $1").bind(user_id).execute(connection).await?;
    if removed > 0 {
        query("UPDATE users SET passkeys = 0, credentials = credentials + 1 WHERE id = $1")
            .bind(user_id)
            .execute(connection)
            .await?;
    }
    // A session may have outlived the passkey that began it: the user removed the passkey there.
    let ended = query(
        "UPDATE sessions SET ended_at = $1, end_reason = 'deleted' \
         WHERE user_id = $2 AND first_factor <> 'pwd' AND ended_at IS NULL",
    )
    .bind(event.at)
    .bind(user_id)
    .execute(connection)
    .await?;
    let event = NewEvent { kind: EventKind::PasskeyRemoved, ..event.clone() };
    for _ in 0..removed {
        audit::insert(connection, &event).await?;
    }
    Ok(ended)
}
