//! Introspection (RFC 7662) and revocation (RFC 7009) of tokens.

mod exchange;

use std::sync::Arc;

use portcullis::{Algorithm, clock::Clock, signature};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use self::exchange::Exchanged;
use crate::clock::{now_secs, secs};
use crate::domain::audit::{Cap, NewEvent};
use crate::domain::clients::{ClientRight, Clients, RegisteredClient};
use crate::domain::keys::KeyRing;
use crate::domain::sessions::{Session, Sessions};
use crate::domain::tokens::{FIRST_PARTY, TWO_FACTORS, Tokens, name_of};
use crate::domain::users::User;
use crate::error::Error;
use crate::metrics;

/// How often each process warns of a client that introspects tokens that it must not introspect, in
/// an hour.
const WARNINGS_PER_HOUR: u32 = 1;

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
    act: Option<serde::de::IgnoredAny>,
    status: Option<Status>,
}

impl Issued {
    fn is_of_two_factors(&self) -> bool {
        self.acr.as_deref() == Some(TWO_FACTORS)
    }
}

/// The place in a status list (draft-ietf-oauth-status-list section 6.2).
#[derive(Debug, Deserialize)]
struct Status {
    status_list: Listed,
}

#[derive(Debug, Deserialize)]
struct Listed {
    idx: i64,
    uri: String,
}

/// The state of a token (RFC 7662 section 2.2). An inactive token has `active` only, without a
/// reason.
#[derive(Debug, Default, Serialize, PartialEq, Eq, ToSchema)]
pub(crate) struct Introspected {
    /// Whether the token is active and the client may introspect it.
    active: bool,
    /// `Bearer` for an access token, otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iss: Option<String>,
    /// The id of the user or of the machine client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sub: Option<String>,
    /// The user's name; absent for a machine client.
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
    /// The session's id; absent without a session.
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

/// The result of a revocation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// The token is inactive now, or never was active.
    Done,
    /// The token belongs to another client.
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
    /// The warnings of clients that introspect tokens that they must not introspect.
    warnings: Cap,
}

/// The state of a token, before it is known whether the client may see it.
enum State {
    Active(Box<Introspected>),
    Inactive,
    /// The client must not introspect the token, for this reason. It may be active.
    Foreign(&'static str),
}

impl Introspection {
    pub(crate) fn new(
        sessions: Arc<Sessions>,
        clients: Arc<Clients>,
        keys: Arc<KeyRing>,
        tokens: Arc<Tokens>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { sessions, clients, keys, tokens, clock, warnings: Cap::new(WARNINGS_PER_HOUR) }
    }

    /// Returns whether a token of this issuer is active, and its claims. Unlike an API that
    /// validates locally, it reads the store. The session must be live, the client must exist and
    /// be enabled, and the token must not be revoked.
    ///
    /// A token that the client may not introspect is reported as inactive (RFC 7662 section 2.2).
    pub(crate) async fn introspect(
        &self,
        token: &str,
        client: &RegisteredClient,
    ) -> Result<Introspected, Error> {
        let state = if token.contains('.') {
            self.state_of_access_token(token, client).await?
        } else if !client.has(ClientRight::ContinueSessions) {
            State::Foreign(
                "it is not an access token, and the client lacks the `continue-sessions` right",
            )
        } else {
            let session = self.sessions.of_refresh_token(token).await?;
            session.map_or(State::Inactive, |(session, user)| {
                State::Active(Box::new(self.refresh_token_of(session, user)))
            })
        };
        Ok(match state {
            State::Active(introspected) => {
                metrics::introspected("active");
                *introspected
            }
            State::Inactive => {
                metrics::introspected("inactive");
                Introspected::default()
            }
            State::Foreign(reason) => {
                metrics::introspected("foreign");
                // An operator must learn of it, and the log must not grow with each request.
                if self.warnings.take(&client.id, self.now()) {
                    let client_id = &client.id;
                    tracing::warn!(
                        client_id,
                        reason,
                        "introspected token reported as inactive; see `clients update`"
                    );
                }
                Introspected::default()
            }
        })
    }

    async fn state_of_access_token(
        &self,
        token: &str,
        client: &RegisteredClient,
    ) -> Result<State, Error> {
        let Some(issued) = self.issued(token).await? else { return Ok(State::Inactive) };
        let is_for_it = issued.aud.iter().any(|aud| client.resource_servers.contains(aud));
        if !is_for_it && !client.has(ClientRight::IntrospectAll) {
            return Ok(State::Foreign(
                "its audience has none of the client's resource servers, and the client lacks the `introspect-all` right",
            ));
        }
        let active = self.active_access_token(issued).await?;
        Ok(active.map_or(State::Inactive, |introspected| State::Active(Box::new(introspected))))
    }

    async fn active_access_token(&self, issued: Issued) -> Result<Option<Introspected>, Error> {
        if self.tokens.is_spent(&name_of(&issued.iss, &issued.jti)).await? {
            return Ok(None);
        }
        if issued.act.is_some()
            && !self.may_still_act(&issued.jti, &issued.client_id, issued.iat).await?
        {
            return Ok(None);
        }
        let username = match &issued.sid {
            Some(_) => match self.session_of(&issued).await? {
                Some((_, user)) => Some(user.name),
                None => return Ok(None),
            },
            None => match self.clients.of(&issued.client_id).await? {
                Some(client) if client.disabled_at.is_none() => {
                    // A token of a removed client with the same id has another place.
                    let Some(Status { status_list: Listed { idx, uri } }) = &issued.status else {
                        return Ok(None);
                    };
                    if !self.tokens.has_place(&client.place_owner, uri, *idx).await? {
                        return Ok(None);
                    }
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

    /// Revokes a token. For a token of a session it ends the session. A machine client's token is
    /// marked as revoked, and is inactive from then on. An API that validates locally accepts an
    /// access token until it expires.
    ///
    /// `event` is recorded if the token was active. Any client that presents the refresh token of a
    /// session may revoke it.
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
        // A client that acts for a user revokes its own token, and does not end the user's session.
        match issued.sid.as_ref().filter(|_| issued.act.is_none()) {
            Some(sid) => {
                self.sessions.end(&issued.sub, sid, event).await?;
            }
            None => {
                let name = name_of(&issued.iss, &issued.jti);
                // A process whose clock is behind that of this process accepts the token for
                // longer, by at most the clock skew.
                let until = issued.exp.saturating_add(secs(self.tokens.settings().clock_skew));
                self.tokens.spend(&name, until, Some(&event)).await?;
            }
        }
        Ok(Revoked::Done)
    }

    /// Returns the claims of an access token, if this issuer signed it with a key that is still
    /// published, and it has not expired. These keys sign status lists and logout tokens, too; those
    /// lack some of the claims, and are rejected.
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
