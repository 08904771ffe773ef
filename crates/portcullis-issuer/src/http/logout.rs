//! Logout.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::api::Api;
use super::auth::{RefreshToken, refused, without_cookies};
use super::problem::Problem;
use super::protected::SessionClaims;
use super::{cookies, cross_site, protected};
use crate::domain::audit::EventKind;
use crate::domain::peer::Peer;

/// Ends the session of a credential, and clears the cookies.
///
/// The credential is the first of these that the request has: the refresh token in the JSON body,
/// the access token in the `Authorization` header, the cookie of the refresh token, the cookie of
/// the access token. A spent refresh token also ends its session. An unknown refresh token ends no
/// session, and the response is the same. Without a usable credential, the response is 400 and no
/// session is ended. With an exchanged token, the response is 403.
#[utoipa::path(
    post,
    path = "/v1/auth/logout",
    tag = "sessions",
    request_body = Option<RefreshToken>,
    responses((status = 204, description = "The session has ended, or there was none")),
    security((), ("refresh_cookie" = []), ("access_token" = []), ("access_cookie" = [])),
)]
pub(super) async fn logout(
    State(api): State<Arc<Api>>,
    peer: Peer,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let path = request.uri().path().to_owned();
    let (token, _) = RefreshToken::of_body(request, &api).await?;
    if let Some(token) = token {
        api.domain.sessions.logout(&token, &peer).await?;
        return without_cookies(&api, StatusCode::NO_CONTENT);
    }
    let by_cookie = !headers.contains_key(AUTHORIZATION);
    if by_cookie {
        cross_site::check(&headers, &api.config)?;
        let access = cookies::value(&headers, &cookies::access_name(&api.config));
        match access.and_then(|_| cookies::refresh_token(&headers)) {
            Ok(Some(token)) => {
                api.domain.sessions.logout(token, &peer).await?;
                return without_cookies(&api, StatusCode::NO_CONTENT);
            }
            Ok(None) => {}
            Err(problem) => return refused(&api, problem, &path),
        }
    }
    match session_of_access_token(&api, &headers).await? {
        Some((_, claims)) if claims.has_actor => Err(Problem::NotIssuersOwn),
        Some((_, claims))
            if by_cookie && !protected::is_cookie_matched(&api, &headers, &claims.sid) =>
        {
            refused(&api, Problem::UnmatchedCookie, &path)
        }
        Some((user_id, claims)) => {
            let event = api.domain.audit.event(EventKind::Logout, &peer);
            api.domain.sessions.end(&user_id, &claims.sid, event).await?;
            without_cookies(&api, StatusCode::NO_CONTENT)
        }
        None if by_cookie => without_cookies(&api, Problem::NoSession),
        None => Ok(Problem::NoSession.into_response()),
    }
}

/// Returns the user and the claims of the request's access token, if the token is valid.
async fn session_of_access_token(
    api: &Api,
    headers: &HeaderMap,
) -> Result<Option<(String, SessionClaims)>, Problem> {
    // Another process may have rotated the keys.
    api.domain.keys.current().await?;
    let Ok(Some(caller)) = api.authenticator.attempt(headers).into_future().await else {
        return Ok(None);
    };
    let claims = caller.claims::<SessionClaims>().ok();
    Ok(caller.subject().map(str::to_owned).zip(claims))
}
