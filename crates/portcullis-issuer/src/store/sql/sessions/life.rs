//! Live sessions, and the end of sessions.

use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::sessions::{SESSIONS_PER_USER, Session};
use crate::domain::users::User;
use crate::error::StoreError;
use crate::store::dialect::{Dialect, query};
use crate::store::sql::{audit, rows};

pub(super) async fn live(
    connection: &mut impl Dialect,
    id: &str,
    now: i64,
) -> Result<Option<(Session, User)>, StoreError> {
    let row = query(rows::SESSION_AND_USER).bind(id).bind(now).fetch_optional(connection).await?;
    row.as_ref().map(rows::session_and_user_from).transpose()
}

pub(super) async fn live_of(
    connection: &mut impl Dialect,
    user_id: &str,
    now: i64,
) -> Result<Vec<Session>, StoreError> {
    let rows = query(
        "SELECT * FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 \
         ORDER BY last_used_at DESC, id LIMIT $3",
    )
    .bind(user_id)
    .bind(now)
    .bind(bound())
    .fetch_all(connection)
    .await?;
    rows.iter().map(rows::session_from).collect()
}

fn bound() -> i64 {
    i64::try_from(SESSIONS_PER_USER).unwrap_or(i64::MAX)
}

/// Makes room for one more session of a user, and returns the number of sessions that it ended.
pub(super) async fn make_room<C: Dialect>(
    connection: &mut C,
    user_id: &str,
    now: i64,
) -> Result<usize, StoreError> {
    let ended: Vec<String> = query(C::END_OLDEST_SESSIONS)
        .bind(now)
        .bind(user_id)
        .bind(bound() - 1)
        // A database from before the limit may have many more live sessions; later logins end the
        // rest.
        .bind(bound())
        .scalars(connection)
        .await?;
    for id in &ended {
        let event = NewEvent::new(EventKind::SessionDeleted, now).user(user_id).session(id);
        audit::write(connection, &event).await?;
    }
    Ok(ended.len())
}

/// Ends a session by a logout. Returns `false` if the session had ended before.
pub(super) async fn log_out(
    connection: &mut impl Dialect,
    id: &str,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    end(connection, id, "logout", event.clone().session(id)).await
}

/// Ends a session whose refresh token was reused, or is unknown to the store. Returns `false` if
/// the session had ended before.
pub(super) async fn end_for_reuse(
    connection: &mut impl Dialect,
    id: &str,
    event: NewEvent,
) -> Result<bool, StoreError> {
    end(connection, id, "reuse", event).await
}

async fn end(
    connection: &mut impl Dialect,
    id: &str,
    reason: &'static str,
    event: NewEvent,
) -> Result<bool, StoreError> {
    let ended: Option<String> = query(
        "UPDATE sessions SET ended_at = $1, end_reason = $2 \
         WHERE id = $3 AND ended_at IS NULL RETURNING user_id",
    )
    .bind(event.at)
    .bind(reason)
    .bind(id)
    .scalar_optional(connection)
    .await?;
    if let Some(user_id) = &ended {
        audit::write(connection, &event.user(user_id)).await?;
    }
    Ok(ended.is_some())
}

pub(super) async fn delete(
    connection: &mut impl Dialect,
    user_id: &str,
    id: &str,
    event: &NewEvent,
) -> Result<bool, StoreError> {
    if !rows::can_be_stored(id) {
        return Ok(false);
    }
    let ended = query(
        "UPDATE sessions SET ended_at = $1, end_reason = 'deleted' \
         WHERE id = $2 AND user_id = $3 AND ended_at IS NULL AND expires_at > $1",
    )
    .bind(event.at)
    .bind(id)
    .bind(user_id)
    .execute(connection)
    .await?;
    let ended = ended == 1;
    if ended {
        audit::insert(connection, event).await?;
    }
    Ok(ended)
}

pub(super) async fn end_all(
    connection: &mut impl Dialect,
    user_id: &str,
    event: &NewEvent,
) -> Result<u64, StoreError> {
    let ended = query(
        "UPDATE sessions SET ended_at = $1, end_reason = 'logout' \
         WHERE user_id = $2 AND ended_at IS NULL AND expires_at > $1",
    )
    .bind(event.at)
    .bind(user_id)
    .execute(connection)
    .await?;
    audit::insert(connection, event).await?;
    Ok(ended)
}
