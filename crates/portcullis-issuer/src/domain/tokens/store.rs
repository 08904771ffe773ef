//! Places in the status lists, and JWTs that were used or revoked.

use std::fmt;

use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::{TokenHash, hash_of};

/// How many places a list has: 128 KiB of bits, and a fraction of that as it is sent.
pub(crate) const PLACES: u32 = 1 << 20;

/// Returns the name of an incarnation of a machine client as the owner of a place. A session's is
/// its id.
pub(crate) fn client_owner(client_id: &str, incarnation: &str) -> String {
    format!("client {client_id} {incarnation}")
}

/// Returns whether an owner of a place is a client, and not a session, whose id is hexadecimal.
pub(crate) fn is_client(owner: &str) -> bool {
    owner.starts_with("client ")
}

/// What a JWT is known by: no issuer uses an id twice (RFC 7519 section 4.1.7).
pub(crate) fn name_of(issuer: &str, jti: &str) -> TokenHash {
    // Neither a URL nor a client's id has the character between the two.
    hash_of(&format!("{issuer}\n{jti}"))
}

/// Places in the status lists, and JWTs that were used or revoked.
pub(crate) trait TokenStore: fmt::Debug + Send + Sync {
    /// The place in a status list of a session or of an incarnation of a
    /// [machine client](client_owner), which is its own for that long at least.
    fn take_place<'a>(&'a self, owner: &'a str, until: Until) -> Answer<'a, Place>;
    /// The place of this owner, if it has one.
    fn place_of<'a>(&'a self, owner: &'a str) -> Answer<'a, Option<Place>>;
    /// Counts the revocations; two equal answers mean that there was none between.
    fn status_version(&self) -> Answer<'_, i64>;
    /// The revoked places of a status list whose last token had not expired at `epoch`; `None` if
    /// there is no such list.
    fn revoked_places(&self, list: i64, epoch: i64) -> Answer<'_, Option<Revoked>>;
    /// Revokes every place that was ever taken, also those that a restored backup does not know of,
    /// deletes the single-use tokens of users, and records `event`.
    fn start_new_lists<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, ()>;

    /// Remembers until `expires_at` that a JWT was used or revoked, and records `event`, if any;
    /// `false`, and no event, if that was known.
    fn spend_jwt<'a>(
        &'a self,
        jwt: &'a TokenHash,
        expires_at: i64,
        event: Option<&'a NewEvent>,
    ) -> Answer<'a, bool>;
    /// Whether that is remembered of a JWT.
    fn is_spent<'a>(&'a self, jwt: &'a TokenHash) -> Answer<'a, bool>;
}

/// A place in a status list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) list: i64,
    pub(crate) index: i64,
}

/// What a status list says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// It is of before a restored backup.
    All,
    /// These, in order.
    Places(Vec<i64>),
}

/// Until when a token may name a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until {
    pub(crate) expiry: i64,
    /// Until when a place is taken that must be taken longer. It is later than `expiry`, so that
    /// not each refresh writes the place's row.
    pub(crate) extend_to: i64,
    /// Whose last token expired by then may lose the place to somebody else: no list is believed
    /// any more that says something of that token.
    pub(crate) free: i64,
}
