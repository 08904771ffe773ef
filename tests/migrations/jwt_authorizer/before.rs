use axum_07::{Router, routing::get};
use jwt_authorizer::{IntoLayer as _, JwtAuthorizer, JwtClaims, Validation};
use serde::Deserialize;

#[derive(Clone, Deserialize)]
pub struct User {
    pub sub: String,
}

async fn greet(JwtClaims(user): JwtClaims<User>) -> String {
    format!("hello {}", user.sub)
}

pub async fn app(jwks: &str, audience: &str) -> Router {
    let authorizer = JwtAuthorizer::<User>::from_jwks_text(jwks)
        .validation(Validation::new().aud(&[audience]))
        .build()
        .await
        .unwrap();
    Router::new().route("/", get(greet)).layer(authorizer.into_layer())
}
