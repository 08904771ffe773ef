use axum::extract::FromRequestParts;
use axum::{Router, routing::get};
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use jsonwebtoken::{DecodingKey, Validation, decode};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct User {
    pub sub: String,
}

#[derive(Clone)]
pub struct Secret(pub DecodingKey);

impl FromRequestParts<Secret> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, secret: &Secret) -> Result<Self, StatusCode> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or(StatusCode::UNAUTHORIZED)?;
        let data = decode::<User>(token, &secret.0, &Validation::default());
        data.map(|data| data.claims).map_err(|_| StatusCode::UNAUTHORIZED)
    }
}

async fn greet(user: User) -> String {
    format!("hello {}", user.sub)
}

pub fn app(secret: &[u8]) -> Router {
    Router::new().route("/", get(greet)).with_state(Secret(DecodingKey::from_secret(secret)))
}
