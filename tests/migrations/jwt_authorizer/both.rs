use axum_07::extract::Request;
use axum_07::{Extension, Router, routing::get};
use jwt_authorizer::{IntoLayer as _, JwtAuthorizer, JwtClaims, Validation};
use portcullis_tower::AuthLayer;
use portcullis_tower::portcullis::{Authenticated, Authenticator, Gate, Refusal, token::Foreign};
use serde::Deserialize;
use tower::ServiceExt as _;

#[derive(Clone, Deserialize)]
pub struct User {
    pub sub: String,
}

async fn greet(user: User) -> String {
    format!("hello {}", user.sub)
}

fn old_routes() -> Router {
    let old = |JwtClaims(user): JwtClaims<User>| greet(user);
    Router::new().route("/", get(old))
}

fn new_routes() -> Router {
    let new = async |Extension(who): Extension<Authenticated>| match who.claims() {
        Ok(user) => Ok(greet(user).await),
        Err(refusal) => Err(Refusal::into_response::<axum_07::body::Body>(refusal)),
    };
    Router::new().route("/", get(new))
}

pub async fn app(auth: Authenticator, jwks: &str, audience: &str) -> Router {
    let authorizer = JwtAuthorizer::<User>::from_jwks_text(jwks)
        .validation(Validation::new().aud(&[audience]))
        .build()
        .await
        .unwrap();
    let (old, new) = (old_routes().layer(authorizer.into_layer()), new_routes());
    // Tokens of other issuers go to the old layer, which rejects unknown ones.
    let either = move |request: Request| {
        let is_foreign = request.extensions().get::<Foreign>().is_some();
        if is_foreign { old.clone().oneshot(request) } else { new.clone().oneshot(request) }
    };
    Router::new().fallback(either).layer(AuthLayer::new(Gate::new(auth).pass_foreign()))
}
