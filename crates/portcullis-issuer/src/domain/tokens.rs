//! Access tokens, and the status lists that say which of them were revoked.

mod access_token;
mod jwt;
mod logout_token;
mod settings;
mod status_lists;
mod store;
mod waits;

use std::sync::Arc;

pub(crate) use self::access_token::{FIRST_PARTY, Subject, TWO_FACTORS};
pub(crate) use self::logout_token::EndedSession;
pub(crate) use self::settings::{Audience, TokenSettings};
pub(crate) use self::status_lists::StatusLists;
pub(crate) use self::store::{
    PLACES, Place, Revoked, TokenStore, Until, client_owner, is_client, name_of,
};
pub(crate) use self::waits::Verifier;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::error::Error;

/// Issues access tokens, and remembers which tokens must not be used again.
#[derive(Debug)]
pub(crate) struct Tokens {
    settings: TokenSettings,
    store: Arc<dyn TokenStore>,
}

impl Tokens {
    pub(crate) fn new(settings: TokenSettings, store: Arc<dyn TokenStore>) -> Self {
        Self { settings, store }
    }

    pub(crate) fn settings(&self) -> &TokenSettings {
        &self.settings
    }

    /// Returns the owner's place in a status list for a token issued now.
    pub(crate) async fn take_place(&self, owner: &str, now: i64) -> Result<Place, Error> {
        Ok(self.store.take_place(owner, self.settings.until(now)).await?)
    }

    /// Revokes every place, including places that were taken after the restored backup was made.
    pub(crate) async fn start_new_lists(&self, event: &NewEvent) -> Result<(), Error> {
        Ok(self.store.start_new_lists(event).await?)
    }

    /// Returns whether the owner has the place with this index in the list at this URI.
    pub(crate) async fn has_place(
        &self,
        owner: &str,
        uri: &str,
        index: i64,
    ) -> Result<bool, Error> {
        let place = self.store.place_of(owner).await?;
        let is_it =
            |place: Place| place.index == index && self.settings.status_list_uri(place.list) == uri;
        Ok(place.is_some_and(is_it))
    }

    /// Marks a JWT as used or revoked until `expires_at`, and records `event`. Returns `false`,
    /// and records nothing, if it was marked before.
    pub(crate) async fn spend(
        &self,
        jwt: &TokenHash,
        expires_at: i64,
        event: Option<&NewEvent>,
    ) -> Result<bool, Error> {
        Ok(self.store.spend_jwt(jwt, expires_at, event).await?)
    }

    /// Returns whether a JWT is marked as used or revoked.
    pub(crate) async fn is_spent(&self, jwt: &TokenHash) -> Result<bool, Error> {
        Ok(self.store.is_spent(jwt).await?)
    }
}
