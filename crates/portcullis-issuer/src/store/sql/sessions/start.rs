//! A session's start: its row, its first refresh token, and the event.

use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::sessions::Session;
use crate::error::StoreError;
use crate::store::dialect::{Change, Dialect, query};
use crate::store::sql::audit;

pub(super) struct StartSession {
    pub(super) session: Session,
    pub(super) token: TokenHash,
    pub(super) event: NewEvent,
}

impl Change for StartSession {
    type Outcome = ();

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<(), StoreError> {
        let Self { session, token, event } = self;
        query(
            "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, user_agent, \
             generation, token_hash) VALUES ($1, $2, $3, $4, $5, $6, 1, $7)",
        )
        .bind(&session.id)
        .bind(&session.user_id)
        .bind(session.created_at)
        .bind(session.last_used_at)
        .bind(session.expires_at)
        .bind(&session.user_agent)
        .bind(token.as_slice())
        .execute(connection)
        .await?;
        audit::write(connection, event).await
    }
}
