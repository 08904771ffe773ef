//! The peer that still requires axum 0.7.

use std::hint::black_box;
use std::io::Read as _;

use ::axum_07::Router;
use ::axum_07::body::Body;
use ::axum_07::routing::get;
use http::{HeaderMap, Request};
use jwt_authorizer::{IntoLayer as _, JwtAuthorizer, JwtClaims, Validation};
use portcullis_benches::scenario::{AUDIENCE, Claims, ISSUER, at_once};
use serde_json::json;
use tower::ServiceExt as _;

pub fn bare() -> Router {
    Router::new().route("/", get(|| async { "fine" }))
}

pub async fn protected(jwk: &serde_json::Value) -> Router {
    let validation = Validation::new().iss(&[ISSUER]).aud(&[AUDIENCE]).nbf(true);
    let authorizer = JwtAuthorizer::<Claims>::from_jwks_text(&json!({"keys": [jwk]}).to_string())
        .validation(validation)
        .build()
        .await
        .unwrap();
    let handler = |JwtClaims(user): JwtClaims<Claims>| async move {
        black_box(user);
        "fine"
    };
    Router::new().route("/", get(handler)).layer(authorizer.into_layer())
}

pub fn call(router: &Router, headers: &HeaderMap) {
    let mut request = Request::new(Body::empty());
    request.headers_mut().clone_from(headers);
    let response = at_once(router.clone().oneshot(request)).unwrap();
    assert_eq!(response.status(), 200);
    drop(black_box(response));
}

/// Serves `router` like `portcullis_benches::service::serve`, on axum 0.7.
pub fn serve(router: Router) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        ::axum_07::serve(listener, router).await.unwrap();
    });
}
