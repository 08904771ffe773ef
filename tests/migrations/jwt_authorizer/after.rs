use axum_07::{Extension, Router, routing::get};
use portcullis_tower::AuthLayer;
use portcullis_tower::portcullis::{Authenticated, Authenticator, Refusal};
use serde::Deserialize;

#[derive(Clone, Deserialize)]
pub struct User {
    pub sub: String,
}

async fn greet(user: User) -> String {
    format!("hello {}", user.sub)
}

pub fn app(auth: Authenticator) -> Router {
    let new = async |Extension(who): Extension<Authenticated>| match who.claims() {
        Ok(user) => Ok(greet(user).await),
        Err(refusal) => Err(Refusal::into_response::<axum_07::body::Body>(refusal)),
    };
    Router::new().route("/", get(new)).layer(AuthLayer::new(auth))
}
