//! The authentication of machine clients (RFC 6749 section 2.3, RFC 7523 section 2.2).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

use super::assertion;
use super::store::{Credential, RegisteredClient};
use super::{Clients, is_client_id};
use crate::clock::secs;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::hash::{TokenHash, hash_of};
use crate::domain::limits::Limited;
use crate::domain::peer::Peer;
use crate::error::Error;

/// The credential of a client in a request.
pub(crate) enum Proof {
    Secret { client_id: String, secret: Zeroizing<String> },
    Assertion { client_id: String, assertion: String },
}

impl Proof {
    /// Returns the client id that the request claims.
    fn client_id(&self) -> &str {
        match self {
            Self::Secret { client_id, .. } | Self::Assertion { client_id, .. } => client_id,
        }
    }
}

impl Clients {
    /// Returns the client if its credential is right and the client is enabled. `None` does not reveal
    /// which of the two conditions is not met.
    ///
    /// A right credential spends no budget. It is accepted even after many wrong credentials from the
    /// same address or for the same client. That is safe, because a credential cannot be guessed; the
    /// budgets only bound the number of entries in the audit log.
    pub(crate) async fn authenticate(
        &self,
        proof: &Proof,
        peer: &Peer,
    ) -> Result<Option<RegisteredClient>, Error> {
        // An invalid id needs no query.
        let client = match Some(proof.client_id()).filter(|id| is_client_id(id)) {
            Some(id) => self.of(id).await?,
            None => None,
        };
        if let Some(client) = &client
            && client.disabled_at.is_none()
            && self.proves(proof, client).await?
        {
            return Ok(Some(client.clone()));
        }
        // An unknown id is not recorded, because it may be a secret in the wrong field.
        let known = client.as_ref().map(|client| client.id.as_str());
        if let Err(limited) = self.limits.take_of_failed_client(known, peer) {
            return Err(self.limited(limited, known, peer).await?);
        }
        self.audit.record(&self.event(EventKind::ClientRefused, known, peer)).await?;
        Ok(None)
    }

    async fn proves(&self, proof: &Proof, client: &RegisteredClient) -> Result<bool, Error> {
        match (proof, &client.credential) {
            (Proof::Secret { secret, .. }, Credential::Secret(hash)) => {
                let presented = hash_of(secret);
                let old = client.old_secret.filter(|old| old.valid_until > self.now());
                let hashes = [Some(*hash), old.map(|old| old.hash)];
                let equal = |hash: &TokenHash| verify_slices_are_equal(&presented, hash).is_ok();
                Ok(hashes.iter().flatten().any(equal))
            }
            (Proof::Assertion { assertion, .. }, Credential::Keys(keys)) => {
                let settings = self.tokens.settings();
                let (skew, now) = (secs(settings.clock_skew), self.now());
                let issuer = &settings.issuer;
                let checked = assertion::check(assertion, &client.id, keys, issuer, now, skew);
                match checked {
                    // The store remembers only assertions that passed all other checks.
                    Ok(jwt) => self.tokens.spend(&jwt.name, jwt.good_until, None).await,
                    Err(why) => {
                        tracing::debug!(client_id = client.id, %why, "client assertion rejected");
                        Ok(false)
                    }
                }
            }
            // The client has the other kind of credential.
            (Proof::Secret { .. }, Credential::Keys(_))
            | (Proof::Assertion { .. }, Credential::Secret(_)) => Ok(false),
        }
    }

    async fn limited(
        &self,
        limited: Limited,
        client_id: Option<&str>,
        peer: &Peer,
    ) -> Result<Error, Error> {
        if limited.first {
            let event = self.event(EventKind::ClientLimited, client_id, peer);
            let account = client_id.map(|id| format!("client {id}"));
            if self.limits.records(account.as_deref(), peer) {
                self.audit.record(&event).await?;
            } else {
                self.audit.count(&event);
            }
        }
        Ok(Error::Limited { retry_after_secs: limited.retry_after_secs })
    }

    /// Creates an event that a client has caused; the client may be unknown.
    pub(crate) fn event(&self, kind: EventKind, client_id: Option<&str>, peer: &Peer) -> NewEvent {
        let event = self.audit.event(kind, peer);
        match client_id {
            Some(id) => event.client(id),
            None => event,
        }
    }
}
