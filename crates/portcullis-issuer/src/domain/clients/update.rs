//! An operator's changes to a machine client.

use std::time::Duration;

use super::client_update::{ClientUpdate, LogoutUri};
use super::new_client::Attributes;
use super::store::{Credential, RegisteredClient};
use super::{Clients, checked_keys, found, new_secret};
use crate::clock::secs;
use crate::domain::audit::EventKind;
use crate::error::Error;

/// The maximum time for which the old secret stays valid beside the new one.
const MAX_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Clients {
    /// Changes a client's attributes.
    pub(crate) async fn update(&self, id: &str, update: ClientUpdate) -> Result<(), Error> {
        let client = self.of(id).await?.ok_or_else(|| Error::NoSuchClient { id: id.to_owned() })?;
        attributes_after(&update, &client)
            .check(&self.tokens.settings().issuer, &self.logout_uris)?;
        let event = self.about(EventKind::ClientUpdated, id);
        // Writes only the attributes that the update sets: a concurrent update, such as the removal
        // of a right, must not be undone.
        found(id, self.store.update_client(&client.place_owner, &update, &event).await?)
    }

    /// Replaces the client's credential with a new secret, and returns the secret. The old secret
    /// stays valid for `overlap`.
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

    /// Replaces the client's credential with these keys.
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

fn attributes_after(update: &ClientUpdate, client: &RegisteredClient) -> Attributes {
    let or = |new: &Option<Vec<String>>, old: &Vec<String>| new.as_ref().unwrap_or(old).clone();
    Attributes {
        scopes: or(&update.scopes, &client.scopes),
        audiences: or(&update.audiences, &client.audiences),
        resource_servers: or(&update.resource_servers, &client.resource_servers),
        rights: update.rights.as_ref().unwrap_or(&client.rights).clone(),
        // Only a new URI is checked: a setting may have changed since the stored one was accepted.
        backchannel_logout_uri: match &update.backchannel_logout_uri {
            Some(LogoutUri::Set(uri)) => Some(uri.clone()),
            Some(LogoutUri::Removed) | None => None,
        },
    }
}
