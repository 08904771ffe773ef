//! The middleware of the issuer's own routes, and of the routes of an app that embeds the issuer.
//! It validates the token and reads the session's row, so a token whose session has ended is
//! rejected before it expires.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::Response;
use portcullis::{Authenticator, Policy, keys::SharedKeySet};
use portcullis_axum::{Claims, RequireLayer};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use utoipa_axum::router::OpenApiRouter;

use super::api::Api;
use super::problem::Problem;
use super::problem_document::fill;
use super::{auth, cookies};
use crate::config::{IssuerConfig, SecondFactorMode};
use crate::domain::sessions::Session;
use crate::domain::tokens::TWO_FACTORS;
use crate::domain::users::User;
use crate::error::ConfigError;

/// The user and the session of a request, as the store has them now.
///
/// An extractor for handlers of routes behind [`Issuer::protect`](crate::Issuer::protect). On other
/// routes the response is 500, and the reason is logged.
#[derive(Debug, Clone)]
pub struct LiveSession {
    pub(super) session: Session,
    pub(super) user: User,
    /// The `aud` of the request's token.
    pub(super) audience: Vec<String>,
    issuers_own: bool,
    has_actor: bool,
}

impl LiveSession {
    /// Returns the `sid` of the session's tokens.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.session.id
    }

    /// Returns the user's current data. The token has the user's data as they were when it was
    /// issued.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.user
    }
}

impl<S: Sync> FromRequestParts<S> for LiveSession {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get().cloned().ok_or_else(|| {
            tracing::error!("a handler extracts `LiveSession` without `Issuer::protect`");
            StatusCode::INTERNAL_SERVER_ERROR
        })
    }
}

/// Returns the authenticator of the issuer's own routes, which accepts the issuer's own tokens.
pub(crate) async fn authenticator(
    config: &IssuerConfig,
    keys: SharedKeySet,
) -> Result<Authenticator, ConfigError> {
    let mut builder = Authenticator::builder(&config.issuer, &config.issuer)
        .key_source(keys)
        .cookie(cookies::access_name(config))
        // The middleware compares the origin with `Host`, which a proxy may have changed.
        .also_trusted_origin(&config.issuer)
        .clock(Arc::clone(&config.clock));
    for origin in &config.trusted_origins {
        builder = builder.also_trusted_origin(origin);
    }
    builder
        .build()
        .await
        .map_err(|error| ConfigError::new("IDENTSPHERE_ISSUER", &config.issuer, error.to_string()))
}

/// Puts an app's routes behind the middleware and the session check. If a second factor is
/// required, a session without one can use only the issuer's own routes.
pub(crate) fn protect<S>(api: &Arc<Api>, routes: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    if api.config.second_factor == SecondFactorMode::Required {
        protect_any(api, routes.layer(RequireLayer::new(Policy::acr([TWO_FACTORS]))))
    } else {
        protect_any(api, routes)
    }
}

/// Puts routes behind the middleware and the session check.
fn protect_any<S>(api: &Arc<Api>, routes: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let routes = routes.layer(from_fn_with_state(api.clone(), require_live_session));
    portcullis_axum::protect(api.authenticator.clone(), routes)
        .into_router()
        .layer(from_fn_with_state(api.clone(), prepare))
}

/// Puts the issuer's own routes behind the middleware and the session check.
pub(super) fn protect_own(
    api: &Arc<Api>,
    routes: OpenApiRouter<Arc<Api>>,
) -> OpenApiRouter<Arc<Api>> {
    let (routes, document) = routes.split_for_parts();
    let routes = protect_any(api, routes)
        // An unknown path is answered by the app into which this router is merged.
        .reset_fallback()
        .route_layer(map_response(finish));
    OpenApiRouter::with_openapi(document).merge(routes.into())
}

