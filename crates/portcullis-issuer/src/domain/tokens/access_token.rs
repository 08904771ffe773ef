//! Access tokens: the JWT profile of RFC 9068.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::clock::secs;
use crate::config::IssuerConfig;
use crate::domain::keys::Snapshot;
use crate::domain::sessions::Session;
use crate::domain::tokens::Place;
use crate::domain::tokens::status_lists;
use crate::domain::users::User;
use crate::error::Error;
use crate::metrics;

/// The `client_id` of tokens that come from the issuer's own login, which knows no other clients: a
/// public one, that has no secret.
pub(crate) const FIRST_PARTY: &str = "identsphere-first-party";

/// The `acr` of a login by password alone, and after a second factor: authenticator assurance
/// levels 1 and 2 of NIST SP 800-63B; and the `amr` (RFC 8176).
const PASSWORD_ONLY: (&str, &[&str]) = ("aal1", &["pwd"]);
pub(crate) const TWO_FACTORS: (&str, &[&str]) = ("aal2", &["pwd", "otp", "mfa"]);

/// RFC 9068 section 2.1.
#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    kid: &'a str,
}

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
    /// Left out when empty: a scope has at least one token (RFC 6749 section 3.3).
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    /// Only a user has them, as all that follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<&'a [String]>,
    /// The session, so that the issuer's own routes can refuse a token whose session is over.
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

/// Where a status list says whether it was revoked (draft-ietf-oauth-status-list section 6.2).
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
    fn at(config: &IssuerConfig, place: Place) -> Self {
        let uri = status_lists::uri(config, place.list);
        Self { status_list: Listed { idx: place.index, uri } }
    }
}

/// Issues an access token of `session` to `user`.
pub(crate) async fn issue(
    keys: &Snapshot,
    config: &IssuerConfig,
    user: &User,
    session: &Session,
    now: i64,
) -> Result<String, Error> {
    let (acr, amr) = if session.stepped_up_at.is_some() { TWO_FACTORS } else { PASSWORD_ONLY };
    let claims = Claims {
        iss: &config.issuer,
        sub: &user.id,
        aud: audiences(config),
        exp: now.saturating_add(secs(config.access_expiry)),
        iat: now,
        jti: crate::random::hex_id()?,
        client_id: FIRST_PARTY,
        scope: user.scopes.join(" "),
        roles: Some(&user.roles),
        sid: Some(&session.id),
        auth_time: Some(session.stepped_up_at.unwrap_or(session.created_at)),
        acr: Some(acr),
        amr: Some(amr),
        status: session.place.map(|place| Status::at(config, place)),
    };
    sign_access_token(keys, &claims).await
}

/// Issues an access token to a machine client, in its own name: the `sub` is the client (RFC 9068
/// section 2.2). Without a session there is nothing of the issuer's own that it could do with it.
pub(crate) async fn issue_to_client(
    keys: &Snapshot,
    config: &IssuerConfig,
    (client_id, place): (&str, Place),
    scope: String,
    aud: Vec<&str>,
    now: i64,
) -> Result<String, Error> {
    let claims = Claims {
        iss: &config.issuer,
        sub: client_id,
        aud,
        exp: now.saturating_add(secs(config.access_expiry)),
        iat: now,
        jti: crate::random::hex_id()?,
        client_id,
        scope,
        roles: None,
        sid: None,
        auth_time: None,
        acr: None,
        amr: None,
        status: Some(Status::at(config, place)),
    };
    sign_access_token(keys, &claims).await
}

async fn sign_access_token(keys: &Snapshot, claims: &Claims<'_>) -> Result<String, Error> {
    let token = sign(keys, "at+jwt", claims).await?;
    metrics::token_issued(keys.active.algorithm().as_str());
    Ok(token)
}

/// Signs a JWT of this `typ`.
pub(crate) async fn sign(
    keys: &Snapshot,
    typ: &'static str,
    claims: &impl Serialize,
) -> Result<String, Error> {
    let (alg, kid) = (keys.active.algorithm().as_str(), keys.active.kid());
    let header = Header { typ, alg, kid };
    // As long as most are, with the signature.
    let mut token = String::with_capacity(1024);
    encode(&header, &mut token)?;
    token.push('.');
    encode(claims, &mut token)?;
    keys.sign(token).await
}

/// The issuer itself, whose own routes take the token too, and then the configured APIs.
fn audiences(config: &IssuerConfig) -> Vec<&str> {
    let mut audiences = vec![config.issuer.as_str()];
    for audience in &config.audiences {
        if !audiences.contains(&audience.as_str()) {
            audiences.push(audience);
        }
    }
    audiences
}

fn encode(part: &impl Serialize, to: &mut String) -> Result<(), Error> {
    serde_json::to_vec(part)
        .map(|json| URL_SAFE_NO_PAD.encode_string(json, to))
        .map_err(|_| Error::Crypto("serializing a token"))
}
