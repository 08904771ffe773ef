//! Changes to a machine client's attributes.

use super::new_client::texts;
use super::rights::ClientRight;

/// Changes to a machine client. What is not named stays as it is. Tokens that the client has keep
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
    /// No change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the scopes of its tokens.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = Some(texts(scopes));
        self
    }

    /// Replaces the APIs that it may request tokens for; none means `IDENTSPHERE_AUDIENCES`.
    #[must_use]
    pub fn audiences(mut self, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.audiences = Some(texts(audiences));
        self
    }

    /// Replaces the identifiers of the APIs that it is.
    #[must_use]
    pub fn resource_servers(
        mut self,
        identifiers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.resource_servers = Some(texts(identifiers));
        self
    }

    /// Replaces its rights.
    #[must_use]
    pub fn rights(mut self, rights: impl IntoIterator<Item = ClientRight>) -> Self {
        self.rights = Some(rights.into_iter().collect());
        self
    }
}
