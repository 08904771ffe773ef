//! A machine client to be added, and the checks of its attributes.

use super::logout_uri::LogoutUris;
use super::rights::ClientRight;
use crate::domain::scope::is_scope_token;
use crate::domain::tokens::FIRST_PARTY;
use crate::error::Error;

/// The maximum length of all scopes and audiences together, in bytes. Every token contains all of
/// them, and is sent in a header.
const MAX_NAMES_BYTES: usize = 2048;

/// A machine client to be added. It is a service that gets tokens in its own name, or an API that
/// introspects tokens. A service uses the client credentials grant (RFC 6749 section 4.4) at
/// `POST /oauth/token`.
///
/// An id has 1 to 128 letters, digits, `.`, `_`, `~` and `-`, and is the `sub` of the client's
/// tokens. It must not look like a user's id, which has 32 hexadecimal digits.
///
/// ```
/// use portcullis_issuer::NewClient;
///
/// let client = NewClient::new("billing").scopes(["orders:read"]).audiences(["https://api.example"]);
/// let api = NewClient::new("api").resource_servers(["https://api.example"]);
/// # let _ = (client, api);
/// ```
#[derive(Debug, Clone)]
pub struct NewClient {
    pub(super) id: String,
    pub(super) keys: Option<String>,
    pub(super) attributes: Attributes,
}

/// The attributes of a client that an operator may change.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes {
    pub(super) scopes: Vec<String>,
    pub(super) audiences: Vec<String>,
    pub(super) resource_servers: Vec<String>,
    pub(super) rights: Vec<ClientRight>,
    pub(super) backchannel_logout_uri: Option<String>,
}

impl NewClient {
    /// Creates a client with a secret and without scopes, for the APIs of `IDENTSPHERE_AUDIENCES`.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), keys: None, attributes: Attributes::default() }
    }

    /// Sets the scopes that the client's tokens may have.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.attributes.scopes = texts(scopes);
        self
    }

    /// Sets the APIs for which the client may request tokens (RFC 8707), instead of those of
    /// `IDENTSPHERE_AUDIENCES`.
    #[must_use]
    pub fn audiences(mut self, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.attributes.audiences = texts(audiences);
        self
    }

    /// Sets the client's own identifiers as an API (resource server). The client may introspect
    /// every token whose `aud` contains one of these identifiers.
    #[must_use]
    pub fn resource_servers(
        mut self,
        identifiers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.attributes.resource_servers = texts(identifiers);
        self
    }

    /// Sets the client's rights beyond tokens in its own name.
    #[must_use]
    pub fn rights(mut self, rights: impl IntoIterator<Item = ClientRight>) -> Self {
        self.attributes.rights = rights.into_iter().collect();
        self
    }

    /// Sets the URI at which the client receives a logout token whenever a session ends (OpenID
    /// Connect Back-Channel Logout 1.0). It must be an https URL without a fragment; http is accepted
    /// on loopback hosts, and on the host of
    /// [`dangerous_http_host`](crate::IssuerConfig::dangerous_http_host).
    #[must_use]
    pub fn backchannel_logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.attributes.backchannel_logout_uri = Some(uri.into());
        self
    }

    /// Sets the client's public keys, a JWK Set, instead of a secret. The client then authenticates
    /// with assertions that it signs (`private_key_jwt`, RFC 7523). The issuer stores no secret of
    /// the client.
    #[must_use]
    pub fn keys(mut self, jwks: impl Into<String>) -> Self {
        self.keys = Some(jwks.into());
        self
    }

    pub(super) fn check(&self, issuer: &str, logout_uris: &LogoutUris) -> Result<(), Error> {
        let id = &self.id;
        if !is_client_id(id) {
            return Err(Error::InvalidClient(
                "a client's id must have 1 to 128 letters, digits, dots, underscores, tildes and \
                 hyphens",
            ));
        }
        // RFC 9068 section 5: the `sub` of a client must not collide with the `sub` of a user.
        if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::InvalidClient(
                "a client's id must not look like a user's id, which has 32 hexadecimal digits",
            ));
        }
        if self.id == FIRST_PARTY {
            return Err(Error::InvalidClient(
                "the id identsphere-first-party is reserved for the issuer's own logins",
            ));
        }
        self.attributes.check(issuer, logout_uris)
    }
}

impl Attributes {
    pub(super) fn check(&self, issuer: &str, logout_uris: &LogoutUris) -> Result<(), Error> {
        if !self.scopes.iter().all(|scope| is_scope_token(scope)) {
            return Err(Error::InvalidClient(
                "a scope must be of printable ASCII characters without space, quote and backslash",
            ));
        }
        let is_name = |audience: &String| {
            !audience.is_empty()
                && !audience.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if !self.audiences.iter().chain(&self.resource_servers).all(is_name) {
            return Err(Error::InvalidClient(
                "an audience or a resource server must be a name without white space",
            ));
        }
        // The tokens of every user may have the issuer in `aud`. With that resource server, the
        // client would in effect have the right `introspect-all`.
        if self.resource_servers.iter().any(|identifier| identifier == issuer) {
            return Err(Error::InvalidClient(
                "the issuer itself cannot be a client's resource server; to let a client \
                 introspect all tokens, give it the `introspect-all` right",
            ));
        }
        let in_tokens = self.scopes.iter().chain(&self.audiences);
        let too_long = |names: usize| names > MAX_NAMES_BYTES;
        if too_long(in_tokens.map(|name| name.len() + 3).sum())
            || too_long(self.resource_servers.iter().map(|name| name.len() + 3).sum())
        {
            return Err(Error::InvalidClient(
                "scopes and audiences must have at most 2 KiB together, since every token contains \
                 them, and resource servers at most 2 KiB",
            ));
        }
        self.backchannel_logout_uri.as_deref().map_or(Ok(()), |uri| logout_uris.check(uri))
    }
}

/// Returns whether a text can be a client's id. An id is sent in forms, so it has only characters
/// that no encoding changes (RFC 3986 section 2.3).
pub(super) fn is_client_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

pub(super) fn texts(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}
