use axum::{Router, routing::get};
use portcullis_axum::portcullis::{Authenticator, ConfigError, Policy, Profile};
use portcullis_axum::{Claims, RequireLayer, protect};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct User {
    pub sub: String,
}

async fn greet(Claims(user): Claims<User>) -> String {
    format!("hello {}", user.sub)
}

pub async fn app(server: &str) -> Result<Router, ConfigError> {
    let auth = Authenticator::builder(format!("{server}/realms/shop"), "orders-api")
        // Until the last token from before the audience mapper has expired. Logs a warning at the start.
        .also_audience("account")
        .profile(Profile::keycloak())
        .build()
        .await?;
    let customers = RequireLayer::new(Policy::roles(["customer"]));
    Ok(protect(auth, Router::new().route("/", get(greet).layer(customers))).into_router())
}
