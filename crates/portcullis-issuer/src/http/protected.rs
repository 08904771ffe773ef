//! The middleware that the issuer recommends to everyone, and one look at the session's row
//! behind it: for its own routes, and for those of an app that has it inside. So a token whose
//! session is over manages nothing, though it has not expired.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use portcullis::{Authenticator, keys::SharedKeySet};
use portcullis_axum::Claims;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use super::api::Api;
use super::cookies;
use super::problem::{self, Problem};
use crate::config::IssuerConfig;
use crate::domain::sessions::Session;
use crate::domain::users::User;
use crate::error::ConfigError;

/// Who calls, and in which session, as the store has them at this very request.
///
/// A handler's argument on the routes behind [`Issuer::protect`](crate::Issuer::protect); on others it answers 500, and the
/// log says why.
#[derive(Debug, Clone)]
pub struct LiveSession {
    pub(super) session: Session,
    pub(super) user: User,
}

impl LiveSession {
    /// The `sid` of the session's tokens.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.session.id
    }

    /// The user as they are now; the token says how they were when it was issued.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.user
    }
}

impl<S: Sync> FromRequestParts<S> for LiveSession {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get().cloned().ok_or_else(|| {
            tracing::error!("a handler asks for the session of a route without `Issuer::protect`");
            StatusCode::INTERNAL_SERVER_ERROR
        })
    }
}

/// The authenticator of the issuer's own routes: it takes what the issuer itself issued.
pub(crate) async fn authenticator(
    config: &IssuerConfig,
    keys: SharedKeySet,
) -> Result<Authenticator, ConfigError> {
    let mut builder = Authenticator::builder(&config.issuer, &config.issuer)
        .key_source(keys)
        .cookie(cookies::access_name(config))
        // A proxy in front may have changed the Host that the middleware would compare with.
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

/// Puts routes behind the middleware and the session check.
pub(crate) fn protect<S>(api: &Arc<Api>, routes: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let routes = routes.layer(from_fn_with_state(api.clone(), require_live_session));
    portcullis_axum::protect(api.authenticator.clone(), routes)
        .into_router()
        .layer(from_fn_with_state(api.clone(), know_the_keys))
}

/// The same for the issuer's own routes.
pub(super) fn protect_own(
    api: &Arc<Api>,
    routes: OpenApiRouter<Arc<Api>>,
) -> OpenApiRouter<Arc<Api>> {
    let (routes, document) = routes.split_for_parts();
    let routes = protect(api, routes)
        // A path that leads nowhere is for the app to answer that this is merged into.
        .reset_fallback()
        .route_layer(map_response(finish));
    OpenApiRouter::with_openapi(document).merge(routes.into())
}

/// Says what a refusal of the middleware means, and keeps a user's own affairs out of caches.
async fn finish(response: Response) -> Response {
    let mut response = problem::fill(response);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Another process may have rotated the keys; its tokens must be known here.
async fn know_the_keys(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if let Err(error) = api.domain.keys.current().await {
        return Problem::from(error).into_response();
    }
    next.run(request).await
}

/// The claim that names a session.
#[derive(Deserialize)]
pub(super) struct SessionClaim {
    pub(super) sid: String,
}

async fn require_live_session(
    State(api): State<Arc<Api>>,
    Claims(SessionClaim { sid }): Claims<SessionClaim>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (session, user) = api.domain.sessions.live(&sid).await?.ok_or(Problem::SessionOver)?;
    request.extensions_mut().insert(LiveSession { session, user });
    Ok(next.run(request).await)
}
