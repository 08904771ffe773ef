//! The deletions of housekeeping, and its heartbeat.

use super::timed;
use crate::domain::Answer;
use crate::domain::housekeeping::{Chore, HousekeepingStore};
use crate::error::StoreError;
use crate::store::dialect::{Change, Database, Dialect, query};

impl<D: Database> HousekeepingStore for D {
    fn tidy(&self, chore: Chore, before: i64, limit: u64) -> Answer<'_, u64> {
        timed("tidy", self.change(Tidy { chore, before, limit }))
    }

    fn beat(&self, now: i64) -> Answer<'_, ()> {
        timed("beat", self.change(Beat { now }))
    }
}

struct Tidy {
    chore: Chore,
    before: i64,
    limit: u64,
}

impl Change for Tidy {
    type Outcome = u64;

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<u64, StoreError> {
        let statements = C::HOUSEKEEPING;
        let statement = match self.chore {
            Chore::EraseSuccessors => statements.erase_successors,
            Chore::ForgetFormerTokens => statements.forget_former_tokens,
            Chore::ForgetSessions => statements.forget_sessions,
            Chore::FreePlaces => statements.free_places,
            Chore::ForgetJwts => statements.forget_jwts,
            Chore::ForgetRefreshKeys => statements.forget_refresh_keys,
            Chore::ForgetEvents => statements.forget_events,
            Chore::ForgetUserTokens => statements.forget_user_tokens,
            Chore::ForgetCeremonies => statements.forget_ceremonies,
            Chore::ForgetUnverified => statements.forget_unverified,
        };
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        query(statement).bind(self.before).bind(limit).execute(connection).await
    }
}

struct Beat {
    now: i64,
}

impl Change for Beat {
    type Outcome = ();

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<(), StoreError> {
        query(
            "INSERT INTO heartbeat (only_row, at) VALUES (1, $1) \
             ON CONFLICT (only_row) DO UPDATE SET at = excluded.at",
        )
        .bind(self.now)
        .execute(connection)
        .await?;
        Ok(())
    }
}
