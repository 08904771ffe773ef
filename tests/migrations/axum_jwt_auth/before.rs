use std::sync::Arc;

use axum::extract::FromRef;
use axum::{Router, routing::get};
use axum_jwt_auth::{Claims, Decoder, LocalDecoder};
use jsonwebtoken_10::{DecodingKey, Validation};
use serde::Deserialize;

#[derive(Clone, Deserialize)]
pub struct User {
    pub sub: String,
}

#[derive(Clone)]
struct AppState(Decoder<User>);

impl FromRef<AppState> for Decoder<User> {
    fn from_ref(state: &AppState) -> Self {
        state.0.clone()
    }
}

async fn greet(user: Claims<User>) -> String {
    format!("hello {}", user.claims.sub)
}

pub fn app(key: DecodingKey, validation: Validation) -> Router {
    let decoder = LocalDecoder::builder().keys(vec![key]).validation(validation).build().unwrap();
    Router::new().route("/", get(greet)).with_state(AppState(Arc::new(decoder)))
}
