//! A claims type without `Deserialize`.

use axum::{Router, routing::get};
use portcullis_axum::Claims;

struct User {
    sub: String,
}

async fn list(Claims(user): Claims<User>) -> String {
    user.sub
}

fn case() {
    let _: Router = Router::new().route("/orders", get(list));
}
