//! How a machine client proves who it is (RFC 6749 section 2.3, RFC 7523 section 2.2).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

use super::assertion;
use super::store::{Credential, RegisteredClient};
use super::{Clients, is_client_id};
use crate::clock::secs;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::hash::hash_of;
use crate::domain::limits::Limited;
use crate::domain::peer::Peer;
use crate::error::Error;

/// What a request brings to prove that it is a client's.
pub(crate) enum Proof {
    Secret { client_id: String, secret: Zeroizing<String> },
    Assertion { client_id: String, assertion: String },
}

impl Proof {
    /// The client that it is said to be of.
    fn client_id(&self) -> &str {
        match self {
            Self::Secret { client_id, .. } | Self::Assertion { client_id, .. } => client_id,
        }
    }
}

impl Clients {
    /// The client, if it proves that it is one and is enabled; `None` without saying which of the
    /// two is missing.
    ///
    /// Failed attempts cost one of the address's, and then of the client's; what succeeds costs
    /// nothing. The client's are looked at only after its proof, which nobody can guess, has failed:
    /// so they bound what a flood leaves in the log, and nobody can lock a client out in its name.
    pub(crate) async fn authenticate(
        &self,
        proof: &Proof,
        peer: &Peer,
    ) -> Result<Option<RegisteredClient>, Error> {
        if let Err(limited) = self.limits.take_of_network(peer) {
            return Err(self.limited(limited, None, peer).await?);
        }
        // Whatever else somebody sends is nothing to ask the store about.
        let client = match Some(proof.client_id()).filter(|id| is_client_id(id)) {
            Some(id) => self.of(id).await?,
            None => None,
        };
        if let Some(client) = &client
            && client.disabled_at.is_none()
            && self.proves(proof, client).await?
        {
            self.limits.give_back_of_network(peer);
            return Ok(Some(client.clone()));
        }
        // A name of nobody's is not recorded: it may well be somebody's secret.
        let known = client.as_ref().map(|client| client.id.as_str());
        if let Some(id) = known
            && let Err(limited) = self.limits.take_of_account(&format!("client {id}"))
        {
            return Err(self.limited(limited, known, peer).await?);
        }
        self.audit.record(&self.event(EventKind::ClientRefused, known, peer)).await?;
        Ok(None)
    }

    async fn proves(&self, proof: &Proof, client: &RegisteredClient) -> Result<bool, Error> {
        match (proof, &client.credential) {
            (Proof::Secret { secret, .. }, Credential::Secret(hash)) => {
                Ok(verify_slices_are_equal(&hash_of(secret), hash).is_ok())
            }
            (Proof::Assertion { assertion, .. }, Credential::Keys(keys)) => {
                let settings = self.tokens.settings();
                let (skew, now) = (secs(settings.clock_skew), self.now());
                let issuer = &settings.issuer;
                let checked = assertion::check(assertion, &client.id, keys, issuer, now, skew);
                match checked {
                    // Last, and only now: what anybody can make up is not to be remembered.
                    Ok(jwt) => self.tokens.spend(&jwt.name, jwt.good_until, None).await,
                    Err(why) => {
                        tracing::debug!(client_id = client.id, %why, "refused a client assertion");
                        Ok(false)
                    }
                }
            }
            // A client has one way to prove itself.
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
        // Once: the log must not grow with whatever somebody sends who is not let in.
        if limited.first {
            let event = self.event(EventKind::ClientLimited, client_id, peer);
            self.audit.record(&event).await?;
        }
        Ok(Error::Limited { retry_after_secs: limited.retry_after_secs })
    }

    /// An event that a client, if it is known, has caused.
    pub(crate) fn event(&self, kind: EventKind, client_id: Option<&str>, peer: &Peer) -> NewEvent {
        let event = self.audit.event(kind, peer);
        match client_id {
            Some(id) => event.client(id),
            None => event,
        }
    }
}
