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
    /// Returns the machine client with this id, enabled or not.
    fn client<'a>(&'a self, id: &'a str) -> Answer<'a, Option<RegisteredClient>>;
    /// Returns all machine clients, ordered by id.
    fn clients(&self) -> Answer<'_, Vec<RegisteredClient>>;
    /// Replaces those attributes of the client of `event` that the change sets. Returns `false` if
    /// there is no such client, or if its `place_owner` has changed.
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
    /// Disables the client of `event` from the event's time on, and revokes its place in the status
    /// list. Returns `false` if there is no such client.
    fn disable_client<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool>;
    /// Enables the client of `event`. If it was disabled, sets its `place_owner`. Returns `false`
    /// if there is no such client.
    fn enable_client<'a>(&'a self, place_owner: &'a str, event: &'a NewEvent) -> Answer<'a, bool>;
    /// Deletes the client of `event`; `false` if there is no such client.
    fn remove_client<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, bool>;
}

/// A machine client: a service that gets tokens in its own name (RFC 6749 section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredClient {
    /// The `client_id`, which is also the `sub` of the client's tokens.
    pub id: String,
    /// The owner of the client's place in a status list. It changes if the client is disabled and
    /// enabled again, or removed and added again: revoked tokens must stay revoked.
    pub(crate) place_owner: String,
    pub(crate) credential: Credential,
    pub(crate) old_secret: Option<OldSecret>,
    /// The scopes of the client's tokens.
    pub scopes: Vec<String>,
    /// The APIs for which the client may request tokens. An empty list means the APIs of
    /// `IDENTSPHERE_AUDIENCES`.
    pub audiences: Vec<String>,
    /// The client's own identifiers as an API (resource server). The client may introspect tokens
    /// with such an audience.
    pub resource_servers: Vec<String>,
    /// The client's rights beyond tokens in its own name.
    pub rights: Vec<ClientRight>,
    /// The URI at which the client receives logout tokens, if any.
    pub backchannel_logout_uri: Option<String>,
    /// When the client was added, in seconds since 1970.
    pub created_at: i64,
    /// When the client was disabled, in seconds since 1970; `None` if the client is enabled.
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

/// The credential of a machine client. A client has only one kind: of two, an attacker would choose
/// the weaker.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The hash of the client's secret.
    Secret(TokenHash),
    /// The client's public keys: a JWK Set.
    Keys(String),
}

/// Omits the hash and the keys, which a log does not need.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(redacted)",
            Self::Keys(_) => "Keys(..)",
        })
    }
}
