//! The authorization service that the proxy asks about each request.

use axum::Router;
use axum::http::{HeaderValue, StatusCode};
use axum::routing::any;
use portcullis_axum::portcullis::{Authenticator, Policy};
use portcullis_axum::{Caller, RequireLayer, protect};

/// Sends the caller's subject to the proxy. A subject that is not a valid header value gets a 403.
async fn authorize(Caller(who): Caller) -> Result<[(&'static str, HeaderValue); 1], StatusCode> {
    let subject = who.subject().filter(|subject| !subject.is_empty());
    let subject = subject.filter(|subject| subject.bytes().all(|byte| byte.is_ascii_graphic()));
    let value = subject.and_then(|subject| HeaderValue::from_str(subject).ok());
    Ok([("x-auth-subject", value.ok_or(StatusCode::FORBIDDEN)?)])
}

pub(crate) fn authority(auth: Authenticator) -> Router {
    let read = RequireLayer::new(Policy::scopes(["orders:read"]));
    protect(auth, Router::new().route("/authorize", any(authorize).layer(read))).into_router()
}
