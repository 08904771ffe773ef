//! The end of a ceremony of a login, a second factor or a step-up.

use webauthn_rs::prelude::{DiscoverableAuthentication, Passkey, WebauthnError};

use super::client_data::is_of_top_page;
use super::{Assertion, PasskeyUser, Passkeys, StoredPasskey, Use, UsedPasskey};
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::hash::hash_of;
use crate::domain::peer::Peer;
use crate::domain::sessions::{Grant, Methods, Proof, Session};
use crate::domain::tokens::Audience;
use crate::domain::users::User;
use crate::error::Error;

/// A passkey whose assertion is right. [`PasskeyStore::use_passkey`](super::PasskeyStore) decides
/// whether it counts.
struct Verified {
    used: UsedPasskey,
    user: PasskeyUser,
}

impl Passkeys {
    /// Begins a session with a passkey as the only factor; `None` if the passkey is wrong.
    pub(crate) async fn login(
        &self,
        assertion: Assertion,
        audience: &Audience,
        peer: &Peer,
    ) -> Result<Option<Grant>, Error> {
        self.limits.take_of_network(peer).await?;
        let event = self.audit.event(EventKind::PasskeyUsed, peer);
        let Some(Verified { used, user }) = self.verify(assertion, None, &event).await? else {
            return Ok(None);
        };
        let stored = user.stored;
        let session_id = crate::random::hex_id()?;
        let event = event.user(&stored.user.id);
        if !stored.may_log_in {
            self.record_refusal(&event).await?;
            return Ok(None);
        }
        let event = event.session(&session_id);
        if !self.mark_used(&used, None, &event).await? {
            return Ok(None);
        }
        let proof = Proof {
            credentials: stored.credentials,
            stepped_up_at: Some(event.at),
            methods: Methods::passkey(used.passkey.kind(), &used.passkey.id),
        };
        match self.sessions.begin(session_id, &stored.user, proof, audience, peer).await? {
            Some(grant) => {
                self.limits.give_back_of_network(peer);
                self.limits.give_back_challenge(peer);
                Ok(Some(grant))
            }
            // The user was disabled, or a credential was changed or removed, since the check.
            None => {
                self.record_refusal(&event).await?;
                Ok(None)
            }
        }
    }

    /// Checks a passkey after the password in a login that starts the session `session_id`. Returns
    /// the methods of the session, or `None` if the passkey is wrong.
    pub(crate) async fn second_factor(
        &self,
        user: &User,
        session_id: &str,
        assertion: Assertion,
        peer: &Peer,
    ) -> Result<Option<Methods>, Error> {
        let event = self.event_of(EventKind::PasskeyUsed, user, peer).session(session_id);
        let Some(Verified { used, .. }) = self.verify(assertion, Some(user), &event).await? else {
            return Ok(None);
        };
        if !self.mark_used(&used, None, &event).await? {
            return Ok(None);
        }
        self.limits.give_back_challenge(peer);
        let StoredPasskey { id, .. } = &used.passkey;
        Ok(Some(Methods::password(None).and_passkey(used.passkey.kind(), id)))
    }

    /// Marks a session as stepped up by a passkey of its user. Returns the session's new access
    /// token, or `None` if the passkey is wrong.
    pub(crate) async fn step_up(
        &self,
        user: &User,
        session: &Session,
        assertion: Assertion,
        audience: &Audience,
        peer: &Peer,
    ) -> Result<Option<String>, Error> {
        let account = format!("second factor of {}", user.id);
        self.limits.take_of_session(&account, peer).await?;
        let event = self.event_of(EventKind::PasskeyUsed, user, peer).session(&session.id);
        let Some(Verified { used, .. }) = self.verify(assertion, Some(user), &event).await? else {
            return Ok(None);
        };
        let keys = self.keys.current().await?;
        let now = event.at;
        let place = self.tokens.take_place(&session.id, now).await?;
        let methods = session.methods.clone().and_passkey(used.passkey.kind(), &used.passkey.id);
        let session =
            Session { stepped_up_at: Some(now), place: Some(place), methods, ..session.clone() };
        let token = self.tokens.issue(&keys, &session.subject(user), audience, now).await?;
        if !self.mark_used(&used, Some(&session), &event).await? {
            return Ok(None);
        }
        self.limits.give_back_of_session(&account);
        self.limits.give_back_challenge(peer);
        Ok(Some(token))
    }

