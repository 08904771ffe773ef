//! The [`Store`] in SQL. Compiled once for each database: what differs is in the module above.
//!
//! Each method is one transaction around statements of the modules below.

mod clients;
mod events;
mod keys;
mod refresh;
mod rows;
mod second_factor;
mod sessions;
mod spent_jwts;
pub(crate) mod status_places;
mod users;

use std::pin::Pin;

use super::{Connection, Db, DbRow};
use crate::domain::audit::{AuditStore, Event, NewEvent};
use crate::domain::clients::{ClientStore, Credential, RegisteredClient};
use crate::domain::hash::TokenHash;
use crate::domain::keys::{KeyStore, KeyTable, NewKey, Promises};
use crate::domain::second_factor::SecondFactorStore;
use crate::domain::sessions::{Refreshed, Rotation, Session, SessionStore};
use crate::domain::tokens::{Place, TokenStore, Until};
use crate::domain::users::{User, UserStore};
use crate::domain::{Answer, Member};
use crate::store::{Store, timed};

impl Member for Db {
    fn leads(&self) -> bool {
        self.is_leader()
    }
}

impl KeyStore for Db {
    fn key_version(&self) -> Answer<'_, i64> {
        timed("key_version", async {
            match self.told_version() {
                Some(version) => Ok(version),
                None => keys::version(&mut *self.reader().await?).await,
            }
        })
    }

    fn keys(&self) -> Answer<'_, KeyTable> {
        timed("keys", async {
            // One snapshot: the version must belong to the rows.
            let mut tx = self.begin_snapshot().await?;
            let table = keys::table(&mut tx).await?;
            self.learn_version(table.version);
            Ok(table)
        })
    }

    fn add_first_key<'a>(&'a self, key: &'a NewKey) -> Answer<'a, ()> {
        timed("add_first_key", async move {
            let mut tx = self.begin().await?;
            keys::add_first(&mut tx, key).await?;
            Ok(tx.commit().await?)
        })
    }

    fn publish_next_key<'a>(&'a self, key: &'a NewKey) -> Answer<'a, ()> {
        timed("publish_next_key", async move {
            let mut tx = self.begin().await?;
            keys::publish_next(&mut tx, key).await?;
            Ok(tx.commit().await?)
        })
    }

    fn promote_key<'a>(&'a self, kid: &'a str, now: i64, margin: i64) -> Answer<'a, ()> {
        timed("promote_key", async move {
            let mut tx = self.begin().await?;
            keys::promote(&mut tx, kid, now, margin).await?;
            Ok(tx.commit().await?)
        })
    }

    fn rotate_key<'a>(&'a self, key: &'a NewKey, now: i64, margin: i64) -> Answer<'a, ()> {
        timed("rotate_key", async move {
            let mut tx = self.begin().await?;
            keys::rotate(&mut tx, key, now, margin).await?;
            Ok(tx.commit().await?)
        })
    }

    fn note_promises<'a>(&'a self, kid: &'a str, promised: Promises) -> Answer<'a, bool> {
        timed("note_promises", async move {
            keys::note_promises(&mut *self.writer().await?, kid, promised).await
        })
    }

    fn withdraw_due_keys(&self, now: i64) -> Answer<'_, ()> {
        timed("withdraw_due_keys", async move {
            let mut tx = self.begin().await?;
            keys::withdraw_due(&mut tx, now).await?;
            Ok(tx.commit().await?)
        })
    }

    fn withdraw_key<'a>(&'a self, kid: &'a str, now: i64) -> Answer<'a, bool> {
        timed("withdraw_key", async move {
            let mut tx = self.begin().await?;
            let found = keys::withdraw(&mut tx, kid, now).await?;
            tx.commit().await?;
            Ok(found)
        })
    }
}

impl UserStore for Db {
    fn add_user<'a>(&'a self, user: &'a User, password_hash: &'a str) -> Answer<'a, bool> {
        timed("add_user", async move {
            let mut tx = self.begin().await?;
            let added = users::add(&mut tx, user, password_hash).await?;
            tx.commit().await?;
            Ok(added)
        })
    }

    fn user_named<'a>(&'a self, name: &'a str) -> Answer<'a, Option<(User, String)>> {
        timed("user_named", async move { users::named(&mut *self.reader().await?, name).await })
    }

    fn users(&self) -> Answer<'_, Vec<User>> {
        timed("users", async { users::all(&mut *self.reader().await?).await })
    }

    fn rehash_password<'a>(
        &'a self,
        user_id: &'a str,
        old: &'a str,
        new: &'a str,
        now: i64,
    ) -> Answer<'a, ()> {
        timed("rehash_password", async move {
            let mut tx = self.begin().await?;
            users::rehash(&mut tx, user_id, old, new, now).await?;
            Ok(tx.commit().await?)
        })
    }
}

impl SecondFactorStore for Db {
    fn enrol_second_factor<'a>(&'a self, user_id: &'a str, sealed: &'a [u8]) -> Answer<'a, bool> {
        timed("enrol_second_factor", async move {
            second_factor::enrol(&mut *self.writer().await?, user_id, sealed).await
        })
    }

    fn second_factor<'a>(&'a self, user_id: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        timed("second_factor", async move {
            second_factor::sealed(&mut *self.reader().await?, user_id).await
        })
    }

    fn step_up<'a>(&'a self, sealed: &'a [u8], step: i64, event: &'a NewEvent) -> Answer<'a, bool> {
        timed("step_up", async move {
            let mut tx = self.begin().await?;
            let stepped_up = second_factor::step_up(&mut tx, sealed, step, event).await?;
            tx.commit().await?;
            Ok(stepped_up)
        })
    }

    fn remove_second_factor<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool> {
        timed("remove_second_factor", async move {
            let mut tx = self.begin().await?;
            let removed = second_factor::remove(&mut tx, event).await?;
            tx.commit().await?;
            Ok(removed)
        })
    }
}

