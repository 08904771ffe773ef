//! Machine clients as they are kept.

use std::fmt;

use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;

/// Machine clients.
pub(crate) trait ClientStore: fmt::Debug + Send + Sync {
    /// Adds a machine client, and records `event`; `false` if there is one of that id.
    fn add_client<'a>(
        &'a self,
        client: &'a RegisteredClient,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// The machine client of that id, enabled or not.
    fn client<'a>(&'a self, id: &'a str) -> Answer<'a, Option<RegisteredClient>>;
    /// All machine clients, by id.
    fn clients(&self) -> Answer<'_, Vec<RegisteredClient>>;
    /// Replaces what the client of `event` proves itself with; `false` if there is no such client.
    fn set_credential<'a>(
        &'a self,
        credential: &'a Credential,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Disables the client of `event` from that time on, or enables it; `false` if there is no
    /// such client.
    fn set_disabled<'a>(&'a self, disabled: bool, event: &'a NewEvent) -> Answer<'a, bool>;
    /// Forgets the client of `event`; `false` if there is no such client.
    fn remove_client<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool>;
}

/// A machine client: a service that gets tokens in its own name (RFC 6749 section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredClient {
    /// Its `client_id`, which is also the `sub` of its tokens.
    pub id: String,
    pub(crate) credential: Credential,
    /// What its tokens may be used for.
    pub scopes: Vec<String>,
    /// The APIs that it may ask tokens for; none means those of `IDENTSPHERE_AUDIENCES`.
    pub audiences: Vec<String>,
    /// When it was added, in seconds since 1970.
    pub created_at: i64,
    /// When it was disabled, in seconds since 1970, if it is.
    pub disabled_at: Option<i64>,
}

impl RegisteredClient {
    /// How it proves who it is, as the registry of `token_endpoint_auth_method` has it:
    /// `client_secret_basic` (or `client_secret_post`), or `private_key_jwt`.
    #[must_use]
    pub fn auth_method(&self) -> &'static str {
        match self.credential {
            Credential::Secret(_) => "client_secret_basic",
            Credential::Keys(_) => "private_key_jwt",
        }
    }
}

/// What a machine client proves itself with. It has one: the weaker of two would be its strength.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The hash of its secret.
    Secret(TokenHash),
    /// Its public keys: a JWK Set.
    Keys(String),
}

/// A hash of 256 random bits tells nothing, and has no business in a log all the same.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(redacted)",
            Self::Keys(_) => "Keys(..)",
        })
    }
}
