//! Access tokens: the JWT profile of RFC 9068.

use serde::Serialize;

use super::settings::{Audience, TokenSettings};
use super::store::Place;
use super::{Tokens, jwt};
use crate::clock::secs;
use crate::domain::keys::Snapshot;
use crate::error::Error;
use crate::metrics;

/// The `client_id` of tokens from the issuer's own logins: a public client, which has no secret.
pub(crate) const FIRST_PARTY: &str = "identsphere-first-party";

/// The `acr` of a login by one factor, and by two: authenticator assurance levels 1 and 2 of NIST
/// SP 800-63B. A passkey with user verification is two factors.
const ONE_FACTOR: &str = "aal1";
pub(crate) const TWO_FACTORS: &str = "aal2";

/// The lifetime of an exchanged token, in seconds: long enough for one request of a user.
const ACTOR_EXPIRY_SECS: i64 = 60;

/// RFC 9068 section 2.2.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Vec<&'a str>,
    exp: i64,
    iat: i64,
    jti: String,
    client_id: &'a str,
    /// The client that acts for the user (RFC 8693 section 4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Actor<'a>>,
    /// Left out when empty: a scope has at least one token (RFC 6749 section 3.3).
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    /// The user's roles. This claim and all claims below are absent from a machine client's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<&'a [String]>,
    /// The session, so that the issuer's own routes can reject a token whose session has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
struct Actor<'a> {
    sub: &'a str,
}

/// The token's place in a status list (draft-ietf-oauth-status-list section 6.2).
#[derive(Serialize)]
struct Status {
    status_list: Listed,
}

#[derive(Serialize)]
struct Listed {
    idx: i64,
    uri: String,
}

impl Status {
    fn at(settings: &TokenSettings, place: Place) -> Self {
        let uri = settings.status_list_uri(place.list);
        Self { status_list: Listed { idx: place.index, uri } }
    }
}

/// The user and the session of a token.
pub(crate) struct Subject<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) roles: &'a [String],
    pub(crate) scopes: &'a [String],
    pub(crate) session_id: &'a str,
    pub(crate) logged_in_at: i64,
    /// When the second factor was last shown, in seconds since 1970.
    pub(crate) stepped_up_at: Option<i64>,
    /// RFC 8176.
    pub(crate) amr: &'static [&'static str],
    pub(crate) place: Option<Place>,
}

impl Tokens {
    /// Issues an access token of a session.
    pub(crate) async fn issue(
        &self,
        keys: &Snapshot,
        subject: &Subject<'_>,
        audience: &Audience,
        now: i64,
    ) -> Result<String, Error> {
        let mut claims = self.claims_for_issuer(subject, now)?;
        if !self.is_limited(subject) {
            claims.aud = audience.names().collect();
        }
        sign_access_token(keys, &claims).await
    }

    /// The claims of a token of a session, for the issuer alone.
    fn claims_for_issuer<'a>(
        &'a self,
        subject: &Subject<'a>,
        now: i64,
    ) -> Result<Claims<'a>, Error> {
        let settings = self.settings();
        let stepped_up = subject.stepped_up_at.is_some();
        let acr = if stepped_up { TWO_FACTORS } else { ONE_FACTOR };
        Ok(Claims {
            iss: &settings.issuer,
            sub: subject.user_id,
            aud: vec![&settings.issuer],
            exp: settings.expiry(now),
            iat: now,
            jti: crate::random::hex_id()?,
            client_id: FIRST_PARTY,
            act: None,
            scope: self.scope_of(subject),
            roles: Some(self.roles_of(subject)),
            sid: Some(subject.session_id),
            auth_time: Some(subject.stepped_up_at.unwrap_or(subject.logged_in_at)),
            acr: Some(acr),
            amr: Some(subject.amr),
            status: subject.place.map(|place| Status::at(settings, place)),
        })
    }

    /// Returns the scopes of a token of a session, separated by spaces.
    pub(crate) fn scope_of(&self, subject: &Subject<'_>) -> String {
        if self.is_limited(subject) { String::new() } else { subject.scopes.join(" ") }
    }

    fn roles_of<'a>(&self, subject: &Subject<'a>) -> &'a [String] {
        if self.is_limited(subject) { &[] } else { subject.roles }
    }

    /// Returns whether the issuer accepts a token that is issued for this audience.
    pub(crate) fn is_for_issuer(&self, subject: &Subject<'_>, audience: &Audience) -> bool {
        self.is_limited(subject) || audience.has(&self.settings().issuer)
    }

    /// Returns whether the session must show a second factor first. Until it does, its tokens are
    /// for the issuer alone.
    fn is_limited(&self, subject: &Subject<'_>) -> bool {
        self.settings().second_factor_required && subject.stepped_up_at.is_none()
    }

    /// Issues an access token for the issuer to a machine client that acts for the user of
    /// `subject` (RFC 8693), for `lifetime` seconds.
    pub(crate) async fn issue_to_actor(
        &self,
        keys: &Snapshot,
        subject: &Subject<'_>,
        client_id: &str,
        (now, lifetime): (i64, i64),
    ) -> Result<String, Error> {
        let claims = Claims {
            exp: now.saturating_add(lifetime),
            client_id,
            act: Some(Actor { sub: client_id }),
            ..self.claims_for_issuer(subject, now)?
        };
        sign_access_token(keys, &claims).await
    }

    /// Returns the longest lifetime of an actor's token, in seconds.
    pub(crate) fn actor_expiry_secs(&self) -> i64 {
        secs(self.settings().access_expiry).min(ACTOR_EXPIRY_SECS)
    }

    /// Issues an access token to a machine client in its own name: the `sub` is the client (RFC
    /// 9068 section 2.2). The token has no session, so the issuer's own routes reject it.
    pub(crate) async fn issue_to_client(
        &self,
        keys: &Snapshot,
        (client_id, place): (&str, Place),
        scope: String,
        aud: Vec<&str>,
        now: i64,
    ) -> Result<String, Error> {
        let settings = self.settings();
        let claims = Claims {
            iss: &settings.issuer,
            sub: client_id,
            aud,
            exp: settings.expiry(now),
            iat: now,
            jti: crate::random::hex_id()?,
            client_id,
            act: None,
            scope,
            roles: None,
            sid: None,
            auth_time: None,
            acr: None,
            amr: None,
            status: Some(Status::at(settings, place)),
        };
        sign_access_token(keys, &claims).await
    }
}

async fn sign_access_token(keys: &Snapshot, claims: &Claims<'_>) -> Result<String, Error> {
    let token = jwt::sign(keys, "at+jwt", claims).await?;
    metrics::token_issued(keys.active.algorithm().as_str());
    Ok(token)
}
