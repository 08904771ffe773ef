//! Sessions: a login starts a session, single-use refresh tokens continue it, and a logout or an
//! operator ends it at once.

mod methods;
mod refresh;
mod refresh_token;
mod rotation;
mod store;

use std::fmt;
use std::sync::Arc;

use portcullis::clock::Clock;
use zeroize::Zeroizing;

pub(crate) use self::methods::{Factor, KeyKind, Methods};
use self::refresh_token::Presented;
pub(crate) use self::refresh_token::{MacKey, RefreshTokens};
pub(crate) use self::rotation::{Budget, Former, Judgement, Kept, Rotation, Rules};
pub(crate) use self::store::{Refreshed, Session, SessionStore};
use crate::clock::now_secs;
use crate::domain::audit::{Audit, EventKind, NewEvent};
use crate::domain::hash::hash_of;
use crate::domain::keys::KeyRing;
use crate::domain::peer::Peer;
use crate::domain::tokens::{Audience, Subject, Tokens};
use crate::domain::users::User;
use crate::error::Error;

/// The maximum number of live sessions of a user. A login beyond that ends the least recently used
/// session, so that rows and places in status lists do not grow with the number of logins.
pub(crate) const SESSIONS_PER_USER: usize = 100;

/// The result of a login or a refresh: the session's tokens.
pub(crate) struct Grant {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Zeroizing<String>,
    pub(crate) scope: String,
    pub(crate) session_id: String,
    /// Whether the issuer's own routes accept the access token.
    pub(crate) for_issuer: bool,
}

/// A live session, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The `sid` of its tokens.
    pub id: String,
    /// When its user logged in, in seconds since 1970.
    pub created_at: i64,
    /// The time of the last refresh, in seconds since 1970. It is not written at every refresh, so
    /// it may be up to 5 minutes too early.
    pub last_used_at: i64,
    /// When it ends if it is not used, in seconds since 1970.
    pub expires_at: i64,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
}

/// The state of the credentials with which a user authenticated at a login.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    /// The count of credential changes when the password or passkey was checked.
    pub(crate) credentials: i64,
    /// When the second factor was shown, in seconds since 1970.
    pub(crate) stepped_up_at: Option<i64>,
    pub(crate) methods: Methods,
}

