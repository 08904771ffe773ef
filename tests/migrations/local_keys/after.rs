use axum::{Router, routing::get};
use portcullis_axum::portcullis::Authenticator;
use portcullis_axum::{Claims, protect};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct User {
    pub sub: String,
}

async fn greet(Claims(user): Claims<User>) -> String {
    format!("hello {}", user.sub)
}

pub fn app(auth: Authenticator) -> Router {
    protect(auth, Router::new().route("/", get(greet))).into_router()
}
