//! authkestra. Its keys come from a URL, so each service has a server for them; they are fetched once.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use authkestra_axum::Jwt;
use authkestra_resource::jwt::JwksCache;
use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use jsonwebtoken_11::Validation;
use portcullis_benches::scenario::{AUDIENCE, Claims, ISSUER};
use portcullis_benches::service;

#[derive(Clone)]
struct AppState {
    keys: Arc<JwksCache>,
    validation: Validation,
}

impl FromRef<AppState> for Arc<JwksCache> {
    fn from_ref(state: &AppState) -> Self {
        state.keys.clone()
    }
}

impl FromRef<AppState> for Validation {
    fn from_ref(state: &AppState) -> Self {
        state.validation.clone()
    }
}

pub async fn protected(jwk: &serde_json::Value) -> Router {
    let keys = JwksCache::new(service::serve_keys(jwk), Duration::from_secs(86_400));
    keys.refresh().await.unwrap();
    let mut validation = Validation::new(jwk["alg"].as_str().unwrap().parse().unwrap());
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    let handler = |Jwt(user): Jwt<Claims>| async move {
        black_box(user);
        "fine"
    };
    let state = AppState { keys: Arc::new(keys), validation };
    Router::new().route("/", get(handler)).with_state(state)
}
