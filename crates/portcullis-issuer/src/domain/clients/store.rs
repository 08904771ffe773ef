//! Machine clients as they are stored.

use std::fmt;

use super::client_update::ClientUpdate;
use super::rights::ClientRight;
use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;

/// Machine clients.
pub(crate) trait ClientStore: fmt::Debug + Send + Sync {
    /// Adds a machine client, and records `event`; `false` if the id is taken.
    fn add_client<'a>(
        &'a self,
        client: &'a RegisteredClient,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// The machine client of that id, enabled or not.
    fn client<'a>(&'a self, id: &'a str) -> Answer<'a, Option<RegisteredClient>>;
    /// All machine clients, by id.
    fn clients(&self) -> Answer<'_, Vec<RegisteredClient>>;
    /// Replaces what the change names of the client of `event`; `false` if there is no such
    /// incarnation of the client.
    fn update_client<'a>(
        &'a self,
        place_owner: &'a str,
        change: &'a ClientUpdate,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Replaces the credential of the client of `event`; `false` if there is no such client. The
    /// former secret, if any, stays valid until `old_until`.
    fn set_credential<'a>(
        &'a self,
        credential: &'a Credential,
        old_until: Option<i64>,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Disables the client of `event` from that time on, and revokes its place; `false` if there is
    /// no such client.
    fn disable_client<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool>;
    /// Enables the client of `event`, with another owner of its place if it was disabled; `false` if
    /// there is no such client.
    fn enable_client<'a>(&'a self, place_owner: &'a str, event: &'a NewEvent) -> Answer<'a, bool>;
    /// Deletes the client of `event`; `false` if there is no such client.
    fn remove_client<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool>;
}

/// A machine client: a service that gets tokens in its own name (RFC 6749 section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredClient {
    /// Its `client_id`, which is also the `sub` of its tokens.
    pub id: String,
    /// The owner of its place in a status list. It belongs to one incarnation of the client: one
    /// with the same id that is added later has another, and so has a client that was disabled and
    /// is enabled again.
    pub(crate) place_owner: String,
    pub(crate) credential: Credential,
    pub(crate) old_secret: Option<OldSecret>,
    /// The scopes of its tokens.
    pub scopes: Vec<String>,
    /// The APIs that it may request tokens for; none means those of `IDENTSPHERE_AUDIENCES`.
    pub audiences: Vec<String>,
    /// The identifiers of the APIs that it is, whose tokens it may introspect.
    pub resource_servers: Vec<String>,
    /// Its rights beyond tokens in its own name.
    pub rights: Vec<ClientRight>,
    /// The URI at which it receives logout tokens, if any.
    pub backchannel_logout_uri: Option<String>,
    /// When it was added, in seconds since 1970.
    pub created_at: i64,
    /// When it was disabled, in seconds since 1970; `None` if it is enabled.
    pub disabled_at: Option<i64>,
}

impl RegisteredClient {
    /// Returns the client's authentication method, as in the registry of
    /// `token_endpoint_auth_method`: `client_secret_basic` (which includes `client_secret_post`) or
    /// `private_key_jwt`.
    #[must_use]
    pub fn auth_method(&self) -> &'static str {
        match self.credential {
            Credential::Secret(_) => "client_secret_basic",
            Credential::Keys(_) => "private_key_jwt",
        }
    }
}

impl RegisteredClient {
    pub(crate) fn has(&self, right: ClientRight) -> bool {
        self.rights.contains(&right)
    }

    /// Returns when the former secret expires, in seconds since 1970, if there is one.
    #[must_use]
    pub fn old_secret_until(&self) -> Option<i64> {
        self.old_secret.map(|old| old.valid_until)
    }
}

/// A replaced secret that is still valid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct OldSecret {
    pub(crate) hash: TokenHash,
    pub(crate) valid_until: i64,
}

impl fmt::Debug for OldSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OldSecret(redacted, valid_until: {})", self.valid_until)
    }
}

/// The credential of a machine client. It has one kind: an attacker would use the weaker of two.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The hash of its secret.
    Secret(TokenHash),
    /// Its public keys: a JWK Set.
    Keys(String),
}

/// Omits the hash and the keys: a log has no use for them.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(redacted)",
            Self::Keys(_) => "Keys(..)",
        })
    }
}
