//! Logout tokens: OpenID Connect Back-Channel Logout 1.0 section 2.4.

use serde::Serialize;

use super::{Tokens, jwt};
use crate::domain::keys::Snapshot;
use crate::error::Error;

/// The lifetime of a logout token, in seconds: the two minutes that the specification recommends.
const EXPIRY_SECS: i64 = 120;

/// An ended session, which a logout token reports to a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndedSession<'a> {
    pub(crate) session_id: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) ended_at: i64,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    /// The time of the event (RFC 8417 section 2.2), which a retry does not change.
    toe: i64,
    jti: &'a str,
    sid: &'a str,
    events: Events,
}

#[derive(Serialize)]
struct Events {
    #[serde(rename = "http://schemas.openid.net/event/backchannel-logout")]
    logout: Empty,
}

#[derive(Serialize)]
struct Empty {}

impl Tokens {
    /// Issues a logout token to a client. The same session and client must always have the same
    /// `jti`: a client that remembers it handles a repeated logout once.
    pub(crate) async fn issue_logout(
        &self,
        keys: &Snapshot,
        session: EndedSession<'_>,
        (client_id, jti): (&str, &str),
        now: i64,
    ) -> Result<String, Error> {
        let claims = Claims {
            iss: &self.settings().issuer,
            sub: session.user_id,
            aud: client_id,
            iat: now,
            exp: now.saturating_add(EXPIRY_SECS),
            toe: session.ended_at,
            jti,
            sid: session.session_id,
            events: Events { logout: Empty {} },
        };
        jwt::sign(keys, "logout+jwt", &claims).await
    }
}
