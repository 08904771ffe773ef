//! A refresh: exchanges a refresh token for its successor and an access token.

use zeroize::Zeroizing;

use super::refresh_token::{self, Presented};
use super::{Grant, Refreshed, Rotation, Sessions};
use crate::clock::now_millis;
use crate::domain::hash::hash_of;
use crate::domain::keys::KeysForChange;
use crate::domain::peer::Peer;
use crate::domain::tokens::Audience;
use crate::error::Error;
use crate::metrics;

impl Sessions {
    /// Continues a session. Returns `None` if the token is unknown or spent, or if its session has
    /// ended. A spent token ends its session, because it may have been stolen (RFC 9700 section
    /// 4.14.2), unless it was spent a moment ago and its successor is unused.
    pub(crate) async fn refresh(
        &self,
        token: &str,
        audience: &Audience,
        peer: &Peer,
    ) -> Result<Option<Grant>, Error> {
        let Some(asked) = self.rotation(token, peer).await? else {
            metrics::refreshed(Refreshed::Refused.as_str());
            return Ok(None);
        };
        loop {
            let keys = self.keys.for_change().await?;
            if let Some(done) = self.refresh_with(token, &asked, audience, &keys).await? {
                return Ok(done);
            }
            // The keys have changed. This call loads them, and the next attempt uses them.
            self.keys.current().await?;
        }
    }

    /// Makes one attempt with these keys. Returns `None` if the keys have changed in the meantime.
    async fn refresh_with(
        &self,
        token: &str,
        (asked, successor): &(Rotation, Zeroizing<String>),
        audience: &Audience,
        keys: &KeysForChange,
    ) -> Result<Option<Option<Grant>>, Error> {
        let (snapshot, now) = (&keys.snapshot, asked.now);
        // Signs before the rotation, because a rotation cannot be undone, and an external signer may fail.
        let mut signed = None;
        if snapshot.active.is_elsewhere()
            && let Some((mut session, user)) = self.of_token(&asked.session_id, token).await?
        {
            session.place = Some(self.tokens.take_place(&session.id, now).await?);
            signed =
                Some(self.tokens.issue(snapshot, &session.subject(&user), audience, now).await?);
        }
        let rotation = Rotation { key_version: keys.version, ..asked.clone() };
        let refreshed = self.store.rotate_refresh(rotation).await?;
        metrics::refreshed(refreshed.as_str());
        let (session, user, next) = match refreshed {
            Refreshed::Rotated(session, user) => (session, user, successor.clone()),
            Refreshed::Repeated { session, user, sealed: Some(sealed), .. } => {
                (session, user, refresh_token::open(token, &sealed)?)
            }
            Refreshed::Repeated { session, user, sealed: None, .. } => {
                (session, user, self.refresh_tokens.former_successor_of(token))
            }
            Refreshed::Limited { retry_after_secs } => {
                return Err(Error::Limited { retry_after_secs });
            }
            Refreshed::KeysChanged => return Ok(None),
            Refreshed::Reused | Refreshed::Diverged => {
                let (session_id, outcome) = (&asked.session_id, refreshed.as_str());
                tracing::warn!(session_id, outcome, "refresh token rejected; session ended");
                return Ok(Some(None));
            }
            Refreshed::Refused => return Ok(Some(None)),
        };
        let access_token = match signed {
            Some(token) => token,
            None => self.tokens.issue(snapshot, &session.subject(&user), audience, now).await?,
        };
        Ok(Some(Some(self.grant(access_token, next, audience, &user, session))))
    }

    /// Prepares the rotation of a token, and creates its successor. Returns `None` if this issuer
    /// cannot have made the token.
    async fn rotation(
        &self,
        token: &str,
        peer: &Peer,
    ) -> Result<Option<(Rotation, Zeroizing<String>)>, Error> {
        let Some(presented) = self.refresh_tokens.read(token) else { return Ok(None) };
        let (session_id, generation, former_successor) = match presented {
            Presented::Numbered { session_id, generation } => (session_id, generation, None),
            Presented::Former => {
                let Some(id) = self.store.session_of_former(&hash_of(token)).await? else {
                    return Ok(None);
                };
                (id, 0, Some(self.refresh_tokens.hash_of_former_successor(token)))
            }
        };
        let successor = self.refresh_tokens.make(&session_id, generation + 1)?;
        let now = self.now();
        let rotation = Rotation {
            session_id,
            presented: hash_of(token),
            generation,
            successor: hash_of(&successor),
            sealed: refresh_token::seal(token, &successor)?,
            former_successor,
            now,
            now_millis: i64::try_from(now_millis(&*self.clock)).unwrap_or(i64::MAX),
            until: self.tokens.settings().until(now),
            rules: self.rules,
            key_version: None,
            address: peer.shown_address(),
            user_agent: peer.user_agent.clone(),
        };
        Ok(Some((rotation, successor)))
    }
}