/// The sessions of all users.
pub(crate) struct Sessions {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) refresh_tokens: RefreshTokens,
    pub(crate) rules: Rules,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Sessions {
    /// Begins a session. Returns `None` if, since the proof, the user was disabled or the credentials
    /// changed.
    pub(crate) async fn begin(
        &self,
        id: String,
        user: &User,
        proof: Proof,
        audience: &Audience,
        peer: &Peer,
    ) -> Result<Option<Grant>, Error> {
        let keys = self.keys.current().await?;
        let now = self.now();
        let session = Session {
            id,
            user_id: user.id.clone(),
            created_at: now,
            last_used_at: now,
            expires_at: now.saturating_add(self.rules.idle_secs),
            user_agent: peer.user_agent.clone(),
            stepped_up_at: proof.stepped_up_at,
            methods: proof.methods,
            place: None,
        };
        // The place is taken before the session is stored, because the access token names the place,
        // and signing the token may fail.
        let place = self.tokens.take_place(&session.id, now).await?;
        let session = Session { place: Some(place), ..session };
        let access_token = self.tokens.issue(&keys, &session.subject(user), audience, now).await?;
        let refresh_token = self.refresh_tokens.make(&session.id, 1)?;
        let begun = self.audit.event(EventKind::Login, peer).user(&user.id).session(&session.id);
        let token = hash_of(&refresh_token);
        let started = self.store.start_session(&session, proof.credentials, &token, &begun).await?;
        Ok(started.then(|| self.grant(access_token, refresh_token, audience, user, session)))
    }

    /// Ends the session of a refresh token, whether or not the token is spent. An unknown token ends no
    /// session, and gets the same response (RFC 7009 section 2.2).
    pub(crate) async fn logout(&self, token: &str, peer: &Peer) -> Result<(), Error> {
        self.end_of_refresh_token(token, &self.audit.event(EventKind::Logout, peer)).await
    }

    /// Ends the session of a refresh token, and records `event`.
    pub(crate) async fn end_of_refresh_token(
        &self,
        token: &str,
        event: &NewEvent,
    ) -> Result<(), Error> {
        match self.session_of(token).await? {
            Some(session_id) => Ok(self.store.log_out(&session_id, event).await?),
            None => Ok(()),
        }
    }

    /// Returns the id of the session to which a refresh token, spent or not, belongs.
    async fn session_of(&self, token: &str) -> Result<Option<String>, Error> {
        match self.refresh_tokens.read(token) {
            None => Ok(None),
            Some(Presented::Numbered { session_id, .. }) => Ok(Some(session_id)),
            Some(Presented::Former) => Ok(self.store.session_of_former(&hash_of(token)).await?),
        }
    }

    /// Ends all sessions of a user, and returns their number.
    pub(crate) async fn logout_everywhere(&self, user: &User, peer: &Peer) -> Result<u64, Error> {
        self.end_all(&user.id, self.audit.event(EventKind::LogoutEverywhere, peer)).await
    }

    /// Ends all sessions of a user, records `event`, and returns the number of sessions.
    pub(crate) async fn end_all(&self, user_id: &str, event: NewEvent) -> Result<u64, Error> {
        let event = event.user(user_id);
        Ok(self.store.end_all_sessions(user_id, &event).await?)
    }

    /// Ends one of a user's own live sessions; `false` if there is no such session.
    pub(crate) async fn delete(
        &self,
        user: &User,
        session_id: &str,
        peer: &Peer,
    ) -> Result<bool, Error> {
        self.end(&user.id, session_id, self.audit.event(EventKind::SessionDeleted, peer)).await
    }

    /// Ends one of a user's own live sessions, and records `event`; `false` if there is no such
    /// session.
    pub(crate) async fn end(
        &self,
        user_id: &str,
        session_id: &str,
        event: NewEvent,
    ) -> Result<bool, Error> {
        let event = event.user(user_id).session(session_id);
        Ok(self.store.delete_session(user_id, session_id, &event).await?)
    }

    /// Returns the session and its user, unless it has ended or expired.
    pub(crate) async fn live(&self, id: &str) -> Result<Option<(Session, User)>, Error> {
        Ok(self.store.live_session(id, self.now()).await?)
    }

    /// Returns the live session with this current refresh token.
    pub(crate) async fn of_refresh_token(
        &self,
        token: &str,
    ) -> Result<Option<(Session, User)>, Error> {
        match self.session_of(token).await? {
            Some(session_id) => self.of_token(&session_id, token).await,
            None => Ok(None),
        }
    }

    async fn of_token(
        &self,
        session_id: &str,
        token: &str,
    ) -> Result<Option<(Session, User)>, Error> {
        Ok(self.store.session_with(session_id, &hash_of(token), self.now()).await?)
    }

    /// Returns a user's live sessions, the latest first.
    pub(crate) async fn live_of(&self, user: &User) -> Result<Vec<Session>, Error> {
        Ok(self.store.live_sessions(&user.id, self.now()).await?)
    }

    fn grant(
        &self,
        access_token: String,
        refresh_token: Zeroizing<String>,
        audience: &Audience,
        user: &User,
        session: Session,
    ) -> Grant {
        let subject = session.subject(user);
        let scope = self.tokens.scope_of(&subject);
        let for_issuer = self.tokens.is_for_issuer(&subject, audience);
        Grant { access_token, refresh_token, scope, session_id: session.id, for_issuer }
    }

    fn now(&self) -> i64 {
        now_secs(&*self.clock)
    }
}

impl Session {
    /// Returns the user and the session as the subject of a token.
    pub(crate) fn subject<'a>(&'a self, user: &'a User) -> Subject<'a> {
        Subject {
            user_id: &user.id,
            roles: &user.roles,
            scopes: &user.scopes,
            session_id: &self.id,
            logged_in_at: self.created_at,
            stepped_up_at: self.stepped_up_at,
            amr: self.methods.amr(self.stepped_up_at.is_some()),
            place: self.place,
        }
    }
}

impl From<Session> for SessionInfo {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
            user_agent: session.user_agent,
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("rules", &self.rules).finish_non_exhaustive()
    }
}
