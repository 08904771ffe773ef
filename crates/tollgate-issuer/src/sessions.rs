//! Sessions: begun by a login, kept by refresh tokens that are good for one use, ended at once.

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::clock::secs;
use crate::error::Error;
use crate::issuer::Issuer;
use crate::key_ring::Snapshot;
use crate::random;
use crate::store::{Refreshed, Rotation, Session, TokenHash, User};
use crate::token;

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
        user_agent: Option<String>,
    ) -> Result<Option<Grant>, Error> {
        let (user, hash) = self.store().user_named(name).await?.unzip();
        let matches = self.passwords().verify(password, hash).await?;
        let Some(user) = user.filter(|_| matches) else { return Ok(None) };
        let keys = self.ring().current().await?;
        let now = self.now();
        let session = Session {
            id: random::hex_id()?,
            user_id: user.id.clone(),
            created_at: now,
            last_used_at: now,
            expires_at: now.saturating_add(secs(self.config().refresh_expiry)),
            user_agent,
        };
        let refresh_token = random::secret()?;
        self.store().start_session(&session, &hash_of(&refresh_token)).await?;
        self.grant(&keys, &user, session, refresh_token, now).map(Some)
    }

    /// Continues a session; `None` if the token is unknown, spent or of a session that is over.
    /// A spent one ends its session: one of the two who hold it is a thief (RFC 9700 4.14.2).
    pub(crate) async fn refresh(&self, token: &str) -> Result<Option<Grant>, Error> {
        // First what may fail: a rotation cannot be taken back.
        let keys = self.ring().current().await?;
        let successor = random::secret()?;
        let now = self.now();
        let rotation = Rotation {
            presented: hash_of(token),
            successor: hash_of(&successor),
            now,
            idle_secs: secs(self.config().refresh_expiry),
            max_secs: secs(self.config().session_max),
        };
        match self.store().rotate_refresh(&rotation).await? {
            Refreshed::Rotated(session, user) => {
                self.grant(&keys, &user, session, successor, now).map(Some)
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
    pub(crate) async fn logout(&self, token: &str) -> Result<(), Error> {
        Ok(self.store().end_session_of(&hash_of(token), self.now()).await?)
    }

    fn grant(
        &self,
        keys: &Snapshot,
        user: &User,
        session: Session,
        refresh_token: Zeroizing<String>,
        now: i64,
    ) -> Result<Grant, Error> {
        Ok(Grant {
            access_token: token::issue(&keys.active, self.config(), user, &session, now)?,
            refresh_token,
            scope: user.scopes.join(" "),
            session_id: session.id,
        })
    }
}

/// A plain hash will do: there is nothing to guess in 256 random bits.
fn hash_of(token: &str) -> TokenHash {
    let mut hash = TokenHash::default();
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}
