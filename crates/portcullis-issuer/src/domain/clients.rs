//! Machine clients: services that get tokens in their own name, and the operator's commands for
//! them.

mod assertion;
mod authentication;
mod client_update;
mod grants;
mod logout_uri;
mod new_client;
mod rights;
mod store;
mod update;

use std::sync::Arc;

use portcullis::{clock::Clock, keys::KeySet};

pub(crate) use self::assertion::claimed_client;
pub(crate) use self::authentication::Proof;
pub use self::client_update::ClientUpdate;
pub(crate) use self::client_update::LogoutUri;
pub(crate) use self::grants::ClientGrant;
pub(crate) use self::logout_uri::LogoutUris;
pub use self::new_client::NewClient;
use self::new_client::is_client_id;
pub use self::rights::{ClientRight, UnknownClientRight};
pub use self::store::RegisteredClient;
pub(crate) use self::store::{ClientStore, Credential, OldSecret};
use crate::clock::now_secs;
use crate::domain::audit::{Actor, Audit, EventKind, NewEvent};
use crate::domain::hash::hash_of;
use crate::domain::keys::KeyRing;
use crate::domain::limits::Limits;
use crate::domain::tokens::{Tokens, client_owner};
use crate::error::Error;
use crate::random;

/// The maximum length of a client's key set: enough for the keys of a rotation.
const MAX_KEYS_BYTES: usize = 64 * 1024;

/// The machine clients.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) store: Arc<dyn ClientStore>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) logout_uris: LogoutUris,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Clients {
    /// Adds a client. Returns its secret, unless it has keys.
    pub(crate) async fn add(&self, client: NewClient) -> Result<Option<String>, Error> {
        client.check(&self.tokens.settings().issuer, &self.logout_uris)?;
        let (credential, secret) = match client.keys {
            Some(jwks) => (Credential::Keys(checked_keys(&jwks)?), None),
            None => new_secret().map(|(credential, secret)| (credential, Some(secret)))?,
        };
        let added = RegisteredClient {
            place_owner: client_owner(&client.id, &random::hex_id()?),
            id: client.id,
            credential,
            old_secret: None,
            scopes: client.attributes.scopes,
            audiences: client.attributes.audiences,
            resource_servers: client.attributes.resource_servers,
            rights: client.attributes.rights,
            backchannel_logout_uri: client.attributes.backchannel_logout_uri,
            created_at: self.now(),
            disabled_at: None,
        };
        let event = self.about(EventKind::ClientAdded, &added.id);
        if self.store.add_client(&added, &event).await? {
            Ok(secret)
        } else {
            Err(Error::ClientExists { id: added.id })
        }
    }

    /// Returns all clients, by id.
    pub(crate) async fn all(&self) -> Result<Vec<RegisteredClient>, Error> {
        Ok(self.store.clients().await?)
    }

    /// Returns the client with this id, enabled or not.
    pub(crate) async fn of(&self, id: &str) -> Result<Option<RegisteredClient>, Error> {
        Ok(self.store.client(id).await?)
    }

    /// Stops issuing tokens to a client.
    pub(crate) async fn disable(&self, id: &str) -> Result<(), Error> {
        let event = self.about(EventKind::ClientDisabled, id);
        found(id, self.store.disable_client(&event).await?)
    }

    /// Issues tokens to a disabled client again. Tokens from before it was disabled stay revoked,
    /// since they may have been stolen.
    pub(crate) async fn enable(&self, id: &str) -> Result<(), Error> {
        let event = self.about(EventKind::ClientEnabled, id);
        let place_owner = client_owner(id, &random::hex_id()?);
        found(id, self.store.enable_client(&place_owner, &event).await?)
    }

    /// Deletes a client.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), Error> {
        let event = self.about(EventKind::ClientRemoved, id);
        found(id, self.store.remove_client(&event).await?)
    }

    /// Creates an event about a client, caused by an operator.
    fn about(&self, kind: EventKind, id: &str) -> NewEvent {
        self.audit.event_by(kind, Actor::Operator).client(id)
    }

    fn now(&self) -> i64 {
        now_secs(&*self.clock)
    }
}

fn found(id: &str, found: bool) -> Result<(), Error> {
    if found { Ok(()) } else { Err(Error::NoSuchClient { id: id.to_owned() }) }
}

/// Returns 256 random bits and their hash, which is stored. A plain hash is enough, because random bits
/// cannot be guessed. A slow hash, as for passwords, would only make a flood of requests more
/// expensive.
fn new_secret() -> Result<(Credential, String), Error> {
    let secret = random::secret()?;
    Ok((Credential::Secret(hash_of(&secret)), secret.to_string()))
}

/// Checks that every key of a key set can be used. Unlike a verifier, it rejects the whole set because
/// of one invalid key, because the operator sees the error and can correct the set.
fn checked_keys(jwks: &str) -> Result<String, Error> {
    let wrong = |problem: String| Err(Error::InvalidClientKeys { problem });
    if jwks.len() > MAX_KEYS_BYTES {
        return wrong(format!("they have more than {MAX_KEYS_BYTES} bytes"));
    }
    let keys = match KeySet::from_json(jwks.as_bytes()) {
        Ok(keys) => keys,
        Err(error) => return wrong(error.to_string()),
    };
    if let Some(skipped) = keys.skipped().first() {
        let id = skipped.id.as_deref().unwrap_or("(without a kid)");
        return wrong(format!("the key {id:?}: {}", skipped.reason));
    }
    if keys.is_empty() {
        return wrong("the key set has no keys".to_owned());
    }
    Ok(jwks.to_owned())
}
