//! The service on axum.

use std::net::SocketAddr;

use axum::extract::FromRequestParts as _;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use portcullis::token::Foreign;
use portcullis_axum::{Caller, Claims, Rejection, RequireLayer, protect};
use portcullis_testing::conformance::{Suite, Unfit, role_policy, scope_policy, step_up_policy};
use tokio::net::TcpListener;

use crate::KIND;

async fn who(caller: Option<Caller>) -> impl IntoResponse {
    let who = caller.as_ref().and_then(|Caller(who)| who.subject());
    ([(CONTENT_TYPE, KIND)], who.unwrap_or("anonymous").to_owned())
}

/// A caller, or a foreign credential that this handler accepts.
async fn known(
    foreign: Option<Extension<Foreign>>,
    mut parts: Parts,
) -> Result<Response, Rejection> {
    if foreign.is_some() {
        return Ok(([(CONTENT_TYPE, KIND)], "foreign").into_response());
    }
    let caller = Option::<Caller>::from_request_parts(&mut parts, &()).await?;
    Ok(who(caller).await.into_response())
}

async fn inside(Caller(who): Caller) -> Result<impl IntoResponse, Rejection> {
    who.require(&role_policy())?;
    Ok(([(CONTENT_TYPE, KIND)], who.subject().unwrap_or_default().to_owned()))
}

async fn unfit(Claims(Unfit { tenant }): Claims<Unfit>) -> String {
    tenant.to_string()
}

pub(crate) async fn serve(suite: &Suite) -> SocketAddr {
    let require = |policy| any(who).layer(RequireLayer::new(policy));
    let strict = Router::new()
        .route("/", any(who))
        .route("/scope", require(scope_policy()))
        .route("/method", get(who).merge(post(who).layer(RequireLayer::new(scope_policy()))))
        .route("/role", require(role_policy()))
        .route("/step-up", require(step_up_policy()))
        .route("/inside", any(inside))
        .route("/unfit", any(unfit))
        .fallback(who);
    let optional = Router::new()
        .route("/optional", any(who))
        .route("/optional-scope", require(scope_policy()));
    let foreign = Router::new()
        .route("/foreign", any(known))
        .route("/foreign-maybe", any(who))
        .route("/foreign-scope", require(scope_policy()));
    let app = Router::new()
        .route("/require-alone", require(scope_policy()))
        .route("/maybe-alone", any(who))
        .route("/caller-alone", any(async |Caller(_): Caller| ()))
        .merge(protect(suite.optional.clone(), optional).without_metadata())
        .merge(protect(suite.foreign.clone(), foreign).without_metadata())
        .merge(protect(suite.strict.clone(), strict).open_route("/health", any(who)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}
