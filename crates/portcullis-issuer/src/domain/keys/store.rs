//! The key table.

use std::fmt;

use super::signing_key::SigningAlgorithm;
use crate::domain::{Answer, Member};

/// Keys, and a version that counts their changes.
pub(crate) trait KeyStore: Member + fmt::Debug {
    /// Counts the changes of the key table; two equal answers mean that nothing changed between.
    /// The answer may be a second old where other processes tell of their changes.
    fn key_version(&self) -> Answer<'_, i64>;
    /// Returns the version if the database has pushed it recently, without a query.
    fn told_key_version(&self) -> Option<i64>;
    /// All keys, the newest first.
    fn keys(&self) -> Answer<'_, KeyTable>;
    /// Makes `key` the active one if there is none; otherwise changes nothing.
    fn add_first_key<'a>(&'a self, key: &'a NewKey) -> Answer<'a, ()>;
    /// Publishes `key` as the next one, unless there is a next one for the same algorithm; one
    /// for another algorithm, which has signed nothing, is withdrawn.
    fn publish_next_key<'a>(&'a self, key: &'a NewKey) -> Answer<'a, ()>;
    /// Makes the next key the active one, if it is still this one, and retires its predecessor,
    /// which stays published until the last token that it signed has expired, and `margin`
    /// seconds more.
    fn promote_key<'a>(&'a self, kid: &'a str, now: i64, margin: i64) -> Answer<'a, ()>;
    /// The same for a key that was not published before; a next one, if any, is withdrawn.
    fn rotate_key<'a>(&'a self, key: &'a NewKey, now: i64, margin: i64) -> Answer<'a, ()>;
    /// Notes on this key that it signs tokens that live this long from now on, and that key sets
    /// may be cached so long; `false` if it is not the active key (any more), and must sign none.
    fn note_promises<'a>(&'a self, kid: &'a str, promised: Promises) -> Answer<'a, bool>;
    /// Marks the retired keys whose time is over as withdrawn.
    fn withdraw_due_keys(&self, now: i64) -> Answer<'_, ()>;
    /// Withdraws a key that does not sign (any more) before its time; `false` if there is none.
    fn withdraw_key<'a>(&'a self, kid: &'a str, now: i64) -> Answer<'a, bool>;
}

/// The key table at one version.
#[derive(Debug)]
pub(crate) struct KeyTable {
    pub(crate) version: i64,
    pub(crate) keys: Vec<StoredKey>,
}

/// How long a token of a key lives at most, and a cached key set while it signs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promises {
    pub(crate) token_secs: i64,
    pub(crate) max_age_secs: i64,
}

/// The life of a key (in this order).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, but signs nothing yet.
    Next,
    /// Signs.
    Active,
    /// Signs no more; published until its last token has expired.
    Retired,
    /// Published no more: its tokens are refused.
    Withdrawn,
}

impl KeyState {
    /// As the store and the command line have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A key as the store holds it.
pub(crate) struct StoredKey {
    pub(crate) kid: String,
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) state: KeyState,
    pub(crate) public_jwk: String,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) created_at: i64,
    /// When it may sign, or began to.
    pub(crate) signs_from: i64,
    pub(crate) longest_max_age_secs: i64,
    pub(crate) published_until: Option<i64>,
}

/// Even encrypted, the private part has no business in a log.
impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("state", &self.state)
            .field("published_until", &self.published_until)
            .finish_non_exhaustive()
    }
}

/// A key that is about to be stored, as the active or the next one.
pub(crate) struct NewKey {
    pub(crate) kid: String,
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) public_jwk: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_at: i64,
    pub(crate) signs_from: i64,
    pub(crate) promises: Promises,
}
