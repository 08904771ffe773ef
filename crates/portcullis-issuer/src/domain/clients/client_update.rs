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
}
