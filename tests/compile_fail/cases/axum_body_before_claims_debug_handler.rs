//! The case of `axum_body_before_claims.rs`, with axum's `debug_handler`.

use axum::{Router, routing::post};
use portcullis_axum::Caller;

#[axum::debug_handler]
async fn create(order: String, Caller(who): Caller) -> String {
    format!("{order} of {:?}", who.subject())
}

fn case() {
    let _: Router = Router::new().route("/orders", post(create));
}
