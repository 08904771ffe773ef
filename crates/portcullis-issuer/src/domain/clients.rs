//! Machine clients: services that get tokens in their own name, and what an operator does with
//! them.

mod assertion;
mod authentication;
mod grants;
mod store;

use std::sync::Arc;

use portcullis::{clock::Clock, keys::KeySet};

pub(crate) use self::assertion::claimed_client;
pub(crate) use self::authentication::Proof;
pub(crate) use self::grants::ClientGrant;
pub use self::store::RegisteredClient;
pub(crate) use self::store::{ClientStore, Credential};
use crate::clock::now_secs;
use crate::domain::audit::{Audit, EventKind, NewEvent};
use crate::domain::hash::hash_of;
use crate::domain::keys::KeyRing;
use crate::domain::limits::Limits;
use crate::domain::peer::Peer;
use crate::domain::scope::is_scope_token;
use crate::domain::tokens::{FIRST_PARTY, Tokens};
use crate::error::Error;
use crate::random;

/// As many keys as a rotation takes, and not a whole directory.
const MAX_KEYS_BYTES: usize = 64 * 1024;

/// All scopes stand in every token, which travels in a header.
const MAX_NAMES_BYTES: usize = 2048;

/// A machine client to be added: a service that gets tokens in its own name, at `POST /oauth/token`
/// by the client credentials grant (RFC 6749 section 4.4).
///
/// An id has 1 to 128 letters, digits, `.`, `_`, `~` and `-`, and is the `sub` of the client's tokens.
/// It must not look like a user's, which are 32 hexadecimal digits.
///
/// ```
/// use portcullis_issuer::NewClient;
///
/// let client = NewClient::new("billing").scopes(["orders:read"]).audiences(["https://api.example"]);
/// # let _ = client;
/// ```
#[derive(Debug, Clone)]
pub struct NewClient {
    id: String,
    keys: Option<String>,
    scopes: Vec<String>,
    audiences: Vec<String>,
}

impl NewClient {
    /// A client with a secret and without scopes, for the APIs of `IDENTSPHERE_AUDIENCES`.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), keys: None, scopes: Vec::new(), audiences: Vec::new() }
    }

    /// What its tokens may be used for.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The APIs that it may ask tokens for (RFC 8707), in the place of `IDENTSPHERE_AUDIENCES`.
    #[must_use]
    pub fn audiences(mut self, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// Its public keys, a JWK Set, in the place of a secret: it then proves itself by assertions
    /// that it signs (`private_key_jwt`, RFC 7523), and nothing that the issuer keeps is worth
    /// stealing.
    #[must_use]
    pub fn keys(mut self, jwks: impl Into<String>) -> Self {
        self.keys = Some(jwks.into());
        self
    }

    fn check(&self) -> Result<(), Error> {
        let id = &self.id;
        if !is_client_id(id) {
            return Err(Error::InvalidClient(
                "a client's id must have 1 to 128 letters, digits, dots, underscores, tildes and \
                 hyphens",
            ));
        }
        // RFC 9068 section 5: an API that knows a user by `sub` must not meet a client of that name.
        if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::InvalidClient(
                "a client's id must not look like a user's, which has 32 hexadecimal digits",
            ));
        }
        if self.id == FIRST_PARTY {
            return Err(Error::InvalidClient(
                "that id is the issuer's own, for the sessions of its users",
            ));
        }
        if !self.scopes.iter().all(|scope| is_scope_token(scope)) {
            return Err(Error::InvalidClient(
                "a scope must be of printable ASCII characters without space, quote and backslash",
            ));
        }
        let names = |audience: &String| {
            !audience.is_empty()
                && !audience.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if !self.audiences.iter().all(names) {
            return Err(Error::InvalidClient("an audience must be a name without white space"));
        }
        let all = self.scopes.iter().chain(&self.audiences);
        if all.map(|name| name.len() + 3).sum::<usize>() > MAX_NAMES_BYTES {
            return Err(Error::InvalidClient(
                "scopes and audiences must have at most 2 KiB together, since they stand in every \
                 token",
            ));
        }
        Ok(())
    }
}

/// Of the characters that no encoding changes (RFC 3986 section 2.3), since it stands in forms.
fn is_client_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

/// The machine clients.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) store: Arc<dyn ClientStore>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Clients {
    /// Adds a client. Returns its secret, unless it has keys.
    pub(crate) async fn add(&self, client: NewClient) -> Result<Option<String>, Error> {
        client.check()?;
        let (credential, secret) = match client.keys {
            Some(jwks) => (Credential::Keys(checked_keys(&jwks)?), None),
            None => new_secret().map(|(credential, secret)| (credential, Some(secret)))?,
        };
        let added = RegisteredClient {
            id: client.id,
            credential,
            scopes: client.scopes,
            audiences: client.audiences,
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

    /// Replaces the client's credential by a new secret, and returns it.
    pub(crate) async fn rotate_secret(&self, id: &str) -> Result<String, Error> {
        let (credential, secret) = new_secret()?;
        self.set_credential(id, &credential).await.map(|()| secret)
    }

    /// Replaces the client's credential by these keys.
    pub(crate) async fn set_keys(&self, id: &str, jwks: &str) -> Result<(), Error> {
        self.set_credential(id, &Credential::Keys(checked_keys(jwks)?)).await
    }

    /// Stops issuing tokens to a client.
    pub(crate) async fn disable(&self, id: &str) -> Result<(), Error> {
        let event = self.about(EventKind::ClientDisabled, id);
        found(id, self.store.set_disabled(true, &event).await?)
    }

    /// Issues tokens to a disabled client again.
    pub(crate) async fn enable(&self, id: &str) -> Result<(), Error> {
        let event = self.about(EventKind::ClientEnabled, id);
        found(id, self.store.set_disabled(false, &event).await?)
    }

    /// Deletes a client.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), Error> {
        let event = self.about(EventKind::ClientRemoved, id);
        found(id, self.store.remove_client(&event).await?)
    }

    async fn set_credential(&self, id: &str, credential: &Credential) -> Result<(), Error> {
        let event = self.about(EventKind::ClientCredentialChanged, id);
        found(id, self.store.set_credential(credential, &event).await?)
    }

    /// Creates an event about a client, caused by an operator.
    fn about(&self, kind: EventKind, id: &str) -> NewEvent {
        self.audit.event(kind, &Peer::default()).client(id)
    }

    fn now(&self) -> i64 {
        now_secs(&*self.clock)
    }
}

fn found(id: &str, found: bool) -> Result<(), Error> {
    if found { Ok(()) } else { Err(Error::NoSuchClient { id: id.to_owned() }) }
}

/// 256 random bits, and what is kept of them. A slow hash, such as a password needs, would protect
/// nothing here: there is nothing to guess. It would only make a flood of requests cost more.
fn new_secret() -> Result<(Credential, String), Error> {
    let secret = random::secret()?;
    Ok((Credential::Secret(hash_of(&secret)), secret.to_string()))
}

/// A key set of which every key can be used: whoever registers keys is there to be told.
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
        return wrong("there are none".to_owned());
    }
    Ok(jwks.to_owned())
}
