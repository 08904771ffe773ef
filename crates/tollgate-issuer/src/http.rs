//! The issuer over HTTP: which path leads where. Everything else is below.

mod audit;
mod auth;
mod body;
mod client;
mod cookies;
mod cross_site;
mod problem;
mod protected;
mod second_factor;
mod sessions;
mod users;
mod well_known;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use tollgate::Policy;
use tollgate_axum::RequireLayer;

pub(crate) use self::problem::no_such_page;
pub(crate) use self::protected::authenticator;
use crate::audit::AUDIT_SCOPE;
use crate::issuer::Issuer;

/// More than any body that makes sense here: a name and a password.
const MAX_BODY_BYTES: usize = 16 * 1024;

pub(crate) fn router(issuer: &Issuer) -> Router {
    let open = Router::new()
        .route("/v1/auth/login", post(auth::login))
        .route("/v1/auth/refresh", post(auth::refresh))
        .route("/v1/auth/logout", post(auth::logout))
        .route("/.well-known/jwks.json", get(well_known::jwks))
        .route("/.well-known/openid-configuration", get(well_known::metadata))
        .route("/.well-known/oauth-authorization-server", get(well_known::metadata))
        .route("/healthz", get(well_known::health));
    let open = if issuer.config().registration {
        open.route("/v1/auth/register", post(users::register))
    } else {
        open
    };
    let for_auditors = RequireLayer::new(Policy::scopes([AUDIT_SCOPE]));
    let just_stepped_up = RequireLayer::new(second_factor::just_stepped_up());
    let totp = delete(second_factor::remove)
        .route_layer(just_stepped_up)
        .merge(post(second_factor::enrol));
    let own = Router::new()
        .route("/v1/users/me", get(users::me))
        .route("/v1/auth/sessions", get(sessions::list))
        .route("/v1/auth/sessions/{id}", delete(sessions::end))
        .route("/v1/auth/logout-everywhere", post(sessions::end_all))
        .route("/v1/auth/step-up", post(second_factor::step_up))
        .route("/v1/auth/totp", totp)
        .route("/v1/audit", get(audit::events).route_layer(for_auditors));
    open.merge(protected::protect(issuer, own))
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(issuer.clone())
}
