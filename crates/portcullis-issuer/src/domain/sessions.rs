//! Sessions: begun by a login, kept by refresh tokens that are good for one use, ended at once.

pub(crate) mod refresh_token;
mod store;

use zeroize::Zeroizing;

pub(crate) use self::store::{Refreshed, Rotation, Session, SessionStore};

use crate::clock::secs;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::hash::hash_of;
use crate::domain::limits::network_of;
use crate::domain::peer::Client;
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
        client: Client,
    ) -> Result<Option<Grant>, Error> {
        // Longer names are nobody's, and need not be remembered.
        let account: String = name.chars().take(128).collect::<String>().to_ascii_lowercase();
        let network = client.address.map(network_of);
        self.take_attempt(&account, network.as_deref(), &client).await?;
        let (user, hash) = self.store().user_named(name).await?.unzip();
        let verdict = self.passwords().verify(password, hash.clone()).await?;
        let address = client.shown_address();
        let event = |kind| NewEvent::new(kind, self.now()).address(address.as_deref());
        let user = match user {
            Some(user) if verdict != Verdict::Wrong => user,
            // The name of nobody is not recorded: it may well be somebody's password.
            nobody => {
                let failed = event(EventKind::LoginFailed);
                let failed = match &nobody {
                    Some(user) => failed.user(&user.id),
                    None => failed,
                };
                self.store().record(&failed).await?;
                return Ok(None);
            }
        };
        self.give_attempt_back(&account, network.as_deref());
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
            user_agent: client.user_agent,
            stepped_up_at: None,
            place: None,
        };
        // Before anything is recorded: the token names it, and signing may fail.
        let until = self.config().token_until(now);
        let place = self.store().take_place(&session.id, until).await?;
        let session = Session { place: Some(place), ..session };
        let access_token = token::issue(&keys, self.config(), &user, &session, now).await?;
        let refresh_token = random::secret()?;
        let begun = event(EventKind::Login).user(&user.id).session(&session.id);
        self.store().start_session(&session, &hash_of(&refresh_token), &begun).await?;
        Ok(Some(grant(access_token, refresh_token, &user, session)))
    }

    /// Pays for an attempt at a password, before anything is found out about it.
    pub(crate) async fn take_attempt(
        &self,
        account: &str,
        network: Option<&str>,
        client: &Client,
    ) -> Result<(), Error> {
        let by_address = network.map_or(Ok(()), |network| self.addresses().take(network));
        let Err(limited) = by_address.and_then(|()| self.accounts().take(account)) else {
            return Ok(());
        };
        // Once: the log must not grow with whatever somebody sends who is not let in.
        if limited.first {
            let address = client.shown_address();
            let event = NewEvent::new(EventKind::LoginLimited, self.now());
            self.store().record(&event.address(address.as_deref())).await?;
        }
        Err(Error::Limited { retry_after_secs: limited.retry_after_secs })
    }

    /// Pays back one that succeeded.
    pub(crate) fn give_attempt_back(&self, account: &str, network: Option<&str>) {
        self.accounts().give_back(account);
        if let Some(network) = network {
            self.addresses().give_back(network);
        }
    }

    /// Continues a session; `None` if the token is unknown, spent or of a session that is over.
    /// A spent one ends its session: one of the two who hold it is a thief (RFC 9700 4.14.2),
    /// unless it was spent a moment ago and nobody has used what it was exchanged for.
    pub(crate) async fn refresh(
        &self,
        token: &str,
        client: &Client,
    ) -> Result<Option<Grant>, Error> {
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
            address: client.shown_address(),
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
    pub(crate) async fn logout(&self, token: &str, client: &Client) -> Result<(), Error> {
        let address = client.shown_address();
        let event = NewEvent::new(EventKind::Logout, self.now()).address(address.as_deref());
        Ok(self.store().end_session_of(&hash_of(token), &event).await?)
    }

    /// Ends all sessions of a user, and says how many those were.
    pub(crate) async fn logout_everywhere(
        &self,
        user: &User,
        client: &Client,
    ) -> Result<u64, Error> {
        let address = client.shown_address();
        let event = NewEvent::new(EventKind::LogoutEverywhere, self.now())
            .user(&user.id)
            .address(address.as_deref());
        Ok(self.store().end_all_sessions(&user.id, &event).await?)
    }

    /// Ends one of a user's own live sessions; `false` if there is no such session.
    pub(crate) async fn delete_session(
        &self,
        user: &User,
        session_id: &str,
        client: &Client,
    ) -> Result<bool, Error> {
        let address = client.shown_address();
        let event = NewEvent::new(EventKind::SessionDeleted, self.now())
            .user(&user.id)
            .session(session_id)
            .address(address.as_deref());
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
