//! A session's start: its row, its first refresh token, and the event.

use super::life;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::sessions::{Factor, Session};
use crate::error::StoreError;
use crate::store::dialect::{Change, Dialect, query};
use crate::store::sql::audit;

pub(super) struct StartSession {
    pub(super) session: Session,
    /// The user's count of credential changes when the password was checked.
    pub(super) credentials: i64,
    pub(super) token: TokenHash,
    pub(super) event: NewEvent,
}

impl Change for StartSession {
    /// The number of sessions that were ended to make room, or `None` if the session was not
    /// started.
    type Outcome = Option<usize>;

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<Option<usize>, StoreError> {
        let Self { session, credentials, token, event } = self;
        // The password was checked before this transaction. If the user was disabled or the
        // password was changed since then, the user's sessions have already been ended. A session
        // that starts now would stay live.
        let may_log_in: Option<String> = query(C::HOLD_USER)
            .bind(&session.user_id)
            .bind(*credentials)
            .scalar_optional(connection)
            .await?;
        if may_log_in.is_none() {
            return Ok(None);
        }
        let ended = life::make_room(connection, &session.user_id, event.at).await?;
        query(
            "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, user_agent, \
             stepped_up_at, generation, token_hash, first_factor, second_factor, passkey_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, $11)",
        )
        .bind(&session.id)
        .bind(&session.user_id)
        .bind(session.created_at)
        .bind(session.last_used_at)
        .bind(session.expires_at)
        .bind(&session.user_agent)
        .bind(session.stepped_up_at)
        .bind(token.as_slice())
        .bind(session.methods.first.as_str())
        .bind(session.methods.second.map(Factor::as_str))
        .bind(&session.methods.passkey_id)
        .execute(connection)
        .await?;
        audit::write(connection, event).await?;
        Ok(Some(ended))
    }
}
