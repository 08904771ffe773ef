//! Login and refresh.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::api::Api;
use super::asserted::Asserted;
use super::body::JsonBody;
use super::problem::Problem;
use super::{cookies, cross_site};
use crate::domain::login::{Login, Shown};
use crate::domain::peer::Peer;
use crate::domain::sessions::Grant;
use crate::error::Error;

/// A name, a password and, if the user has a second factor, a code.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    /// The user's name, case-insensitive.
    username: String,
    password: String,
    /// The code that the authenticator app shows, or a recovery code.
    code: Option<String>,
    /// A passkey, instead of the code.
    passkey: Option<Asserted>,
    /// The APIs that the access token is for (RFC 8707); the issuer's URL selects the issuer
    /// itself. Without resources, the issuer's settings decide.
    #[serde(default)]
    #[schema(required = false)]
    resource: Vec<String>,
}

/// Tokens, in the shape of RFC 6749 section 5.1.
#[derive(Serialize, ToSchema)]
pub(super) struct Tokens<'t> {
    /// A JWT (RFC 9068).
    access_token: &'t str,
    /// Always `Bearer`.
    token_type: &'static str,
    /// The lifetime of the access token, in seconds.
    expires_in: u64,
    /// The refresh token, valid for one refresh. It is absent after a step-up, in which the session
    /// keeps the current refresh token. It is also absent for a page, and for a request with the
    /// refresh cookie, since the browser keeps the token in the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<&'t str>,
    /// The scopes, separated by spaces.
    scope: &'t str,
    /// The `sid` of the token.
    session_id: &'t str,
}

impl<'t> Tokens<'t> {
    pub(super) fn of_session(
        api: &Api,
        access_token: &'t str,
        scope: &'t str,
        session_id: &'t str,
    ) -> Self {
        let expires_in = api.config.access_expiry.as_secs();
        let token_type = "Bearer";
        Self { access_token, token_type, expires_in, refresh_token: None, scope, session_id }
    }
}

/// Begins a session, with a name and a password. The tokens are in the body and in cookies.
///
/// A user who has a second factor also sends a code or a passkey. Without them the response is 401
/// with the problem `second-factor-needed`, and the client sends name, password and one of them.
#[utoipa::path(
    post,
    path = "/v1/auth/login",
    tag = "sessions",
    request_body = Credentials,
    responses((status = 200, description = "The session's first tokens", body = Tokens<'_>)),
)]
pub(super) async fn login(
    State(api): State<Arc<Api>>,
    peer: Peer,
    headers: HeaderMap,
    JsonBody(Credentials { username, password, code, passkey, resource }): JsonBody<Credentials>,
) -> Result<Response, Problem> {
    // Another site's page must not log its visitor in as another user.
    cross_site::check(&headers, &api.config)?;
    let password = Zeroizing::new(password);
    let shown = match (code.map(Zeroizing::new), passkey) {
        (None, None) => Shown::Nothing,
        (Some(code), None) => Shown::Code(code),
        (None, Some(passkey)) => Shown::Passkey(Box::new(passkey.into())),
        (Some(_), Some(_)) => return Err(Problem::WrongFields),
    };
    let audience = api.audience(&resource)?;
    match api.domain.logins.login(&username, password, shown, &audience, &peer).await? {
        Login::Begun(grant) => hand_out_login(&api, &grant, &headers),
        Login::Wrong => Err(Problem::WrongCredentials),
        Login::CodeNeeded => Err(Problem::SecondFactorNeeded),
        Login::WrongCode => Err(Problem::WrongCode),
        Login::WrongPasskey => Err(Problem::WrongPasskey),
        Login::Locked => Err(Problem::SecondFactorLocked),
    }
}

/// The response to a login that began a session.
pub(super) fn hand_out_login(
    api: &Api,
    grant: &Grant,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    hand_out(api, grant, Keeper::of(headers))
}

/// Exchanges a refresh token for new tokens. The refresh token is taken from the body, or else from
/// its cookie.
#[utoipa::path(
    post,
    path = "/v1/auth/refresh",
    tag = "sessions",
    request_body = Option<RefreshToken>,
    responses((status = 200, description = "The session's new tokens", body = Tokens<'_>)),
    security((), ("refresh_cookie" = [])),
)]
pub(super) async fn refresh(
    State(api): State<Arc<Api>>,
    peer: Peer,
    uri: Uri,
    presented: Result<PresentedToken, Problem>,
) -> Result<Response, Problem> {
    let PresentedToken { token, resource, keeper } = match presented {
        Ok(presented) => presented,
        Err(problem) => return refused(&api, problem, uri.path()),
    };
    let audience = api.audience(&resource)?;
    match (api.domain.sessions.refresh(&token, &audience, &peer).await?, keeper) {
        (Some(grant), _) => hand_out(&api, &grant, keeper),
        (None, Keeper::Browser) => without_cookies(&api, Problem::WrongRefreshToken),
        (None, Keeper::Client) => Err(Problem::WrongRefreshToken),
    }
}

