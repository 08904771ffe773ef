//! `.build().await?` is missing.

use axum::Router;
use portcullis_axum::{portcullis::Authenticator, protect};

fn case() {
    let auth = Authenticator::builder("https://auth.example", "https://api.example");
    let _: Router = protect(auth, Router::new()).into_router();
}
