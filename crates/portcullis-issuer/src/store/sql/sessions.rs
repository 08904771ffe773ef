//! Sessions and their refresh tokens.

mod life;
mod refresh;

use super::{audit, timed};
use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::sessions::{Refreshed, Rotation, Session, SessionStore};
use crate::domain::users::User;
use crate::store::dialect::Database;

impl<D: Database> SessionStore for D {
    fn start_session<'a>(
        &'a self,
        session: &'a Session,
        credentials: i64,
        token: &'a TokenHash,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        timed("start_session", async move {
            let mut tx = self.begin().await?;
            if !life::start(&mut *tx, session, credentials).await? {
                return Ok(false);
            }
            refresh::insert(&mut *tx, token, &session.id, session.created_at).await?;
            audit::insert(&mut *tx, event).await?;
            tx.commit().await?;
            Ok(true)
        })
    }

    fn rotate_refresh<'a>(&'a self, rotation: &'a Rotation) -> Answer<'a, Refreshed> {
        timed("rotate_refresh", async move {
            // Looked up without a lock: tokens that somebody made up must not keep writers
            // waiting. A token never changes its session, so what is read here stays true.
            let presented = &rotation.presented;
            let session = refresh::session_of(&mut *self.reader().await?, presented).await?;
            let Some(session_id) = session else { return Ok(Refreshed::Refused) };
            let mut tx = self.begin().await?;
            let refreshed = refresh::rotate(&mut *tx, &session_id, rotation).await?;
            if !matches!(refreshed, Refreshed::Refused) {
                tx.commit().await?;
            }
            Ok(refreshed)
        })
    }

    fn end_session_of<'a>(&'a self, token: &'a TokenHash, event: &'a NewEvent) -> Answer<'a, ()> {
        timed("end_session_of", async move {
            let session = refresh::session_of(&mut *self.reader().await?, token).await?;
            let Some(session_id) = session else { return Ok(()) };
            let mut tx = self.begin().await?;
            life::log_out(&mut *tx, &session_id, event).await?;
            Ok(tx.commit().await?)
        })
    }

    fn session_of<'a>(
        &'a self,
        token: &'a TokenHash,
        now: i64,
    ) -> Answer<'a, Option<(Session, User)>> {
        timed("session_of", async move {
            let mut reader = self.reader().await?;
            match refresh::current_session_of(&mut *reader, token).await? {
                Some(session_id) => life::live(&mut *reader, &session_id, now).await,
                None => Ok(None),
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
        timed("delete_session", async move {
            let mut tx = self.begin().await?;
            let deleted = life::delete(&mut *tx, user_id, session_id, event).await?;
            tx.commit().await?;
            Ok(deleted)
        })
    }

    fn end_all_sessions<'a>(&'a self, user_id: &'a str, event: &'a NewEvent) -> Answer<'a, u64> {
        timed("end_all_sessions", async move {
            let mut tx = self.begin().await?;
            let ended = life::end_all(&mut *tx, user_id, event).await?;
            tx.commit().await?;
            Ok(ended)
        })
    }
}
