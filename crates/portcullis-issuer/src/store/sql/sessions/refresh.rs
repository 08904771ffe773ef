//! Refresh tokens: one in exchange for another, at most once.

use super::life;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::hash::TokenHash;
use crate::domain::sessions::{Refreshed, Rotation};
use crate::error::StoreError;
use crate::store::dialect::{Dialect, Row as _, query};
use crate::store::sql::audit;
use crate::store::sql::tokens::places;

pub(super) async fn session_of(
    connection: &mut impl Dialect,
    token: &TokenHash,
) -> Result<Option<String>, StoreError> {
    query("SELECT session_id FROM refresh_tokens WHERE hash = $1")
        .bind(token.as_slice())
        .scalar_optional(connection)
        .await
}

/// The same for a token that was not exchanged yet.
pub(super) async fn current_session_of(
    connection: &mut impl Dialect,
    token: &TokenHash,
) -> Result<Option<String>, StoreError> {
    let current = "SELECT session_id FROM refresh_tokens WHERE hash = $1 AND rotated_at IS NULL";
    query(current).bind(token.as_slice()).scalar_optional(connection).await
}

pub(super) async fn insert(
    connection: &mut impl Dialect,
    token: &TokenHash,
    session_id: &str,
    now: i64,
) -> Result<(), StoreError> {
    query("INSERT INTO refresh_tokens (hash, session_id, created_at) VALUES ($1, $2, $3)")
        .bind(token.as_slice())
        .bind(session_id)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// The caller commits, unless the answer is [`Refreshed::Refused`].
pub(super) async fn rotate<C: Dialect>(
    connection: &mut C,
    session_id: &str,
    rotation: &Rotation,
) -> Result<Refreshed, StoreError> {
    // Whoever else has one of the session's tokens waits here until this one is done.
    query(C::LOCK_SESSION).bind(session_id).execute(connection).await?;
    let presented = query("SELECT rotated_at FROM refresh_tokens WHERE hash = $1")
        .bind(rotation.presented.as_slice())
        .fetch_optional(connection)
        .await?;
    let Some(presented) = presented else { return Ok(Refreshed::Refused) };
    let now = rotation.now;
    if let Some(rotated_at) = presented.column::<Option<i64>>("rotated_at")? {
        return again(connection, session_id, rotated_at, rotation).await;
    }
    let Some((mut session, user)) = life::live(connection, session_id, now).await? else {
        return Ok(Refreshed::Refused);
    };
    let longest = session.created_at.saturating_add(rotation.max_secs);
    session.last_used_at = now;
    session.expires_at = now.saturating_add(rotation.idle_secs).min(longest);
    if session.expires_at <= now {
        return Ok(Refreshed::Refused);
    }
    // It stays here, spent, until its session is forgotten: whoever presents it again ends the
    // session, however late.
    query("UPDATE refresh_tokens SET rotated_at = $1 WHERE hash = $2")
        .bind(now)
        .bind(rotation.presented.as_slice())
        .execute(connection)
        .await?;
    insert(connection, &rotation.successor, session_id, now).await?;
    query("UPDATE sessions SET last_used_at = $1, expires_at = $2 WHERE id = $3")
        .bind(session.last_used_at)
        .bind(session.expires_at)
        .bind(session_id)
        .execute(connection)
        .await?;
    session.place = Some(places::take(connection, session_id, rotation.until).await?);
    Ok(Refreshed::Rotated(session, user))
}

/// A spent token. A client that never got the answer may ask again for a moment, and gets the same
/// successor, if nobody has used that; in any other case one of two who hold it is a thief.
async fn again(
    connection: &mut impl Dialect,
    session_id: &str,
    rotated_at: i64,
    rotation: &Rotation,
) -> Result<Refreshed, StoreError> {
    let (now, address) = (rotation.now, rotation.address.as_deref());
    let unused: i64 = query(
        "SELECT count(*) FROM refresh_tokens \
         WHERE hash = $1 AND session_id = $2 AND rotated_at IS NULL",
    )
    .bind(rotation.successor.as_slice())
    .bind(session_id)
    .scalar(connection)
    .await?;
    let in_time = rotation.grace_secs > 0 && now.saturating_sub(rotated_at) <= rotation.grace_secs;
    if unused == 0 || !in_time {
        life::end_for_reuse(connection, session_id, now, address).await?;
        return Ok(Refreshed::Reused { session_id: session_id.to_owned() });
    }
    match life::live(connection, session_id, now).await? {
        None => Ok(Refreshed::Refused),
        Some((mut session, user)) => {
            let event = NewEvent::new(EventKind::RefreshRepeated, now)
                .user(&user.id)
                .session(session_id)
                .address(address);
            audit::insert(connection, &event).await?;
            session.place = Some(places::take(connection, session_id, rotation.until).await?);
            Ok(Refreshed::Repeated(session, user))
        }
    }
}
