//! The issuer's own routes: the middleware that it recommends to everyone, and one look at the
//! session's row. So a token whose session is over manages nothing, though it has not expired.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tollgate::{Authenticator, SharedKeySet};
use tollgate_axum::Claims;
use utoipa_axum::router::OpenApiRouter;

use super::cookies;
use super::problem::{self, Problem};
use crate::config::{ConfigError, IssuerConfig};
use crate::error::Error;
use crate::issuer::Issuer;
use crate::store::{Session, User};

/// Who calls, and in which session. In the extensions of every request that gets through.
#[derive(Debug, Clone)]
pub(super) struct LiveSession {
    pub(super) session: Session,
    pub(super) user: User,
}

/// The authenticator of the issuer's own routes: it takes what the issuer itself issued.
pub(crate) async fn authenticator(
    config: &IssuerConfig,
    keys: SharedKeySet,
) -> Result<Authenticator, ConfigError> {
    Authenticator::builder(&config.issuer, &config.issuer)
        .key_source(keys)
        .cookie(cookies::access_name(config))
        // A proxy in front may have changed the Host that the middleware would compare with.
        .trusted_origin(&config.issuer)
        .clock(Arc::clone(&config.clock))
        .build()
        .await
        .map_err(|error| ConfigError::new("IDENTSPHERE_ISSUER", &config.issuer, error.to_string()))
}

/// Puts the routes behind the middleware and the session check.
pub(super) fn protect(issuer: &Issuer, routes: OpenApiRouter<Issuer>) -> OpenApiRouter<Issuer> {
    let (routes, document) = routes.split_for_parts();
    let routes = routes.route_layer(from_fn_with_state(issuer.clone(), require_live_session));
    let routes = tollgate_axum::protect(issuer.authenticator().clone(), routes)
        .into_router()
        // A path that leads nowhere is for the app to answer that this is merged into.
        .reset_fallback()
        .route_layer(map_response(finish))
        .route_layer(from_fn_with_state(issuer.clone(), know_the_keys));
    OpenApiRouter::with_openapi(document).merge(routes.into())
}

/// Says what a refusal of the middleware means, and keeps a user's own affairs out of caches.
async fn finish(response: Response) -> Response {
    let mut response = problem::fill(response);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Another process may have rotated the keys; its tokens must be known here.
async fn know_the_keys(State(issuer): State<Issuer>, request: Request, next: Next) -> Response {
    if let Err(error) = issuer.ring().current().await {
        return Problem::from(error).into_response();
    }
    next.run(request).await
}

#[derive(Deserialize)]
struct SessionClaim {
    sid: String,
}

async fn require_live_session(
    State(issuer): State<Issuer>,
    Claims(SessionClaim { sid }): Claims<SessionClaim>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (session, user) = issuer
        .store()
        .live_session(&sid, issuer.now())
        .await
        .map_err(Error::from)?
        .ok_or(Problem::SessionOver)?;
    request.extensions_mut().insert(LiveSession { session, user });
    Ok(next.run(request).await)
}
