//! What a token is worth right now (RFC 7662), and how it is made worth nothing (RFC 7009).

use std::sync::Arc;

use portcullis::{Algorithm, clock::Clock, signature};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::{now_secs, secs};
use crate::domain::audit::NewEvent;
use crate::domain::clients::Clients;
use crate::domain::keys::KeyRing;
use crate::domain::sessions::{Session, Sessions};
use crate::domain::tokens::{FIRST_PARTY, Tokens, name_of};
use crate::domain::users::User;
use crate::error::Error;

/// The claims of a token that this issuer signed.
#[derive(Debug, Deserialize)]
struct Issued {
    iss: String,
    sub: String,
    aud: Vec<String>,
    exp: i64,
    iat: i64,
    jti: String,
    client_id: String,
    scope: Option<String>,
    sid: Option<String>,
    auth_time: Option<i64>,
    acr: Option<String>,
}

/// What is known of a token (RFC 7662 section 2.2). Of one that is worth nothing only that: what made
/// it so is nobody's business.
#[derive(Debug, Default, Serialize, PartialEq, Eq, ToSchema)]
pub(crate) struct Introspected {
    /// Whether it is worth anything right now.
    active: bool,
    /// `Bearer`, of an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iss: Option<String>,
    /// A user's id, or a machine client's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sub: Option<String>,
    /// The user's name, where there is a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    aud: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jti: Option<String>,
    /// The session, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    acr: Option<String>,
}

/// What became of a request to revoke a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// It is good no more, or never was.
    Done,
    /// It is another client's.
    NotYours,
}

/// Introspection and revocation of tokens.
#[derive(Debug)]
pub(crate) struct Introspection {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Introspection {
    /// Whether a token of this issuer's is good now, and what it says. Unlike an API that validates
    /// locally it asks the store: whether its session goes on, its client is there and enabled, and
    /// nobody has revoked it.
    pub(crate) async fn introspect(&self, token: &str) -> Result<Introspected, Error> {
        let active = if token.contains('.') {
            self.active_access_token(token).await?
        } else {
            let session = self.sessions.of_refresh_token(token).await?;
            session.map(|(session, user)| self.refresh_token_of(session, user))
        };
        Ok(active.unwrap_or_default())
    }

    async fn active_access_token(&self, token: &str) -> Result<Option<Introspected>, Error> {
        let Some(issued) = self.issued(token).await? else { return Ok(None) };
        if self.tokens.is_spent(&name_of(&issued.iss, &issued.jti)).await? {
            return Ok(None);
        }
        let username = match &issued.sid {
            Some(sid) => match self.sessions.live(sid).await? {
                Some((_, user)) if user.id == issued.sub => Some(user.name),
                _ => return Ok(None),
            },
            None => match self.clients.of(&issued.client_id).await? {
                // One of the same name that was there before is another client.
                Some(client) if client.disabled_at.is_none() && client.created_at <= issued.iat => {
                    None
                }
                _ => return Ok(None),
            },
        };
        Ok(Some(Introspected {
            active: true,
            token_type: Some("Bearer"),
            iss: Some(issued.iss),
            sub: Some(issued.sub),
            username,
            client_id: Some(issued.client_id),
            aud: Some(issued.aud),
            scope: issued.scope,
            exp: Some(issued.exp),
            iat: Some(issued.iat),
            jti: Some(issued.jti),
            sid: issued.sid,
            auth_time: issued.auth_time,
            acr: issued.acr,
        }))
    }

    fn refresh_token_of(&self, session: Session, user: User) -> Introspected {
        let scope = self.tokens.scope_of(&session.subject(&user));
        Introspected {
            active: true,
            iss: Some(self.tokens.settings().issuer.clone()),
            sub: Some(user.id),
            username: Some(user.name),
            client_id: Some(FIRST_PARTY.to_owned()),
            scope: (!scope.is_empty()).then_some(scope),
            exp: Some(session.expires_at),
            iat: Some(session.last_used_at),
            sid: Some(session.id),
            ..Introspected::default()
        }
    }

    /// Makes a token worth nothing, as far as that can be done: with a token of a session goes the
    /// session, and another one is remembered, and is inactive to whoever introspects it. An API
    /// that validates locally accepts an access token until it expires, whichever it is.
    ///
    /// `event` is recorded if it was worth something. A session's refresh token is anybody's who
    /// has it, as for [`refresh`](Sessions::refresh).
    pub(crate) async fn revoke(
        &self,
        token: &str,
        client_id: &str,
        event: NewEvent,
    ) -> Result<Revoked, Error> {
        if !token.contains('.') {
            self.sessions.end_of_refresh_token(token, &event).await?;
            return Ok(Revoked::Done);
        }
        let Some(issued) = self.issued(token).await? else { return Ok(Revoked::Done) };
        if issued.client_id != client_id {
            return Ok(Revoked::NotYours);
        }
        match &issued.sid {
            Some(sid) => {
                self.sessions.end(&issued.sub, sid, event).await?;
            }
            None => {
                let name = name_of(&issued.iss, &issued.jti);
                // Another process, whose clock is behind this one's, takes it for so much longer.
                let until = issued.exp.saturating_add(secs(self.tokens.settings().clock_skew));
                self.tokens.spend(&name, until, Some(&event)).await?;
            }
        }
        Ok(Revoked::Done)
    }

    /// What an access token says, if this issuer signed it with a key that is still published, and
    /// it has not expired. What these keys sign besides, a status list, is no client's and for
    /// nobody: it lacks most of what is read here.
    async fn issued(&self, token: &str) -> Result<Option<Issued>, Error> {
        let keys = self.keys.current().await?;
        let verified = signature::verify(token, &keys.verification, Algorithm::ALL).ok();
        let issued: Option<Issued> =
            verified.and_then(|verified| serde_json::from_slice(verified.payload()).ok());
        let issuer = &self.tokens.settings().issuer;
        Ok(issued.filter(|issued| issued.iss == *issuer && issued.exp > self.now()))
    }

    fn now(&self) -> i64 {
        now_secs(&*self.clock)
    }
}
