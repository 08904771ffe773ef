//! The case of `axum_claims_without_deserialize.rs`, with axum's `debug_handler`.

use axum::{Router, routing::get};
use portcullis_axum::Claims;

struct Member {
    sub: String,
}

#[axum::debug_handler]
async fn list(Claims(user): Claims<Member>) -> String {
    user.sub
}

fn case() {
    let _: Router = Router::new().route("/orders", get(list));
}
