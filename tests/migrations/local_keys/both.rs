use axum::extract::FromRequestParts;
use axum::{Router, routing::get};
use http::request::Parts;
use jsonwebtoken::{DecodingKey, Validation, decode};
use portcullis_axum::portcullis::{Authenticator, Gate, token::Foreign};
use portcullis_axum::{Claims, Rejection, protect};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct User {
    pub sub: String,
}

#[derive(Clone)]
pub struct Secret(pub DecodingKey);

impl FromRequestParts<Secret> for User {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, secret: &Secret) -> Result<Self, Rejection> {
        // Tokens without `iss`: the gate has handled those of the new issuer.
        let old = parts.extensions.get::<Foreign>().and_then(Foreign::credential);
        let data = old.and_then(|old| decode(old, &secret.0, &Validation::default()).ok());
        if let Some(data) = data {
            return Ok(data.claims);
        }
        // A token of the new issuer; every other token is rejected here.
        let Claims(user) = Claims::from_request_parts(parts, secret).await?;
        Ok(user)
    }
}

async fn greet(user: User) -> String {
    format!("hello {}", user.sub)
}

pub fn app(auth: Authenticator, secret: &[u8]) -> Router {
    let api = Router::new().route("/", get(greet));
    let api = protect(Gate::new(auth).pass_foreign(), api).into_router();
    api.with_state(Secret(DecodingKey::from_secret(secret)))
}