/// The party that keeps the refresh token.
#[derive(Clone, Copy)]
enum Keeper {
    /// The client itself.
    Client,
    /// The browser, in a cookie that no page, and so no injected script, can read.
    Browser,
}

impl Keeper {
    /// Browsers name the page's origin in every `POST`.
    fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(ORIGIN) { Self::Browser } else { Self::Client }
    }
}

/// The answer to a login or a refresh.
fn hand_out(api: &Api, grant: &Grant, keeper: Keeper) -> Result<Response, Problem> {
    let config = &api.config;
    let body = Tokens {
        refresh_token: matches!(keeper, Keeper::Client).then_some(&*grant.refresh_token),
        ..Tokens::of_session(api, &grant.access_token, &grant.scope, &grant.session_id)
    };
    let mut response = Json(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The issuer's own routes would reject a cookie with a token that is for an API alone.
    if grant.for_issuer {
        cookies::set_access(headers, config, &grant.access_token).map_err(no_header)?;
    }
    let host_cookie = api.domain.host_cookies.value(&grant.session_id, &grant.refresh_token);
    cookies::set_session(headers, config, &grant.refresh_token, &host_cookie).map_err(no_header)?;
    Ok(response)
}

/// Returns a problem, and clears all cookies if the problem is about them: a browser that keeps
/// planted cookies could not log in again.
pub(super) fn refused(api: &Api, problem: Problem, path: &str) -> Result<Response, Problem> {
    if !matches!(problem, Problem::AmbiguousCookie | Problem::UnmatchedCookie) {
        return Err(problem);
    }
    let mut response = problem.into_response();
    cookies::clear_planted(response.headers_mut(), &api.config, path).map_err(no_header)?;
    Ok(response)
}

pub(super) fn without_cookies(api: &Api, answer: impl IntoResponse) -> Result<Response, Problem> {
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    cookies::clear(headers, &api.config).map_err(no_header)?;
    Ok(response)
}

/// Returns the problem for a cookie that is not a valid header value. This problem never occurs:
/// tokens and checked settings are visible ASCII.
pub(super) fn no_header(_: axum::http::header::InvalidHeaderValue) -> Problem {
    Problem::from(Error::Crypto("writing a cookie"))
}

/// A refresh token from the JSON body or else from the cookie.
pub(super) struct PresentedToken {
    token: Zeroizing<String>,
    resource: Vec<String>,
    keeper: Keeper,
}

/// A session's refresh token.
#[derive(Deserialize, ToSchema)]
pub(super) struct RefreshToken {
    /// The refresh token. If it is absent, the cookie's is used.
    refresh_token: Option<String>,
    /// The APIs that the new access token is for, as at login. It does not affect later refreshes.
    #[serde(default)]
    #[schema(required = false)]
    resource: Vec<String>,
}

impl RefreshToken {
    /// Reads the token and the resources of the JSON body.
    pub(super) async fn of_body(
        request: Request,
        api: &Arc<Api>,
    ) -> Result<(Option<Zeroizing<String>>, Vec<String>), Problem> {
        // A browser that sends the cookie sends no body, and so no content type.
        if !request.headers().contains_key(CONTENT_TYPE) {
            return Ok((None, Vec::new()));
        }
        let JsonBody(body) = JsonBody::<Option<Self>>::from_request(request, api).await?;
        let Some(Self { refresh_token, resource }) = body else { return Ok((None, Vec::new())) };
        Ok((refresh_token.map(Zeroizing::new), resource))
    }
}

impl FromRequest<Arc<Api>> for PresentedToken {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let (token, resource) = RefreshToken::of_body(request, api).await?;
        if let Some(token) = token {
            return Ok(Self { token, resource, keeper: Keeper::Client });
        }
        // Only the cookie needs this check: a browser adds it to requests of other sites, too.
        cross_site::check(&headers, &api.config)?;
        let token = cookies::refresh_token(&headers)?.ok_or(Problem::NoRefreshToken)?;
        Ok(Self { token: Zeroizing::new(token.to_owned()), resource, keeper: Keeper::Browser })
    }
}
