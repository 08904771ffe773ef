//! The key table.

use std::fmt;

use super::signing_key::SigningAlgorithm;
use crate::domain::{Answer, Member};

/// Keys, and a version that counts their changes.
pub(crate) trait KeyStore: Member + fmt::Debug {
    /// Returns the number of changes of the key table. Two equal numbers mean that nothing changed in
    /// between. If the database pushes changes, the number may be up to a second old.
    fn key_version(&self) -> Answer<'_, i64>;
    /// Returns the version if the database has pushed it recently, without a query.
    fn told_key_version(&self) -> Option<i64>;
    /// All keys, the newest first.
    fn keys(&self) -> Answer<'_, KeyTable>;
    /// Adds `key` as the active key if there is no active key; otherwise changes nothing.
    fn add_first_key<'a>(&'a self, key: &'a NewKey) -> Answer<'a, ()>;
    /// Publishes `key` as the next key, unless there is a next key for the same algorithm. A next
    /// key for another algorithm, which has signed nothing, is withdrawn.
    fn publish_next_key<'a>(&'a self, key: &'a NewKey, change: KeyChange) -> Answer<'a, ()>;
    /// Makes the next key the active key if it is still the key `kid`, and retires the former active
    /// key. The former key stays published until `margin` seconds after the last token that it signed
    /// has expired.
    fn promote_key<'a>(&'a self, kid: &'a str, change: KeyChange, margin: i64) -> Answer<'a, ()>;
    /// Makes a key active that was not published before. Retires the former active key as
    /// [`promote_key`](Self::promote_key) does. A next key, if any, is withdrawn.
    fn rotate_key<'a>(&'a self, key: &'a NewKey, change: KeyChange, margin: i64) -> Answer<'a, ()>;
    /// Records the lifetime that tokens of a key have from now on, and the time for which key sets may
    /// be cached. Returns `false` if the key is not active, and therefore must not sign.
    fn note_promises<'a>(&'a self, kid: &'a str, promised: Promises) -> Answer<'a, bool>;
    /// Withdraws the retired keys whose last token has expired.
    fn withdraw_due_keys(&self, now: i64) -> Answer<'_, ()>;
    /// Withdraws a next or retired key before its time; `false` if there is no such key.
    fn withdraw_key<'a>(&'a self, kid: &'a str, change: KeyChange) -> Answer<'a, bool>;
}

/// The time of a change of the keys, in seconds since 1970, and its actor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyChange {
    pub(crate) at: i64,
    pub(crate) by: ChangedBy,
}

/// Who changes the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangedBy {
    /// The leader, when the change is due.
    Schedule,
    /// An operator at the command line, or an app that embeds the issuer.
    Operator,
}

impl ChangedBy {
    pub(crate) fn at(self, at: i64) -> KeyChange {
        KeyChange { at, by: self }
    }
}

/// The key table at one version.
#[derive(Debug)]
pub(crate) struct KeyTable {
    pub(crate) version: i64,
    pub(crate) keys: Vec<StoredKey>,
}

/// The longest lifetime of a key's tokens, and the longest `max-age` of key sets while the key
/// signs, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promises {
    pub(crate) token_secs: i64,
    pub(crate) max_age_secs: i64,
}

/// The states of a key, in the order in which a key has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, but signs nothing yet.
    Next,
    /// Signs.
    Active,
    /// No longer signs; published until its last token has expired.
    Retired,
    /// No longer published: its tokens are rejected.
    Withdrawn,
}

impl KeyState {
    /// Returns the name of the state in the store and on the command line.
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
    /// When the key may begin or began to sign, in seconds since 1970.
    pub(crate) signs_from: i64,
    pub(crate) longest_max_age_secs: i64,
    pub(crate) published_until: Option<i64>,
}

/// Omits the private part: even encrypted, it must not be logged.
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
