//! The app behind the sidecar. It reads the caller from headers, so it may be in any language.

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;

pub(crate) fn router() -> Router {
    Router::new().route("/orders", get(orders))
}

async fn orders(headers: HeaderMap) -> String {
    let of = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    format!("orders of {}, scope {}\n", of("x-sidecar-subject"), of("x-sidecar-scope"))
}
