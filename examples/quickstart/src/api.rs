//! The protected API: the code of an application.

use axum::routing::get;
use axum::{Json, Router};
use portcullis_axum::portcullis::{Authenticator, Policy};
use portcullis_axum::{Claims, RequireLayer, protect};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct User {
    sub: String,
}

#[derive(Serialize)]
struct Orders {
    owner: String,
    orders: Vec<u32>,
}

async fn list(Claims(user): Claims<User>) -> Json<Orders> {
    Json(Orders { owner: user.sub, orders: vec![17, 4] })
}

/// Two APIs, each with its own audience: `/orders` and `/billing`.
pub(crate) fn router(orders: Authenticator, billing: Authenticator) -> Router {
    let scope = |scope| RequireLayer::new(Policy::scopes([scope]));
    let orders_api = Router::new()
        .route("/orders", get(list).route_layer(scope("orders:read")))
        .route("/orders/export", get(list).route_layer(scope("orders:export")));
    let billing_api = Router::new().route("/billing", get(list));
    Router::new()
        .route("/health", get(async || "fine"))
        .merge(protect(orders, orders_api))
        .merge(protect(billing, billing_api))
}
