//! Places in the status lists, and JWTs that were used or revoked.

use std::fmt;

use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::{TokenHash, hash_of};

/// The number of places of a list: 128 KiB of bits, which are sent compressed.
pub(crate) const PLACES: u32 = 1 << 20;

/// Returns the owner name for an incarnation of a machine client. For a session, the owner name is
/// the session's id.
pub(crate) fn client_owner(client_id: &str, incarnation: &str) -> String {
    format!("client {client_id} {incarnation}")
}

/// Returns whether an owner of a place is a client, and not a session, whose id is hexadecimal.
pub(crate) fn is_client(owner: &str) -> bool {
    owner.starts_with("client ")
}

/// Returns the hash that identifies a JWT: no issuer uses a `jti` twice (RFC 7519 section 4.1.7).
pub(crate) fn name_of(issuer: &str, jti: &str) -> TokenHash {
    // Neither a URL nor a client's id contains a line feed, so the separator is unambiguous.
    hash_of(&format!("{issuer}\n{jti}"))
}

/// Places in the status lists, and JWTs that were used or revoked.
pub(crate) trait TokenStore: fmt::Debug + Send + Sync {
    /// Takes the place in a status list for a session or an incarnation of a
    /// [machine client](client_owner), and keeps it taken at least until `until`.
    fn take_place<'a>(&'a self, owner: &'a str, until: Until) -> Answer<'a, Place>;
    /// The place of this owner, if it has one.
    fn place_of<'a>(&'a self, owner: &'a str) -> Answer<'a, Option<Place>>;
    /// Returns the number of revocations; two equal numbers mean that there was none in between.
    fn status_version(&self) -> Answer<'_, i64>;
    /// The revoked places of a status list whose last token had not expired at `epoch`; `None` if
    /// there is no such list.
    fn revoked_places(&self, list: i64, epoch: i64) -> Answer<'_, Option<Revoked>>;
    /// Revokes every place that was ever taken, including places that were taken after the restored
    /// backup was made. Also deletes the single-use tokens of users, and records `event`.
    fn start_new_lists<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, ()>;

    /// Marks a JWT as used or revoked until `expires_at`, and records `event`, if any. Returns
    /// `false`, and records nothing, if the JWT was marked before.
    fn spend_jwt<'a>(
        &'a self,
        jwt: &'a TokenHash,
        expires_at: i64,
        event: Option<&'a NewEvent>,
    ) -> Answer<'a, bool>;
    /// Returns whether a JWT is marked as used or revoked.
    fn is_spent<'a>(&'a self, jwt: &'a TokenHash) -> Answer<'a, bool>;
}

/// A place in a status list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) list: i64,
    pub(crate) index: i64,
}

/// The revoked places of a status list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// All places: the list is older than a restore from a backup.
    All,
    /// These places, in ascending order.
    Places(Vec<i64>),
}

/// The times until which a place is taken for a token, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until {
    pub(crate) expiry: i64,
    /// The new end of a place that is not taken long enough. This time is later than `expiry`, so
    /// that not every refresh writes the place's row.
    pub(crate) extend_to: i64,
    /// A place whose last token expired by this time may get another owner: every list with that
    /// token's bit has expired.
    pub(crate) free: i64,
}
