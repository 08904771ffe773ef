//! The operator's methods for machine clients.

use std::time::Duration;

use super::Issuer;
use crate::domain::clients::{ClientUpdate, NewClient, RegisteredClient};
use crate::error::Error;

impl Issuer {
    /// Adds a machine client. Returns its secret, of which only a hash is stored, or `None` if it
    /// has keys.
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

    /// Replaces a client's secret, or its keys, with a new secret. The old credential is rejected
    /// from now on; issued tokens stay valid.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn rotate_client_secret(&self, id: &str) -> Result<String, Error> {
        self.domain().clients.rotate_secret(id, Duration::ZERO).await
    }

    /// Replaces a client's secret, or its keys, with a new secret. The old secret stays valid for
    /// `overlap`, at most 30 days, so that every instance of the client can be given the new one.
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

    /// Replaces scopes, audiences, resource servers, rights or the back-channel logout URI of a
    /// client. Issued tokens keep their
    /// scopes and audiences until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClient`] if a name or the URI does not fit, [`Error::NoSuchClient`] if there is none of
    /// that id.
    pub async fn update_client(&self, id: &str, update: ClientUpdate) -> Result<(), Error> {
        self.domain().clients.update(id, update).await
    }

    /// Replaces a client's keys, or its secret, with these keys, a JWK Set.
    ///
    /// To change keys without a pause, first set both keys, and then the new key alone.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClientKeys`], or [`Error::NoSuchClient`] if there is none of that id.
    pub async fn set_client_keys(&self, id: &str, jwks: &str) -> Result<(), Error> {
        self.domain().clients.set_keys(id, jwks).await
    }

    /// Stops issuing tokens to a client. Its issued tokens are revoked in the status list and
    /// inactive; APIs that validate by expiry alone accept them until they expire.
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

    /// Removes a client. Its tokens are revoked like a disabled client's, and stay revoked if a
    /// client with the same id is added later.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn remove_client(&self, id: &str) -> Result<(), Error> {
        self.domain().clients.remove(id).await
    }
}