impl SessionStore for Db {
    fn start_session<'a>(
        &'a self,
        session: &'a Session,
        token: &'a TokenHash,
        event: &'a NewEvent,
    ) -> Answer<'a, ()> {
        timed("start_session", async move {
            let mut tx = self.begin().await?;
            sessions::start(&mut tx, session).await?;
            refresh::insert(&mut tx, token, &session.id, session.created_at).await?;
            events::insert(&mut tx, event).await?;
            tx.commit().await?;
            Ok(())
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
            let refreshed = refresh::rotate(&mut tx, &session_id, rotation).await?;
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
            sessions::log_out(&mut tx, &session_id, event).await?;
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
            match refresh::current_session_of(&mut reader, token).await? {
                Some(session_id) => sessions::live(&mut reader, &session_id, now).await,
                None => Ok(None),
            }
        })
    }

    fn live_session<'a>(&'a self, id: &'a str, now: i64) -> Answer<'a, Option<(Session, User)>> {
        timed(
            "live_session",
            async move { sessions::live(&mut *self.reader().await?, id, now).await },
        )
    }

    fn live_sessions<'a>(&'a self, user_id: &'a str, now: i64) -> Answer<'a, Vec<Session>> {
        timed("live_sessions", async move {
            sessions::live_of(&mut *self.reader().await?, user_id, now).await
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
            let deleted = sessions::delete(&mut tx, user_id, session_id, event).await?;
            tx.commit().await?;
            Ok(deleted)
        })
    }

    fn end_all_sessions<'a>(&'a self, user_id: &'a str, event: &'a NewEvent) -> Answer<'a, u64> {
        timed("end_all_sessions", async move {
            let mut tx = self.begin().await?;
            let ended = sessions::end_all(&mut tx, user_id, event).await?;
            tx.commit().await?;
            Ok(ended)
        })
    }
}

impl TokenStore for Db {
    fn take_place<'a>(&'a self, owner: &'a str, until: Until) -> Answer<'a, Place> {
        timed("take_place", async move {
            let mut tx = self.begin().await?;
            let place = status_places::take(&mut tx, owner, until).await?;
            tx.commit().await?;
            Ok(place)
        })
    }

    fn status_version(&self) -> Answer<'_, i64> {
        timed("status_version", async { status_places::version(&mut *self.reader().await?).await })
    }

    fn revoked_places(&self, list: i64, epoch: i64) -> Answer<'_, Option<Vec<i64>>> {
        timed("revoked_places", async move {
            status_places::revoked(&mut *self.reader().await?, list, epoch).await
        })
    }

    fn spend_jwt<'a>(
        &'a self,
        jwt: &'a TokenHash,
        expires_at: i64,
        now: i64,
        event: Option<&'a NewEvent>,
    ) -> Answer<'a, bool> {
        timed("spend_jwt", async move {
            let mut tx = self.begin().await?;
            let first = spent_jwts::spend(&mut tx, jwt, expires_at, now, event).await?;
            tx.commit().await?;
            Ok(first)
        })
    }

    fn is_spent<'a>(&'a self, jwt: &'a TokenHash) -> Answer<'a, bool> {
        timed("is_spent", async move { spent_jwts::has(&mut *self.reader().await?, jwt).await })
    }
}

impl ClientStore for Db {
    fn add_client<'a>(
        &'a self,
        client: &'a RegisteredClient,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        timed("add_client", async move {
            let mut tx = self.begin().await?;
            let added = clients::add(&mut tx, client, event).await?;
            tx.commit().await?;
            Ok(added)
        })
    }

    fn client<'a>(&'a self, id: &'a str) -> Answer<'a, Option<RegisteredClient>> {
        timed("client", async move { clients::of(&mut *self.reader().await?, id).await })
    }

    fn clients(&self) -> Answer<'_, Vec<RegisteredClient>> {
        timed("clients", async { clients::all(&mut *self.reader().await?).await })
    }

    fn set_credential<'a>(
        &'a self,
        credential: &'a Credential,
        event: &'a NewEvent,
    ) -> Answer<'a, bool> {
        timed("set_credential", async move {
            let mut tx = self.begin().await?;
            let found = clients::set_credential(&mut tx, credential, event).await?;
            tx.commit().await?;
            Ok(found)
        })
    }

    fn set_disabled<'a>(&'a self, disabled: bool, event: &'a NewEvent) -> Answer<'a, bool> {
        timed("set_disabled", async move {
            let mut tx = self.begin().await?;
            let found = clients::set_disabled(&mut tx, disabled, event).await?;
            tx.commit().await?;
            Ok(found)
        })
    }

    fn remove_client<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool> {
        timed("remove_client", async move {
            let mut tx = self.begin().await?;
            let found = clients::remove(&mut tx, event).await?;
            tx.commit().await?;
            Ok(found)
        })
    }
}

impl AuditStore for Db {
    fn record<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, ()> {
        timed("record", async move { events::insert(&mut *self.writer().await?, event).await })
    }

    fn events(&self, after: i64, limit: i64) -> Answer<'_, Vec<Event>> {
        timed(
            "events",
            async move { events::after(&mut *self.reader().await?, after, limit).await },
        )
    }

    fn forget_events(&self, before: i64) -> Answer<'_, ()> {
        timed(
            "forget_events",
            async move { events::forget(&mut *self.writer().await?, before).await },
        )
    }
}

impl Store for Db {
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.close_all())
    }
}
