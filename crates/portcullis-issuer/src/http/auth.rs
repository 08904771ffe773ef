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
use super::body::JsonBody;
use super::problem::Problem;
use super::{cookies, cross_site};
use crate::domain::login::Login;
use crate::domain::peer::Peer;
use crate::domain::sessions::Grant;
use crate::error::Error;

/// A name, a password, and a code of a user who has a second factor.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    /// Case-insensitive.
    username: String,
    password: String,
    /// What the authenticator app shows, or a recovery code.
    code: Option<String>,
    /// The APIs that the access token is for (RFC 8707), the issuer's URL among them if it is for
    /// the issuer. Without it, those of the settings.
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
    /// How many seconds the access token is good for.
    expires_in: u64,
    /// Good for one refresh. Absent after a step-up, where the session keeps the current one,
    /// and where a browser keeps it in its cookie: for a page, and who came with the cookie.
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
/// A user who has a second factor sends a code with them. Without one the answer is 401 with the
/// problem `second-factor-needed`, and the client sends all three.
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
    JsonBody(Credentials { username, password, code, resource }): JsonBody<Credentials>,
) -> Result<Response, Problem> {
    // Another site's page must not log its visitor in as another user.
    cross_site::check(&headers, &api.config)?;
    let password = Zeroizing::new(password);
    let code = code.map(Zeroizing::new);
    let code = code.as_ref().map(|code| code.as_str());
    let audience = api.audience(&resource)?;
    match api.domain.logins.login(&username, password, code, &audience, &peer).await? {
        Login::Begun(grant) => hand_out(&api, &grant, Keeper::of(&headers)),
        Login::Wrong => Err(Problem::WrongCredentials),
        Login::CodeNeeded => Err(Problem::SecondFactorNeeded),
        Login::WrongCode => Err(Problem::WrongCode),
        Login::Locked => Err(Problem::SecondFactorLocked),
    }
}

/// Exchanges a refresh token, from the body or else from its cookie, for new tokens.
#[utoipa::path(
    post,
    path = "/v1/auth/refresh",
    tag = "sessions",
    request_body = Option<RefreshToken>,
    responses((status = 200, description = "The session's tokens from now on", body = Tokens<'_>)),
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
    // A cookie with a token for an API alone would be rejected by the issuer's own routes.
    if grant.for_issuer {
        cookies::set_access(headers, config, &grant.access_token).map_err(no_header)?;
    }
    let host_cookie = api.domain.host_cookies.value(&grant.session_id, &grant.refresh_token);
    cookies::set_session(headers, config, &grant.refresh_token, &host_cookie).map_err(no_header)?;
    Ok(response)
}

/// Returns a problem, and takes all cookies back if it is about them: a browser that keeps planted
/// ones could not log in again.
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

/// Tokens and checked settings are all visible ASCII, so this is never met.
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
    /// The cookie's if it is absent.
    refresh_token: Option<String>,
    /// As for a login. It is for the new access token alone: the next one may be for others.
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
        // Without a content type there is no body: the browser's case.
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
        // A client that sends the token itself may be anywhere; a browser adds the cookie.
        cross_site::check(&headers, &api.config)?;
        let token = cookies::refresh_token(&headers)?.ok_or(Problem::NoRefreshToken)?;
        Ok(Self { token: Zeroizing::new(token.to_owned()), resource, keeper: Keeper::Browser })
    }
}
