//! Sessions and their refresh tokens.

mod life;
pub(in crate::store) mod refresh;
mod start;

use self::start::StartSession;
use super::{retried, timed};
use crate::domain::Answer;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::hash::TokenHash;
use crate::domain::sessions::{Refreshed, Rotation, Session, SessionStore};
use crate::domain::users::User;
use crate::error::StoreError;
use crate::metrics;
use crate::store::dialect::{Change, Database, Dialect};

impl<D: Database> SessionStore for D {
    fn start_session<'a>(
        &'a self,
        session: &'a Session,
        credentials: i64,
        token: &'a TokenHash,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        timed("start_session", async move {
            let (session, token, kind) = (session.clone(), *token, event.kind);
            let event = event.clone();
            let started = self.change(StartSession { session, credentials, token, event }).await?;
            if let Some(ended) = started {
                metrics::event(kind.as_str());
                for _ in 0..ended {
                    metrics::event(EventKind::SessionDeleted.as_str());
                    self.ended_sessions().notify_one();
                }
            }
            Ok(started.is_some())
        })
    }

    fn rotate_refresh(&self, rotation: Rotation) -> Answer<'_, Refreshed> {
        timed("rotate_refresh", async move {
            let refreshed = self.rotate(rotation).await?;
            if let Some(kind) = refreshed.event() {
                metrics::event(kind.as_str());
            }
            if matches!(refreshed, Refreshed::Reused | Refreshed::Diverged) {
                self.ended_sessions().notify_one();
            }
            Ok(refreshed)
        })
    }

    fn session_of_former<'a>(&'a self, token: &'a TokenHash) -> Answer<'a, Option<String>> {
        timed("session_of_former", async move {
            refresh::session_of_former(&mut *self.reader().await?, token).await
        })
    }

    fn log_out<'a>(&'a self, session_id: &'a str, event: &'a NewEvent) -> Answer<'a, ()> {
        timed("log_out", async move {
            let (session_id, kind) = (session_id.to_owned(), event.kind);
            if self.change(LogOut { session_id, event: event.clone() }).await? {
                metrics::event(kind.as_str());
                self.ended_sessions().notify_one();
            }
            Ok(())
        })
    }

    fn session_with<'a>(
        &'a self,
        session_id: &'a str,
        token: &'a TokenHash,
        now: i64,
    ) -> Answer<'a, Option<(Session, User)>> {
        timed("session_with", async move {
            let mut reader = self.reader().await?;
            let found = life::live(&mut *reader, session_id, now).await?;
            match found {
                Some(found) if refresh::is_current(&mut *reader, session_id, token).await? => {
                    Ok(Some(found))
                }
                _ => Ok(None),
            }
        })
    }

    fn live_session<'a>(&'a self, id: &'a str, now: i64) -> Answer<'a, Option<(Session, User)>> {
        timed("live_session", async move { life::live(&mut *self.reader().await?, id, now).await })
    }

    fn live_sessions<'a>(&'a self, user_id: &'a str, now: i64) -> Answer<'a, Vec<Session>> {
        timed("live_sessions", async move {
            life::live_of(&mut *self.reader().await?, user_id, now).await
        })
    }

    fn delete_session<'a>(
        &'a self,
        user_id: &'a str,
        session_id: &'a str,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        retried("delete_session", move || async move {
            let mut tx = self.begin().await?;
            let deleted = life::delete(&mut *tx, user_id, session_id, event).await?;
            tx.commit().await?;
            self.ended_sessions().notify_one();
            Ok(deleted)
        })
    }

    fn end_all_sessions<'a>(&'a self, user_id: &'a str, event: &'a NewEvent) -> Answer<'a, u64> {
        retried("end_all_sessions", move || async move {
            let mut tx = self.begin().await?;
            let ended = life::end_all(&mut *tx, user_id, event).await?;
            tx.commit().await?;
            self.ended_sessions().notify_one();
            Ok(ended)
        })
    }
}

/// Ends a session at the request of the holder of its refresh token.
struct LogOut {
    session_id: String,
    event: NewEvent,
}

impl Change for LogOut {
    type Outcome = bool;

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<bool, StoreError> {
        life::log_out(connection, &self.session_id, &self.event).await
    }
}
