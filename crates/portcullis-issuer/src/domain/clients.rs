//! Machine clients: services that get tokens in their own name, and what an operator does with
//! them.

pub(crate) mod assertion;
pub(crate) mod authentication;
pub(crate) mod grants;
mod store;

use portcullis::KeySet;

pub use self::store::RegisteredClient;
pub(crate) use self::store::{ClientStore, Credential};

use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::hash::hash_of;
use crate::domain::scope::is_scope_token;
use crate::domain::tokens::access_token::FIRST_PARTY;
use crate::error::Error;
use crate::issuer::Issuer;
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
pub(crate) fn is_client_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

impl Issuer {
    /// Adds a machine client, and returns its secret, which is kept nowhere, unless it has keys.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClient`] or [`Error::InvalidClientKeys`] if something about it does not fit,
    /// [`Error::ClientExists`] if the id is taken.
    pub async fn add_client(&self, client: NewClient) -> Result<Option<String>, Error> {
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
        if self.store().add_client(&added, &event).await? {
            Ok(secret)
        } else {
            Err(Error::ClientExists { id: added.id })
        }
    }

    /// All machine clients, by id.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn clients(&self) -> Result<Vec<RegisteredClient>, Error> {
        Ok(self.store().clients().await?)
    }

    /// Gives a client a new secret in the place of the old one, or of its keys, which count no more
    /// from now on. Tokens that it has stay good.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn rotate_client_secret(&self, id: &str) -> Result<String, Error> {
        let (credential, secret) = new_secret()?;
        self.set_credential(id, &credential).await.map(|()| secret)
    }

    /// Gives a client these keys, a JWK Set, in the place of the old ones, or of its secret.
    ///
    /// To change keys without a pause, first set both, and then the new one alone.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClientKeys`], or [`Error::NoSuchClient`] if there is none of that id.
    pub async fn set_client_keys(&self, id: &str, jwks: &str) -> Result<(), Error> {
        self.set_credential(id, &Credential::Keys(checked_keys(jwks)?)).await
    }

    /// Lets a client have no more tokens. Those that it has are inactive to whoever introspects
    /// them, and accepted by APIs that validate locally until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn disable_client(&self, id: &str) -> Result<(), Error> {
        let event = self.about(EventKind::ClientDisabled, id);
        found(id, self.store().set_disabled(true, &event).await?)
    }

    /// Lets it have tokens again.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn enable_client(&self, id: &str) -> Result<(), Error> {
        let event = self.about(EventKind::ClientEnabled, id);
        found(id, self.store().set_disabled(false, &event).await?)
    }

    /// Forgets a client, whose tokens then fare as those of a disabled one.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn remove_client(&self, id: &str) -> Result<(), Error> {
        let event = self.about(EventKind::ClientRemoved, id);
        found(id, self.store().remove_client(&event).await?)
    }

    async fn set_credential(&self, id: &str, credential: &Credential) -> Result<(), Error> {
        let event = self.about(EventKind::ClientCredentialChanged, id);
        found(id, self.store().set_credential(credential, &event).await?)
    }

    fn about(&self, kind: EventKind, id: &str) -> NewEvent {
        NewEvent::new(kind, self.now()).client(id)
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
