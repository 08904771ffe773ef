//! What an operator changes about a machine client.

use std::time::Duration;

use super::new_client::{Attributes, texts};
use super::rights::ClientRight;
use super::store::{Credential, RegisteredClient};
use super::{Clients, checked_keys, found, new_secret};
use crate::clock::secs;
use crate::domain::audit::EventKind;
use crate::error::Error;

/// How long an old secret may be kept beside the new one.
const MAX_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

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

    /// The client's attributes after the change.
    fn of(&self, client: &RegisteredClient) -> Attributes {
        let or = |new: &Option<Vec<String>>, old: &Vec<String>| new.as_ref().unwrap_or(old).clone();
        Attributes {
            scopes: or(&self.scopes, &client.scopes),
            audiences: or(&self.audiences, &client.audiences),
            resource_servers: or(&self.resource_servers, &client.resource_servers),
            rights: self.rights.as_ref().unwrap_or(&client.rights).clone(),
        }
    }
}

impl Clients {
    /// Changes a client's attributes.
    pub(crate) async fn update(&self, id: &str, update: ClientUpdate) -> Result<(), Error> {
        let client = self.of(id).await?.ok_or_else(|| Error::NoSuchClient { id: id.to_owned() })?;
        update.of(&client).check(&self.tokens.settings().issuer)?;
        let event = self.about(EventKind::ClientUpdated, id);
        // Only what the change names: another change, such as one that takes a right, may be under way.
        found(id, self.store.update_client(&client.place_owner, &update, &event).await?)
    }

    /// Replaces the client's credential by a new secret, and returns it. The old secret stays valid
    /// for `overlap`.
    pub(crate) async fn rotate_secret(&self, id: &str, overlap: Duration) -> Result<String, Error> {
        if overlap > MAX_OVERLAP {
            return Err(Error::InvalidClient("an old secret stays valid for at most 30 days"));
        }
        let old_until = match overlap.is_zero() {
            true => None,
            false => Some(self.now().saturating_add(secs(overlap))),
        };
        let (credential, secret) = new_secret()?;
        self.set_credential(id, &credential, old_until).await.map(|()| secret)
    }

    /// Replaces the client's credential by these keys.
    pub(crate) async fn set_keys(&self, id: &str, jwks: &str) -> Result<(), Error> {
        self.set_credential(id, &Credential::Keys(checked_keys(jwks)?), None).await
    }

    async fn set_credential(
        &self,
        id: &str,
        credential: &Credential,
        old_until: Option<i64>,
    ) -> Result<(), Error> {
        let event = self.about(EventKind::ClientCredentialChanged, id);
        found(id, self.store.set_credential(credential, old_until, &event).await?)
    }
}
