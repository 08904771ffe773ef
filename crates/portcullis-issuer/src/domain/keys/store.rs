//! What is kept, as values: keys, users, sessions and their refresh tokens.

use std::fmt;

use crate::domain::keys::SigningAlgorithm;

/// The SHA-256 of a refresh token, of a client's secret, or of what names a JWT.
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

/// A machine client: a service that gets tokens in its own name (RFC 6749 section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredClient {
    /// Its `client_id`, which is also the `sub` of its tokens.
    pub id: String,
    pub(crate) credential: Credential,
    /// What its tokens may be used for.
    pub scopes: Vec<String>,
    /// The APIs that it may ask tokens for; none means those of `IDENTSPHERE_AUDIENCES`.
    pub audiences: Vec<String>,
    /// When it was added, in seconds since 1970.
    pub created_at: i64,
    /// When it was disabled, in seconds since 1970, if it is.
    pub disabled_at: Option<i64>,
}

impl RegisteredClient {
    /// How it proves who it is, as the registry of `token_endpoint_auth_method` has it:
    /// `client_secret_basic` (or `client_secret_post`), or `private_key_jwt`.
    #[must_use]
    pub fn auth_method(&self) -> &'static str {
        match self.credential {
            Credential::Secret(_) => "client_secret_basic",
            Credential::Keys(_) => "private_key_jwt",
        }
    }
}

/// What a machine client proves itself with. It has one: the weaker of two would be its strength.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The hash of its secret.
    Secret(TokenHash),
    /// Its public keys: a JWK Set.
    Keys(String),
}

/// A hash of 256 random bits tells nothing, and has no business in a log all the same.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(redacted)",
            Self::Keys(_) => "Keys(..)",
        })
    }
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
    /// When the second factor was shown last.
    pub(crate) stepped_up_at: Option<i64>,
    /// Where a status list says whether it has ended: known when a token is about to be issued.
    pub(crate) place: Option<Place>,
}

/// A place in a status list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) list: i64,
    pub(crate) index: i64,
}

/// Until when a token may name a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until {
    pub(crate) expiry: i64,
    /// Whose last token expired by then may lose the place to somebody else: no list is believed
    /// any more that says something of that token.
    pub(crate) free: i64,
}

/// One refresh token in exchange for another.
pub(crate) struct Rotation {
    pub(crate) presented: TokenHash,
    pub(crate) successor: TokenHash,
    pub(crate) now: i64,
    /// For the token that is about to be issued.
    pub(crate) until: Until,
    /// How long the session lives if it is not used again.
    pub(crate) idle_secs: i64,
    /// How long it lives however much it is used.
    pub(crate) max_secs: i64,
    /// How long the same may be asked again while the successor is unused.
    pub(crate) grace_secs: i64,
    /// The client's, for the audit log.
    pub(crate) address: Option<String>,
}

/// What became of a [`Rotation`].
#[derive(Debug)]
pub(crate) enum Refreshed {
    /// The successor is now the session's current token.
    Rotated(Session, User),
    /// The token was exchanged for this very successor a moment ago, which nobody has used.
    Repeated(Session, User),
    /// The token had been exchanged before; its session has been ended.
    Reused {
        /// The session.
        session_id: String,
    },
    /// No such token, or its session is over.
    Refused,
}

impl Refreshed {
    /// As the metrics have it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Rotated(..) => "rotated",
            Self::Repeated(..) => "repeated",
            Self::Reused { .. } => "reused",
            Self::Refused => "refused",
        }
    }
}
