//! The exchange of refresh tokens: each token is exchanged for one successor.

use super::life;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::hash::TokenHash;
use crate::domain::sessions::{Former, Judgement, Kept, Refreshed, Rotation, Session};
use crate::domain::tokens::Place;
use crate::error::StoreError;
use crate::store::dialect::{Change, Dialect, Row, query};
use crate::store::sql::tokens::places;
use crate::store::sql::{audit, rows};

/// Returns the session of a token of the former format, spent or not.
pub(super) async fn session_of_former(
    connection: &mut impl Dialect,
    token: &TokenHash,
) -> Result<Option<String>, StoreError> {
    query("SELECT session_id FROM refresh_tokens WHERE hash = $1")
        .bind(token.as_slice())
        .scalar_optional(connection)
        .await
}

/// Returns whether this is the session's current token.
pub(super) async fn is_current(
    connection: &mut impl Dialect,
    session_id: &str,
    token: &TokenHash,
) -> Result<bool, StoreError> {
    let found: i64 = query(
        "SELECT (SELECT count(*) FROM sessions WHERE id = $1 AND token_hash = $2) \
         + (SELECT count(*) FROM refresh_tokens \
            WHERE hash = $2 AND session_id = $1 AND rotated_at IS NULL)",
    )
    .bind(session_id)
    .bind(token.as_slice())
    .scalar(connection)
    .await?;
    Ok(found == 1)
}

/// Exchanges a refresh token.
pub(in crate::store) struct RotateRefresh(pub(in crate::store) Rotation);

impl Change for RotateRefresh {
    type Outcome = Refreshed;

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<Refreshed, StoreError> {
        let rotation = &self.0;
        if let Some(known) = rotation.key_version {
            let version: i64 = query("SELECT version FROM key_ring").scalar(connection).await?;
            if version != known {
                return Ok(Refreshed::KeysChanged);
            }
        }
        // The row is locked, so that concurrent refreshes of the session are made one at a time.
        let row = query(C::SESSION_TO_ROTATE)
            .bind(&rotation.session_id)
            .fetch_optional(connection)
            .await?;
        let Some(row) = row else { return Ok(Refreshed::Refused) };
        let ended: Option<i64> = row.column("ended_at")?;
        let (session, user) = rows::session_and_user_from(&row)?;
        let expires_at = rotation.rules.expires_at(session.created_at, rotation.now);
        if ended.is_some() || session.expires_at.min(expires_at) <= rotation.now {
            return Ok(Refreshed::Refused);
        }
        let kept = kept_from(connection, &row, rotation).await?;
        match kept.judge(rotation) {
            Judgement::Unknown => Ok(Refreshed::Refused),
            Judgement::Limited { retry_after_secs } => Ok(Refreshed::Limited { retry_after_secs }),
            Judgement::Reused => {
                end(connection, rotation, EventKind::RefreshReused).await?;
                Ok(Refreshed::Reused)
            }
            Judgement::Diverged => {
                end(connection, rotation, EventKind::RefreshDiverged).await?;
                Ok(Refreshed::Diverged)
            }
            Judgement::Rotate { budget_until } => {
                replace(connection, rotation, &kept, budget_until).await?;
                let mut session = touched(connection, session, rotation, expires_at).await?;
                session.place = Some(place(connection, &row, rotation).await?);
                Ok(Refreshed::Rotated(session, user))
            }
            Judgement::Repeat { budget_until, late } => {
                note_repeat(connection, rotation, &kept, budget_until, late).await?;
                if late.is_some() {
                    let event = event_of(rotation, EventKind::RefreshRepeated).user(&user.id);
                    audit::write(connection, &event).await?;
                }
                let place = Some(place(connection, &row, rotation).await?);
                let session = Session { place, ..session };
                let sealed = kept.sealed.filter(|_| kept.generation > 0);
                Ok(Refreshed::Repeated { session, user, sealed, late: late.is_some() })
            }
        }
    }
}

async fn kept_from<C: Dialect>(
    connection: &mut C,
    row: &C::Row,
    rotation: &Rotation,
) -> Result<Kept, StoreError> {
    let former = match rotation.generation {
        0 => former(connection, rotation).await?,
        _ => None,
    };
    Ok(Kept {
        generation: row.column("generation")?,
        current: rows::hash_from(row.column("token_hash")?)?,
        previous: rows::hash_from(row.column("previous_hash")?)?,
        sealed: row.column("sealed_successor")?,
        rotated_at: row.column::<Option<i64>>("rotated_at")?.unwrap_or_default(),
        late_generation: row.column("late_generation")?,
        late_generations: row.column("late_generations")?,
        budget_until: row.column("refresh_budget_until")?,
        former,
    })
}

