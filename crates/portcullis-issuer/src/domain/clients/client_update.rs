//! Changes to a machine client's attributes.

use super::new_client::texts;
use super::rights::ClientRight;

/// Changes to a machine client. Attributes that are not set here stay unchanged. Issued tokens keep
/// their scopes and audiences until they expire.
///
/// ```
/// use portcullis_issuer::ClientUpdate;
///
/// let update = ClientUpdate::new().scopes(["orders:read", "orders:write"]);
/// # let _ = update;
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClientUpdate {
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) audiences: Option<Vec<String>>,
    pub(crate) resource_servers: Option<Vec<String>>,
    pub(crate) rights: Option<Vec<ClientRight>>,
    pub(crate) backchannel_logout_uri: Option<LogoutUri>,
}

/// A change of the URI at which a client receives logout tokens.
#[derive(Debug, Clone)]
pub(crate) enum LogoutUri {
    Set(String),
    Removed,
}

impl ClientUpdate {
    /// Creates an update without changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the scopes of the client's tokens.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = Some(texts(scopes));
        self
    }

    /// Replaces the APIs for which the client may request tokens. An empty list means the APIs of
    /// `IDENTSPHERE_AUDIENCES`.
    #[must_use]
    pub fn audiences(mut self, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.audiences = Some(texts(audiences));
        self
    }

    /// Replaces the client's own identifiers as an API (resource server).
    #[must_use]
    pub fn resource_servers(
        mut self,
        identifiers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.resource_servers = Some(texts(identifiers));
        self
    }

    /// Replaces the client's rights.
    #[must_use]
    pub fn rights(mut self, rights: impl IntoIterator<Item = ClientRight>) -> Self {
        self.rights = Some(rights.into_iter().collect());
        self
    }

    /// Replaces the URI at which the client receives logout tokens. Tokens that were not delivered
    /// yet are sent to the new URI.
    #[must_use]
    pub fn backchannel_logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.backchannel_logout_uri = Some(LogoutUri::Set(uri.into()));
        self
    }

    /// Removes the URI at which the client receives logout tokens. Tokens that were not delivered
    /// yet are not sent.
    #[must_use]
    pub fn no_backchannel_logout_uri(mut self) -> Self {
        self.backchannel_logout_uri = Some(LogoutUri::Removed);
        self
    }
}
