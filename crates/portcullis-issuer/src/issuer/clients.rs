//! What an operator does with machine clients.

use super::Issuer;
use crate::domain::clients::{NewClient, RegisteredClient};
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

    /// Gives a client a new secret in the place of the old one, or of its keys, which count no more
    /// from now on. Tokens that it has stay good.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn rotate_client_secret(&self, id: &str) -> Result<String, Error> {
        self.domain().clients.rotate_secret(id).await
    }

    /// Gives a client these keys, a JWK Set, in the place of the old ones, or of its secret.
    ///
    /// To change keys without a pause, first set both, and then the new one alone.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidClientKeys`], or [`Error::NoSuchClient`] if there is none of that id.
    pub async fn set_client_keys(&self, id: &str, jwks: &str) -> Result<(), Error> {
        self.domain().clients.set_keys(id, jwks).await
    }

    /// Lets a client have no more tokens. Those that it has are inactive to whoever introspects
    /// them, and accepted by APIs that validate locally until they expire.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn disable_client(&self, id: &str) -> Result<(), Error> {
        self.domain().clients.disable(id).await
    }

    /// Lets it have tokens again.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn enable_client(&self, id: &str) -> Result<(), Error> {
        self.domain().clients.enable(id).await
    }

    /// Forgets a client, whose tokens then fare as those of a disabled one.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchClient`] if there is none of that id.
    pub async fn remove_client(&self, id: &str) -> Result<(), Error> {
        self.domain().clients.remove(id).await
    }
}