async fn former(
    connection: &mut impl Dialect,
    rotation: &Rotation,
) -> Result<Option<Former>, StoreError> {
    let row = query("SELECT rotated_at FROM refresh_tokens WHERE hash = $1 AND session_id = $2")
        .bind(rotation.presented.as_slice())
        .bind(&rotation.session_id)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let rotated_at = row.column("rotated_at")?;
    let successor = rotation.former_successor.as_ref().map(TokenHash::as_slice);
    let unused: i64 = query(
        "SELECT count(*) FROM refresh_tokens \
         WHERE hash = $1 AND session_id = $2 AND rotated_at IS NULL",
    )
    .bind(successor)
    .bind(&rotation.session_id)
    .scalar(connection)
    .await?;
    Ok(Some(Former { rotated_at, successor_is_current: unused == 1 }))
}

/// Makes the successor the current token.
async fn replace(
    connection: &mut impl Dialect,
    rotation: &Rotation,
    kept: &Kept,
    budget_until: i64,
) -> Result<(), StoreError> {
    if rotation.generation == 0 {
        query("UPDATE refresh_tokens SET rotated_at = $1 WHERE hash = $2")
            .bind(rotation.now)
            .bind(rotation.presented.as_slice())
            .execute(connection)
            .await?;
    }
    query(
        "UPDATE sessions SET generation = $1, token_hash = $2, previous_hash = $3, \
         sealed_successor = $4, rotated_at = $5, refresh_budget_until = $6 WHERE id = $7",
    )
    .bind(kept.generation + 1)
    .bind(rotation.successor.as_slice())
    .bind(rotation.presented.as_slice())
    .bind(&rotation.sealed)
    .bind(rotation.now)
    .bind(budget_until)
    .bind(&rotation.session_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Updates the session's last use and expiry, unless its stored last use is recent.
async fn touched(
    connection: &mut impl Dialect,
    session: Session,
    rotation: &Rotation,
    expires_at: i64,
) -> Result<Session, StoreError> {
    if rotation.now.saturating_sub(session.last_used_at) < rotation.rules.coarse() {
        return Ok(session);
    }
    query("UPDATE sessions SET last_used_at = $1, expires_at = $2 WHERE id = $3")
        .bind(rotation.now)
        .bind(expires_at)
        .bind(&rotation.session_id)
        .execute(connection)
        .await?;
    Ok(Session { last_used_at: rotation.now, expires_at, ..session })
}

async fn note_repeat(
    connection: &mut impl Dialect,
    rotation: &Rotation,
    kept: &Kept,
    budget_until: i64,
    late: Option<i64>,
) -> Result<(), StoreError> {
    let (late_generation, late_generations) = match late {
        Some(late) => (kept.generation, late),
        None => (kept.late_generation, kept.late_generations),
    };
    query(
        "UPDATE sessions SET late_generation = $1, late_generations = $2, \
         refresh_budget_until = $3 WHERE id = $4",
    )
    .bind(late_generation)
    .bind(late_generations)
    .bind(budget_until)
    .bind(&rotation.session_id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Returns the session's place in a status list. The row of the place is written only if the place
/// would become free before the access token expires.
async fn place<C: Dialect>(
    connection: &mut C,
    row: &C::Row,
    rotation: &Rotation,
) -> Result<Place, StoreError> {
    let taken_until: Option<i64> = row.column("taken_until")?;
    if taken_until.is_some_and(|until| until >= rotation.until.expiry) {
        return Ok(Place { list: row.column("list")?, index: row.column("place")? });
    }
    places::take(connection, &rotation.session_id, rotation.until).await
}

async fn end(
    connection: &mut impl Dialect,
    rotation: &Rotation,
    kind: EventKind,
) -> Result<(), StoreError> {
    life::end_for_reuse(connection, &rotation.session_id, event_of(rotation, kind)).await?;
    Ok(())
}

fn event_of(rotation: &Rotation, kind: EventKind) -> NewEvent {
    NewEvent::new(kind, rotation.now)
        .session(&rotation.session_id)
        .address(rotation.address.as_deref())
        .user_agent(rotation.user_agent.as_deref())
}
