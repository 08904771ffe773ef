//! Sessions and their refresh tokens as they are stored.

use std::fmt;

use super::methods::Methods;
use super::rotation::Rotation;
use crate::domain::Answer;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::hash::TokenHash;
use crate::domain::tokens::Place;
use crate::domain::users::User;

/// Sessions and refresh tokens.
pub(crate) trait SessionStore: fmt::Debug + Send + Sync {
    /// Stores a session, whose place in a status list was taken before, and its first refresh
    /// token. Returns `false`, and stores nothing, if the user may not log in, or if the user's
    /// credentials have changed.
    fn start_session<'a>(
        &'a self,
        session: &'a Session,
        credentials: i64,
        token: &'a TokenHash,
        event: &'a NewEvent,
    ) -> Answer<'a, bool>;
    /// Exchanges one refresh token for its successor, at most once.
    fn rotate_refresh(&self, rotation: Rotation) -> Answer<'_, Refreshed>;
    /// Returns the session of a refresh token of the former format, spent or not.
    fn session_of_former<'a>(&'a self, token: &'a TokenHash) -> Answer<'a, Option<String>>;
    /// Ends a session, and records `event` with the session and its user. Does nothing if there is
    /// no live session with this id.
    fn log_out<'a>(&'a self, session_id: &'a str, event: &'a NewEvent) -> Answer<'a, ()>;
    /// Returns the live session and its user if this is its current refresh token.
    fn session_with<'a>(
        &'a self,
        session_id: &'a str,
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
    /// Ends all live sessions of a user, and returns their number.
    fn end_all_sessions<'a>(&'a self, user_id: &'a str, event: &'a NewEvent) -> Answer<'a, u64>;
}

/// A session: a login and its refreshes.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) created_at: i64,
    pub(crate) last_used_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) user_agent: Option<String>,
    /// When the second factor was last shown, in seconds since 1970.
    pub(crate) stepped_up_at: Option<i64>,
    pub(crate) methods: Methods,
    /// The session's place in a status list. `None` until a token is about to be issued.
    pub(crate) place: Option<Place>,
}

/// The result of a [`Rotation`].
#[derive(Debug)]
pub(crate) enum Refreshed {
    /// The successor is now the session's current token.
    Rotated(Session, User),
    /// The token was exchanged a moment ago, and its successor is unused.
    Repeated {
        session: Session,
        user: User,
        /// The successor, sealed; `None` if the token has the successor of the former format.
        sealed: Option<Vec<u8>>,
        /// Whether the repetition was late, and so is in the audit log.
        late: bool,
    },
    /// The token had been exchanged before; its session has been ended.
    Reused,
    /// This issuer made the token, but the store does not have it; its session has been ended.
    Diverged,
    /// The session has spent its budget.
    Limited { retry_after_secs: u64 },
    /// The keys have changed since the caller read them; nothing was done.
    KeysChanged,
    /// There is no such token, or its session has ended.
    Refused,
}

impl Refreshed {
    /// Returns the event that was recorded.
    pub(crate) fn event(&self) -> Option<EventKind> {
        match self {
            Self::Repeated { late: true, .. } => Some(EventKind::RefreshRepeated),
            Self::Reused => Some(EventKind::RefreshReused),
            Self::Diverged => Some(EventKind::RefreshDiverged),
            _ => None,
        }
    }

    /// Returns the `outcome` label of the metrics.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Rotated(..) => "rotated",
            Self::Repeated { .. } => "repeated",
            Self::Reused => "reused",
            Self::Diverged => "diverged",
            Self::Limited { .. } => "limited",
            Self::KeysChanged => "keys_changed",
            Self::Refused => "refused",
        }
    }
}
