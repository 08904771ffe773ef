//! Sessions as they are kept, and their refresh tokens.

use std::fmt;

use crate::domain::Answer;
use crate::domain::audit::NewEvent;
use crate::domain::hash::TokenHash;
use crate::domain::tokens::{Place, Until};
use crate::domain::users::User;

/// Sessions and refresh tokens.
pub(crate) trait SessionStore: fmt::Debug + Send + Sync {
    /// Records a session, whose place in a status list was taken before, and its first refresh
    /// token, and forgets sessions long expired. `false`, and nothing is recorded, if the user may
    /// not log in, or the count of the user's credentials is another one.
    fn start_session<'a>(
        &'a self,
        session: &'a Session,
        credentials: i64,
        token: &'a TokenHash,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Exchanges one refresh token for its successor, at most once.
    fn rotate_refresh<'a>(&'a self, rotation: &'a Rotation) -> Answer<'a, Refreshed>;
    /// Ends the session that a refresh token, current or not, belongs to, and records `event` with
    /// the session and its user; nothing if there is none, or it has ended.
    fn end_session_of<'a>(&'a self, token: &'a TokenHash, event: &'a NewEvent) -> Answer<'a, ()>;
    /// The live session whose current refresh token this is.
    fn session_of<'a>(
        &'a self,
        token: &'a TokenHash,
        now: i64,
    ) -> Answer<'a, Option<(Session, User)>>;
    /// The session with its user, if it has neither ended nor expired.
    fn live_session<'a>(&'a self, id: &'a str, now: i64) -> Answer<'a, Option<(Session, User)>>;
    /// A user's live sessions, the latest first.
    fn live_sessions<'a>(&'a self, user_id: &'a str, now: i64) -> Answer<'a, Vec<Session>>;
    /// Ends one of a user's own live sessions, and records `event`; `false` if there is no such
    /// session.
    fn delete_session<'a>(
        &'a self,
        user_id: &'a str,
        session_id: &'a str,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Ends all live sessions of a user, and says how many those were.
    fn end_all_sessions<'a>(&'a self, user_id: &'a str, event: &'a NewEvent) -> Answer<'a, u64>;
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
