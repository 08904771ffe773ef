//! What the issuer keeps, as a trait: SQLite today, another database tomorrow.
//!
//! Only the modules below this one know SQL. Times are NumericDates: whole seconds since 1970.

pub(crate) mod sqlite;

use std::fmt;
use std::pin::Pin;

use crate::key_ring::SigningAlgorithm;

/// The store failed; the cause is for the log, never for a client.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct StoreError {
    pub(crate) problem: &'static str,
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreError {
    pub(crate) fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { problem: "the store failed", source: source.into() }
    }
}

/// What a method of [`Store`] returns: boxed, so that the store can be chosen at run time.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Everything that outlives a request. Each method is one transaction.
pub(crate) trait Store: fmt::Debug + Send + Sync {
    /// Counts the changes of the key table; two equal answers mean that nothing changed between.
    fn key_version(&self) -> Answer<'_, i64>;
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

    /// Adds a user; `false` if the name is taken.
    fn add_user<'a>(&'a self, user: &'a User, password_hash: &'a str) -> Answer<'a, bool>;
    /// The user of that name, with the password hash.
    fn user_named<'a>(&'a self, name: &'a str) -> Answer<'a, Option<(User, String)>>;
    /// All users, by name.
    fn users(&self) -> Answer<'_, Vec<User>>;

    /// Records a session and its first refresh token, and forgets sessions long expired.
    fn start_session<'a>(&'a self, session: &'a Session, token: &'a TokenHash) -> Answer<'a, ()>;
    /// Exchanges one refresh token for its successor, at most once.
    fn rotate_refresh<'a>(&'a self, rotation: &'a Rotation) -> Answer<'a, Refreshed>;
    /// Ends the session that a refresh token, current or not, belongs to.
    fn end_session_of<'a>(&'a self, token: &'a TokenHash, now: i64) -> Answer<'a, ()>;
    /// The session with its user, if it has neither ended nor expired.
    fn live_session<'a>(&'a self, id: &'a str, now: i64) -> Answer<'a, Option<(Session, User)>>;
    /// A user's live sessions, the latest first.
    fn live_sessions<'a>(&'a self, user_id: &'a str, now: i64) -> Answer<'a, Vec<Session>>;
    /// Ends one of a user's own live sessions; `false` if there is no such session.
    fn delete_session<'a>(
        &'a self,
        user_id: &'a str,
        session_id: &'a str,
        now: i64,
    ) -> Answer<'a, bool>;

    /// Waits for what is under way, and leaves everything in the one file.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The SHA-256 of a refresh token.
pub(crate) type TokenHash = [u8; 32];

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

/// Someone who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The `sub` of their tokens: opaque, and never reused.
    pub id: String,
    /// What they log in with.
    pub name: String,
    /// The `roles` of their tokens.
    pub roles: Vec<String>,
    /// The `scope` of their tokens.
    pub scopes: Vec<String>,
    /// When the user was added, in seconds since 1970.
    pub created_at: i64,
}

/// One login and what followed from it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) created_at: i64,
    pub(crate) last_used_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) user_agent: Option<String>,
}

/// One refresh token in exchange for another.
pub(crate) struct Rotation {
    pub(crate) presented: TokenHash,
    pub(crate) successor: TokenHash,
    pub(crate) now: i64,
    /// How long the session lives if it is not used again.
    pub(crate) idle_secs: i64,
    /// How long it lives however much it is used.
    pub(crate) max_secs: i64,
}

/// What became of a [`Rotation`].
#[derive(Debug)]
pub(crate) enum Refreshed {
    /// The successor is now the session's current token.
    Rotated(Session, User),
    /// The token had been exchanged before; its session has been ended.
    Reused {
        /// The session.
        session_id: String,
    },
    /// No such token, or its session is over.
    Refused,
}
