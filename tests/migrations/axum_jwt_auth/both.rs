use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::{Router, routing::get};
use axum_jwt_auth::{Decoder, LocalDecoder};
use http::request::Parts;
use jsonwebtoken_10::{DecodingKey, Validation};
use portcullis_axum::portcullis::{Authenticator, Gate, token::Foreign};
use portcullis_axum::{Claims, Rejection, protect};
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

impl FromRequestParts<AppState> for User {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Rejection> {
        // The old extractor, for tokens of other issuers.
        if parts.extensions.get::<Foreign>().is_some()
            && let Ok(old) = axum_jwt_auth::Claims::<User>::from_request_parts(parts, state).await
        {
            return Ok(old.claims);
        }
        // A token of the new issuer; every other token is rejected here.
        let Claims(user) = Claims::from_request_parts(parts, state).await?;
        Ok(user)
    }
}

async fn greet(user: User) -> String {
    format!("hello {}", user.sub)
}

pub fn app(auth: Authenticator, key: DecodingKey, validation: Validation) -> Router {
    let decoder = LocalDecoder::builder().keys(vec![key]).validation(validation).build().unwrap();
    let api = Router::new().route("/", get(greet));
    let api = protect(Gate::new(auth).pass_foreign(), api).into_router();
    api.with_state(AppState(Arc::new(decoder)))
}
