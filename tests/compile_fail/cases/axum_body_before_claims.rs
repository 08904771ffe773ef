//! An extractor that takes the body must come last.

use axum::{Router, routing::post};
use portcullis_axum::Caller;

async fn create(order: String, Caller(who): Caller) -> String {
    format!("{order} of {:?}", who.subject())
}

fn case() {
    let _: Router = Router::new().route("/orders", post(create));
}