    /// Uses up the ceremony, and checks the assertion. `expected` is the user who must own the
    /// passkey. Records the reason if the assertion is wrong.
    async fn verify(
        &self,
        Assertion { ceremony, credential }: Assertion,
        expected: Option<&User>,
        event: &NewEvent,
    ) -> Result<Option<Verified>, Error> {
        let Some(webauthn) = &self.webauthn else { return self.refuse(event).await };
        let state = self.store.take_ceremony(&hash_of(&ceremony), None, event.at).await?;
        let Some(state) = state else { return self.refuse(event).await };
        let state: DiscoverableAuthentication = serde_json::from_str(&state)
            .map_err(|_| Error::Crypto("reading a passkey ceremony"))?;
        let found = self.store.passkey_with(credential.get_credential_id()).await?;
        let Some((stored, user)) = found else { return self.refuse(event).await };
        let event = match expected {
            Some(expected) if expected.id != user.stored.user.id => {
                return self.refuse(event).await;
            }
            _ => event.clone().user(&user.stored.user.id),
        };
        // WebAuthn level 3, section 7.2, step 6: the user who is identified by the handle must own
        // the passkey.
        let handle = credential.get_user_unique_id();
        if handle.is_none() || handle != user.handle.as_deref() {
            return self.refuse(&event).await;
        }
        if !is_of_top_page(&credential.response.client_data_json) {
            return self.refuse(&event).await;
        }
        let mut passkey: Passkey = serde_json::from_str(&stored.credential)
            .map_err(|_| Error::Crypto("reading a passkey"))?;
        let result =
            match webauthn.finish_discoverable_authentication_v2(&credential, state, &passkey) {
                Ok(result) if result.user_verified() => result,
                Err(WebauthnError::CredentialPossibleCompromise) => {
                    self.record_clone(&event).await?;
                    return Ok(None);
                }
                Ok(_) | Err(_) => return self.refuse(&event).await,
            };
        passkey.update_credential(&result);
        let credential =
            serde_json::to_string(&passkey).map_err(|_| Error::Crypto("writing a passkey"))?;
        let backed_up = result.backup_state();
        let used = UsedPasskey {
            passkey: StoredPasskey { credential, backed_up, ..stored },
            counter: result.counter().into(),
        };
        Ok(Some(Verified { used, user }))
    }

    /// Records the use. Returns `false` if the passkey does not count: it was removed, or its
    /// counter was used at the same time.
    async fn mark_used(
        &self,
        used: &UsedPasskey,
        raises: Option<&Session>,
        event: &NewEvent,
    ) -> Result<bool, Error> {
        match self.store.use_passkey(used, raises, event).await? {
            Use::Counted => return Ok(true),
            Use::Cloned => self.record_clone(event).await?,
            Use::Removed => self.record_refusal(event).await?,
        }
        Ok(false)
    }

    async fn record_clone(&self, event: &NewEvent) -> Result<(), Error> {
        let cloned = NewEvent { kind: EventKind::PasskeyCloned, ..event.clone() };
        tracing::warn!(
            user_id = cloned.user_id.as_deref(),
            "a passkey's counter is not higher than before; there may be a copy of its key"
        );
        self.audit.record(&cloned).await
    }

    /// Records that an attempt was refused. Always returns `None`.
    async fn refuse(&self, event: &NewEvent) -> Result<Option<Verified>, Error> {
        self.record_refusal(event).await?;
        Ok(None)
    }

    pub(super) async fn record_refusal(&self, event: &NewEvent) -> Result<(), Error> {
        let refused = NewEvent { kind: EventKind::PasskeyRefused, ..event.clone() };
        self.audit.record(&refused).await
    }
}
