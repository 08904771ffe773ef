//! Sessions: how they begin and end.

use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::sessions::Session;
use crate::domain::users::User;
use crate::error::StoreError;
use crate::store::dialect::{Dialect, query};
use crate::store::sql::{audit, rows};

pub(super) async fn start<C: Dialect>(
    connection: &mut C,
    session: &Session,
    credentials: i64,
) -> Result<bool, StoreError> {
    // The password was checked before this transaction. A user who was disabled, or given another
    // password, since then must not get a session that nothing ends.
    let may_log_in: Option<String> = query(C::HOLD_USER)
        .bind(&session.user_id)
        .bind(credentials)
        .scalar_optional(connection)
        .await?;
    if may_log_in.is_none() {
        return Ok(false);
    }
    // The only place where sessions are made is a fair place to forget the dead ones.
    query(C::FORGET_SESSIONS).bind(session.created_at).execute(connection).await?;
    query(
        "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, user_agent, \
         stepped_up_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&session.id)
    .bind(&session.user_id)
    .bind(session.created_at)
    .bind(session.last_used_at)
    .bind(session.expires_at)
    .bind(&session.user_agent)
    .bind(session.stepped_up_at)
    .execute(connection)
    .await?;
    Ok(true)
}

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
         ORDER BY last_used_at DESC, id",
    )
    .bind(user_id)
    .bind(now)
    .fetch_all(connection)
    .await?;
    rows.iter().map(rows::session_from).collect()
}

/// Nothing happens to a session that has ended before.
pub(super) async fn log_out(
    connection: &mut impl Dialect,
    id: &str,
    event: &NewEvent,
) -> Result<(), StoreError> {
    end(connection, id, "logout", event.clone().session(id)).await
}

/// The same for one whose spent refresh token was presented.
pub(super) async fn end_for_reuse(
    connection: &mut impl Dialect,
    id: &str,
    now: i64,
    address: Option<&str>,
) -> Result<(), StoreError> {
    let event = NewEvent::new(EventKind::RefreshReused, now).session(id).address(address);
    end(connection, id, "reuse", event).await
}

async fn end(
    connection: &mut impl Dialect,
    id: &str,
    reason: &'static str,
    event: NewEvent,
) -> Result<(), StoreError> {
    let ended: Option<String> = query(
        "UPDATE sessions SET ended_at = $1, end_reason = $2 \
         WHERE id = $3 AND ended_at IS NULL RETURNING user_id",
    )
    .bind(event.at)
    .bind(reason)
    .bind(id)
    .scalar_optional(connection)
    .await?;
    match ended {
        Some(user_id) => audit::insert(connection, &event.user(&user_id)).await,
        None => Ok(()),
    }
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
