//! Login, refresh and logout.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::body::JsonBody;
use super::problem::Problem;
use super::{cookies, cross_site};
use crate::client::Client;
use crate::error::Error;
use crate::issuer::Issuer;
use crate::sessions::Grant;

#[derive(Deserialize)]
pub(super) struct Credentials {
    username: String,
    password: String,
}

/// `POST /v1/auth/login`
pub(super) async fn login(
    State(issuer): State<Issuer>,
    client: Client,
    JsonBody(Credentials { username, password }): JsonBody<Credentials>,
) -> Result<Response, Problem> {
    let password = Zeroizing::new(password);
    let grant = issuer.login(&username, password, client).await?;
    hand_out(&issuer, &grant.ok_or(Problem::WrongCredentials)?)
}

/// `POST /v1/auth/refresh`
pub(super) async fn refresh(
    State(issuer): State<Issuer>,
    client: Client,
    PresentedToken { token, from_cookie }: PresentedToken,
) -> Result<Response, Problem> {
    match issuer.refresh(&token, &client).await? {
        Some(grant) => hand_out(&issuer, &grant),
        None if from_cookie => without_cookies(&issuer, Problem::WrongRefreshToken),
        None => Err(Problem::WrongRefreshToken),
    }
}

/// `POST /v1/auth/logout`. Without a refresh token there is no session to be ended, but there may
/// be an access cookie to be taken back.
pub(super) async fn logout(
    State(issuer): State<Issuer>,
    client: Client,
    presented: Result<PresentedToken, Problem>,
) -> Result<Response, Problem> {
    match presented {
        Ok(PresentedToken { token, .. }) => issuer.logout(&token, &client).await?,
        Err(Problem::NoRefreshToken) => {}
        Err(problem) => return Err(problem),
    }
    without_cookies(&issuer, StatusCode::NO_CONTENT)
}

/// The answer to a login or a refresh, in the shape of RFC 6749 section 5.1.
fn hand_out(issuer: &Issuer, grant: &Grant) -> Result<Response, Problem> {
    let config = issuer.config();
    let body = json!({
        "access_token": grant.access_token,
        "token_type": "Bearer",
        "expires_in": config.access_expiry.as_secs(),
        "refresh_token": grant.refresh_token.as_str(),
        "scope": grant.scope,
        "session_id": grant.session_id,
    });
    let mut response = Json(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    cookies::set(headers, config, &grant.access_token, &grant.refresh_token).map_err(no_header)?;
    Ok(response)
}

pub(super) fn without_cookies(
    issuer: &Issuer,
    answer: impl IntoResponse,
) -> Result<Response, Problem> {
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    cookies::clear(headers, issuer.config()).map_err(no_header)?;
    Ok(response)
}

/// Tokens and checked settings are all visible ASCII, so this is never met.
pub(super) fn no_header(_: axum::http::header::InvalidHeaderValue) -> Problem {
    Problem::from(Error::Crypto("writing a cookie"))
}

/// A refresh token from the JSON body or else from the cookie.
pub(super) struct PresentedToken {
    token: Zeroizing<String>,
    from_cookie: bool,
}

#[derive(Deserialize)]
struct RefreshBody {
    refresh_token: Option<String>,
}

impl FromRequest<Issuer> for PresentedToken {
    type Rejection = Problem;

    async fn from_request(request: Request, issuer: &Issuer) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        // Without a content type there is no body to speak of: the browser's case.
        if headers.contains_key(CONTENT_TYPE) {
            let JsonBody(body) = JsonBody::<RefreshBody>::from_request(request, issuer).await?;
            if let Some(token) = body.refresh_token {
                return Ok(Self { token: Zeroizing::new(token), from_cookie: false });
            }
        }
        // Whoever has the token itself in hand may be anywhere; a cookie comes by itself.
        cross_site::check(&headers, &issuer.config().issuer)?;
        let token = cookies::refresh_token(&headers)?.ok_or(Problem::NoRefreshToken)?;
        Ok(Self { token: Zeroizing::new(token.to_owned()), from_cookie: true })
    }
}
