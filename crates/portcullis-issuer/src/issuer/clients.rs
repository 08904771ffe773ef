//! The operator's methods for machine clients.

use std::time::Duration;

use super::Issuer;
use crate::domain::clients::{ClientUpdate, NewClient, RegisteredClient};
use crate::error::Error;

impl Issuer {
    /// Adds a machine client, and returns its secret, which is kept nowhere, unless it has keys.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClient`] or [`Error::InvalidClientKeys`] if something about it does not fit,
    /// [`Error::ClientExists`] if the id is taken.
    pub async fn add_client(&self, client: NewClient) -> Result<Option<String>, Error> {
        self.domain().clients.add(client).await
    }

    /// All machine clients, by id.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn clients(&self) -> Result<Vec<RegisteredClient>, Error> {
        self.domain().clients.all().await
    }

    /// Replaces a client's secret, or its keys, by a new secret. The old ones are rejected from now
    /// on; tokens that the client has stay valid.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn rotate_client_secret(&self, id: &str) -> Result<String, Error> {
        self.domain().clients.rotate_secret(id, Duration::ZERO).await
    }

    /// The same, and the old secret stays valid for `overlap`, 30 days at most, so that every
    /// instance of the client can be given the new one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClient`] if `overlap` is too long, [`Error::NoSuchClient`] if there is none
    /// of that id.
    pub async fn rotate_client_secret_with_overlap(
        &self,
        id: &str,
        overlap: Duration,
    ) -> Result<String, Error> {
        self.domain().clients.rotate_secret(id, overlap).await
    }

    /// Replaces scopes, audiences, resource servers or rights of a client. Tokens that it has keep
    /// theirs until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClient`] if a name does not fit, [`Error::NoSuchClient`] if there is none of
    /// that id.
    pub async fn update_client(&self, id: &str, update: ClientUpdate) -> Result<(), Error> {
        self.domain().clients.update(id, update).await
    }

    /// Replaces a client's keys, or its secret, by these keys, a JWK Set.
    ///
    /// To change keys without a pause, first set both, and then the new one alone.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClientKeys`], or [`Error::NoSuchClient`] if there is none of that id.
    pub async fn set_client_keys(&self, id: &str, jwks: &str) -> Result<(), Error> {
        self.domain().clients.set_keys(id, jwks).await
    }

    /// Stops issuing tokens to a client. Those that it has are revoked in the status list and
    /// inactive; APIs that validate by expiry alone accept them until then.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn disable_client(&self, id: &str) -> Result<(), Error> {
        self.domain().clients.disable(id).await
    }

    /// Issues tokens to a disabled client again. Its tokens of before stay revoked, and so do those of
    /// a removed client with the same id.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn enable_client(&self, id: &str) -> Result<(), Error> {
        self.domain().clients.enable(id).await
    }

    /// Removes a client. Its tokens are revoked like those of a disabled one, also if a client with
    /// the same id is added later.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn remove_client(&self, id: &str) -> Result<(), Error> {
        self.domain().clients.remove(id).await
    }
}
