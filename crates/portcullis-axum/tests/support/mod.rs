//! A gate, a valid token for it, and requests to a router.

use axum::Router;
use axum::body::Body;
use http::header::{HeaderMap, HeaderName};
use http::{Request, Response};
use portcullis::Gate;
use portcullis::testing::Scene;
use tower::ServiceExt as _;

pub(crate) async fn gate_and_bearer() -> (Gate, String) {
    let scene = Scene::new().await;
    (scene.gate(), scene.token("alice").bearer())
}

/// Sends a request and returns the response with its body.
pub(crate) async fn send(
    app: &Router,
    method: &str,
    path: &str,
    headers: &[(HeaderName, &str)],
) -> (u16, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(Body::from("a body")).unwrap();
    let response: Response<Body> = app.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 10_000).await.unwrap();
    (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
}
