//! Passkeys: WebAuthn credentials that replace a password, or that are a second factor.
//!
//! All passkeys are discoverable, and their authenticator must verify the user (by fingerprint, face
//! or PIN). So one kind of ceremony, which names no user, serves logins, second factors and
//! step-ups. Its challenge tells a stranger nothing about accounts.
//!
//! A ceremony is kept in the store. The first attempt to finish it deletes it, whether it succeeds
//! or not.

mod authentication;
mod ceremony;
mod client_data;
mod registration;
mod store;

use std::fmt;
use std::sync::Arc;

use portcullis::clock::Clock;
use webauthn_rs::Webauthn;

pub(crate) use self::ceremony::{Assertion, Begun, CEREMONY_SECS, RelyingParty};
pub(crate) use self::registration::{Attestation, Registration};
pub(crate) use self::store::{
    Ceremony, NewPasskey, PasskeyStore, PasskeyUser, Registered, StoredPasskey, Use, UsedPasskey,
};
use crate::clock::now_secs;
use crate::domain::audit::{Actor, Audit, EventKind, NewEvent};
use crate::domain::keys::KeyRing;
use crate::domain::limits::Limits;
use crate::domain::peer::Peer;
use crate::domain::sessions::{Session, Sessions};
use crate::domain::tokens::Tokens;
use crate::domain::users::User;
use crate::error::Error;

/// The maximum number of passkeys of a user.
pub(crate) const PASSKEYS_PER_USER: i64 = 20;

/// Passkeys of all users.
pub(crate) struct Passkeys {
    /// `None` if passkeys are off: there are no ceremonies then.
    pub(crate) webauthn: Option<Webauthn>,
    pub(crate) store: Arc<dyn PasskeyStore>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Passkeys {
    /// Returns a user's passkeys, the oldest first.
    pub(crate) async fn of(&self, user_id: &str) -> Result<Vec<StoredPasskey>, Error> {
        Ok(self.store.passkeys_of(user_id).await?)
    }

    /// Renames a user's own passkey; `false` if there is none with this id.
    pub(crate) async fn rename(
        &self,
        user: &User,
        session: &Session,
        id: &str,
        name: &str,
        peer: &Peer,
    ) -> Result<bool, Error> {
        let event = self.event_of(EventKind::PasskeyRenamed, user, peer).session(&session.id);
        Ok(self.store.rename_passkey(id, name, &event).await?)
    }

    /// Removes a user's own passkey; `false` if there is none with this id. The session stays, even
    /// if it began with the passkey.
    pub(crate) async fn remove(
        &self,
        user: &User,
        session: &Session,
        id: &str,
        peer: &Peer,
    ) -> Result<bool, Error> {
        let event = self.event_of(EventKind::PasskeyRemoved, user, peer).session(&session.id);
        Ok(self.store.remove_passkey(id, Some(&session.id), &event).await?)
    }

    /// Removes a user's passkey for an operator; `false` if there is none with this id.
    pub(crate) async fn remove_of(&self, user_id: &str, id: &str) -> Result<bool, Error> {
        let event = self.audit.event_by(EventKind::PasskeyRemoved, Actor::Operator).user(user_id);
        Ok(self.store.remove_passkey(id, None, &event).await?)
    }

    fn event_of(&self, kind: EventKind, user: &User, peer: &Peer) -> NewEvent {
        self.audit.event(kind, peer).user(&user.id)
    }

    fn now(&self) -> i64 {
        now_secs(&*self.clock)
    }
}

impl fmt::Debug for Passkeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passkeys").field("on", &self.webauthn.is_some()).finish_non_exhaustive()
    }
}
