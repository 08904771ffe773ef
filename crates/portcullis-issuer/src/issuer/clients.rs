//! The operator's methods for machine clients.

use std::time::Duration;

use super::Issuer;
use crate::domain::clients::{ClientUpdate, NewClient, RegisteredClient};
use crate::error::Error;

impl Issuer {
    /// Adds a machine client. Returns the client's secret, or `None` if the client has keys. The
    /// issuer stores only a hash of the secret.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClient`] or [`Error::InvalidClientKeys`] if an attribute or the keys are
    /// invalid, [`Error::ClientExists`] if the id is taken.
    pub async fn add_client(&self, client: NewClient) -> Result<Option<String>, Error> {
        self.domain().clients.add(client).await
    }

    /// Returns all machine clients, ordered by id.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn clients(&self) -> Result<Vec<RegisteredClient>, Error> {
        self.domain().clients.all().await
    }

    /// Replaces a client's secret or its keys with a new secret. The old credential is rejected
    /// from now on; issued tokens stay valid.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is no client with this id.
    pub async fn rotate_client_secret(&self, id: &str) -> Result<String, Error> {
        self.domain().clients.rotate_secret(id, Duration::ZERO).await
    }

    /// Replaces a client's secret or its keys with a new secret. The old secret stays valid for
    /// `overlap`, at most 30 days, so that every instance of the client can be given the new
    /// secret.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClient`] if `overlap` is too long, [`Error::NoSuchClient`] if there is no
    /// client with this id.
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
    /// [`Error::InvalidClient`] if an attribute is invalid, [`Error::NoSuchClient`] if there is no
    /// client with this id.
    pub async fn update_client(&self, id: &str, update: ClientUpdate) -> Result<(), Error> {
        self.domain().clients.update(id, update).await
    }

    /// Replaces a client's keys or its secret with the keys of a JWK Set.
    ///
    /// To change keys without a pause, first set both keys, and then the new key alone.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClientKeys`], or [`Error::NoSuchClient`] if there is no client with this id.
    pub async fn set_client_keys(&self, id: &str, jwks: &str) -> Result<(), Error> {
        self.domain().clients.set_keys(id, jwks).await
    }

    /// Stops issuing tokens to a client. Its issued tokens are revoked in the status list, and
    /// inactive in introspection. APIs that validate by expiry alone accept them until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is no client with this id.
    pub async fn disable_client(&self, id: &str) -> Result<(), Error> {
        self.domain().clients.disable(id).await
    }

    /// Issues tokens to a disabled client again. Tokens from before it was disabled stay revoked,
    /// and so do tokens of a removed client with the same id.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is no client with this id.
    pub async fn enable_client(&self, id: &str) -> Result<(), Error> {
        self.domain().clients.enable(id).await
    }

    /// Removes a client. Its tokens are revoked like a disabled client's, and stay revoked if a
    /// client with the same id is added later.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is no client with this id.
    pub async fn remove_client(&self, id: &str) -> Result<(), Error> {
        self.domain().clients.remove(id).await
    }
}