/// Adds a problem document to a refusal of the middleware, and forbids caching.
async fn finish(response: Response) -> Response {
    let mut response = fill(response);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Loads the current keys, since another process may have rotated them, and rejects repeated access
/// cookies. Unlike the authenticator, it also clears these cookies, so that the browser can log in
/// again.
async fn prepare(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let headers = request.headers();
    if !headers.contains_key(AUTHORIZATION)
        && let Err(problem) = cookies::value(headers, &cookies::access_name(&api.config))
    {
        return auth::refused(&api, problem, request.uri().path());
    }
    api.domain.keys.current().await?;
    Ok(next.run(request).await)
}

/// The claims of a session's token that decide whether and where it is accepted.
#[derive(Deserialize)]
pub(super) struct SessionClaims {
    pub(super) sid: String,
    aud: Vec<String>,
    /// Whether the token has `act`: a backend acts for the user (RFC 8693 section 4.1).
    #[serde(rename = "act", default, deserialize_with = "is_present")]
    pub(super) has_actor: bool,
    acr: Option<String>,
    #[serde(default)]
    jti: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    iat: i64,
}

impl SessionClaims {
    /// Returns whether every API that checks `aud` rejects the token, so that clients send it to the
    /// issuer only.
    fn is_for_alone(&self, issuer: &str) -> bool {
        matches!(&*self.aud, [only] if only == issuer)
    }
}

/// Returns `true` for any value: the member counts as present even if it is `null`.
fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Requires a credential that no API has seen. The operations on passwords, second factors, the
/// audit log and accounts need it: an API that receives its users' tokens must not be able to call
/// them for its users.
///
/// Such a credential is a token without `act` whose only audience is the issuer, or the issuer's
/// cookies with the matching `__Host-` cookie, which no API receives.
pub(super) fn require_issuers_own(live: &LiveSession) -> Result<(), Problem> {
    if live.issuers_own { Ok(()) } else { Err(Problem::NotIssuersOwn) }
}

/// Rejects a token with `act` on routes that end sessions. Such a token lets a backend act for its
/// user in single requests; the backend can revoke the token, but must not end the user's sessions.
pub(super) async fn user_only(
    live: LiveSession,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if live.has_actor {
        return Err(Problem::NotIssuersOwn);
    }
    Ok(next.run(request).await)
}

/// [`require_issuers_own`] as a layer, for routes behind [`protect_own`].
pub(super) async fn issuers_own_only(
    live: LiveSession,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    require_issuers_own(&live)?;
    Ok(next.run(request).await)
}

/// Returns whether this host set the request's access cookie. Only this host can set a `__Host-`
/// cookie; a `__Secure-` cookie needs the `__Host-` cookie of the same session beside it.
pub(super) fn is_cookie_matched(api: &Api, headers: &HeaderMap, session_id: &str) -> bool {
    api.config.cookie_domain.is_none() || has_host_cookie(api, headers, session_id)
}

fn has_host_cookie(api: &Api, headers: &HeaderMap, session_id: &str) -> bool {
    let host = cookies::value(headers, cookies::HOST).ok().flatten();
    host.is_some_and(|value| api.domain.host_cookies.is_of_session(value, session_id))
}

async fn require_live_session(
    State(api): State<Arc<Api>>,
    Claims(claims): Claims<SessionClaims>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let headers = request.headers();
    let by_cookie = !headers.contains_key(AUTHORIZATION);
    if by_cookie && !is_cookie_matched(&api, headers, &claims.sid) {
        return auth::refused(&api, Problem::UnmatchedCookie, request.uri().path());
    }
    let issuers_own = !claims.has_actor
        && (claims.is_for_alone(&api.config.issuer)
            || (by_cookie && has_host_cookie(&api, headers, &claims.sid)));
    let SessionClaims { sid, aud, has_actor, acr, jti, client_id, iat } = claims;
    let (session, user) = api.domain.sessions.live(&sid).await?.ok_or(Problem::SessionOver)?;
    // The token states a second factor that has been removed since. A refresh gives another token.
    if acr.as_deref() == Some(TWO_FACTORS) && session.stepped_up_at.is_none() {
        return Err(Problem::TokenRevoked);
    }
    if has_actor && !api.domain.introspection.may_still_act(&jti, &client_id, iat).await? {
        return Err(Problem::TokenRevoked);
    }
    let live = LiveSession { session, user, audience: aud, issuers_own, has_actor };
    request.extensions_mut().insert(live);
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_token_for_the_issuer_alone_and_without_act_is_own() {
        const ISSUER: &str = "https://auth.example.com";
        const API: &str = "https://api.example.com";
        for (claims, own) in [
            (json!({ "sid": "s", "aud": [ISSUER] }), true),
            (json!({ "sid": "s", "aud": [ISSUER, API] }), false),
            (json!({ "sid": "s", "aud": [API] }), false),
            (json!({ "sid": "s", "aud": [ISSUER, ISSUER] }), false),
            (json!({ "sid": "s", "aud": [] }), false),
            (json!({ "sid": "s", "aud": null }), false),
            (json!({ "sid": "s" }), false),
            (json!({ "sid": "s", "aud": [ISSUER], "act": { "sub": "backend" } }), false),
            (json!({ "sid": "s", "aud": [ISSUER], "act": null }), false),
        ] {
            let read = serde_json::from_value::<SessionClaims>(claims.clone());
            let is_own = read.is_ok_and(|read| read.is_for_alone(ISSUER) && !read.has_actor);
            assert_eq!(is_own, own, "{claims}");
        }
    }
}
