//! Access tokens, and the status lists that say which of them were revoked.

pub(crate) mod access_token;
pub(crate) mod status_lists;
mod store;

pub(crate) use self::store::{PLACES, Place, TokenStore, Until, client_owner};
