//! Sessions: begun by a login, kept by refresh tokens that are good for one use, ended at once.

pub(crate) mod refresh_token;
mod store;

use zeroize::Zeroizing;

pub(crate) use self::store::{Refreshed, Rotation, Session, SessionStore};

use crate::clock::secs;
use crate::domain::audit::EventKind;
use crate::domain::hash::hash_of;
use crate::domain::peer::Peer;
use crate::domain::tokens::access_token as token;
use crate::domain::users::User;
use crate::domain::users::password::Verdict;
use crate::error::Error;
use crate::issuer::Issuer;
use crate::metrics;
use crate::random;

/// What a login or a refresh hands out.
pub(crate) struct Grant {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Zeroizing<String>,
    pub(crate) scope: String,
    pub(crate) session_id: String,
}

impl Issuer {
    /// Begins a session; `None` if name or password is wrong, without saying which.
    pub(crate) async fn login(
        &self,
        name: &str,
        password: Zeroizing<String>,
        peer: Peer,
    ) -> Result<Option<Grant>, Error> {
        // Longer names are nobody's, and need not be remembered.
        let account: String = name.chars().take(128).collect::<String>().to_ascii_lowercase();
        self.limits().take(&account, &peer).await?;
        let (user, hash) = self.store().user_named(name).await?.unzip();
        let verdict = self.passwords().verify(password, hash.clone()).await?;
        let user = match user {
            Some(user) if verdict != Verdict::Wrong => user,
            // The name of nobody is not recorded: it may well be somebody's password.
            nobody => {
                let failed = self.audit().event(EventKind::LoginFailed, &peer);
                let failed = match &nobody {
                    Some(user) => failed.user(&user.id),
                    None => failed,
                };
                self.audit().record(&failed).await?;
                return Ok(None);
            }
        };
        self.limits().give_back(&account, &peer);
        let keys = self.ring().current().await?;
        let now = self.now();
        if let (Verdict::Rehashed(new), Some(old)) = (&verdict, &hash) {
            self.store().rehash_password(&user.id, old, new, now).await?;
        }
        let session = Session {
            id: random::hex_id()?,
            user_id: user.id.clone(),
            created_at: now,
            last_used_at: now,
            expires_at: now.saturating_add(secs(self.config().refresh_expiry)),
            user_agent: peer.user_agent.clone(),
            stepped_up_at: None,
            place: None,
        };
        // Before anything is recorded: the token names it, and signing may fail.
        let until = self.config().token_until(now);
        let place = self.store().take_place(&session.id, until).await?;
        let session = Session { place: Some(place), ..session };
        let access_token = token::issue(&keys, self.config(), &user, &session, now).await?;
        let refresh_token = random::secret()?;
        let begun = self.audit().event(EventKind::Login, &peer);
        let begun = begun.user(&user.id).session(&session.id);
        self.store().start_session(&session, &hash_of(&refresh_token), &begun).await?;
        Ok(Some(grant(access_token, refresh_token, &user, session)))
    }

    /// Continues a session; `None` if the token is unknown, spent or of a session that is over.
    /// A spent one ends its session: one of the two who hold it is a thief (RFC 9700 4.14.2),
    /// unless it was spent a moment ago and nobody has used what it was exchanged for.
    pub(crate) async fn refresh(&self, token: &str, peer: &Peer) -> Result<Option<Grant>, Error> {
        // First what may fail: a rotation cannot be taken back. A signer elsewhere may, too.
        let keys = self.ring().current().await?;
        let now = self.now();
        let presented = hash_of(token);
        let mut signed = None;
        if keys.active.is_elsewhere()
            && let Some((mut session, user)) = self.store().session_of(&presented, now).await?
        {
            let until = self.config().token_until(now);
            session.place = Some(self.store().take_place(&session.id, until).await?);
            signed = Some(token::issue(&keys, self.config(), &user, &session, now).await?);
        }
        let successor = self.refresh_tokens().successor_of(token);
        let rotation = Rotation {
            presented,
            successor: hash_of(&successor),
            now,
            until: self.config().token_until(now),
            idle_secs: secs(self.config().refresh_expiry),
            max_secs: secs(self.config().session_max),
            grace_secs: secs(self.config().refresh_grace),
            address: peer.shown_address(),
        };
        let refreshed = self.store().rotate_refresh(&rotation).await?;
        metrics::refreshed(refreshed.as_str());
        match refreshed {
            Refreshed::Rotated(session, user) | Refreshed::Repeated(session, user) => {
                let access_token = match signed {
                    Some(token) => token,
                    None => token::issue(&keys, self.config(), &user, &session, now).await?,
                };
                Ok(Some(grant(access_token, successor, &user, session)))
            }
            Refreshed::Reused { session_id } => {
                tracing::warn!(session_id, "a spent refresh token was presented; session ended");
                Ok(None)
            }
            Refreshed::Refused => Ok(None),
        }
    }

    /// Ends the session of a refresh token, spent or not. An unknown token ends nothing, and
    /// nobody is told (RFC 7009 section 2.2).
    pub(crate) async fn logout(&self, token: &str, peer: &Peer) -> Result<(), Error> {
        let event = self.audit().event(EventKind::Logout, peer);
        Ok(self.store().end_session_of(&hash_of(token), &event).await?)
    }

    /// Ends all sessions of a user, and says how many those were.
    pub(crate) async fn logout_everywhere(&self, user: &User, peer: &Peer) -> Result<u64, Error> {
        let event = self.audit().event(EventKind::LogoutEverywhere, peer).user(&user.id);
        Ok(self.store().end_all_sessions(&user.id, &event).await?)
    }

    /// Ends one of a user's own live sessions; `false` if there is no such session.
    pub(crate) async fn delete_session(
        &self,
        user: &User,
        session_id: &str,
        peer: &Peer,
    ) -> Result<bool, Error> {
        let event = self.audit().event(EventKind::SessionDeleted, peer);
        let event = event.user(&user.id).session(session_id);
        Ok(self.store().delete_session(&user.id, session_id, &event).await?)
    }
}

fn grant(
    access_token: String,
    refresh_token: Zeroizing<String>,
    user: &User,
    session: Session,
) -> Grant {
    let scope = user.scopes.join(" ");
    Grant { access_token, refresh_token, scope, session_id: session.id }
}
