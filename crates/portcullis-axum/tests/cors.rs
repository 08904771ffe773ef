//! With CORS outside the gate, routes behind it see no request without a valid token.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use axum::Router;
use axum::routing::{any, get};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HeaderValue,
    ORIGIN, WWW_AUTHENTICATE,
};
use http::{HeaderName, Method};
use portcullis_axum::protect;
use tower_http::cors::CorsLayer;

use support::{gate_and_bearer, send};

const APP: &str = "https://app.example";
const PREFLIGHT: [(HeaderName, &str); 2] =
    [(ORIGIN, APP), (ACCESS_CONTROL_REQUEST_METHOD, "DELETE")];

#[tokio::test]
async fn unauthenticated_options_is_rejected() {
    let (gate, bearer) = gate_and_bearer().await;
    let routes = Router::new().route("/", any(async |body: String| body));
    for gate in [gate.clone(), gate.grpc()] {
        let app = protect(gate, routes.clone()).into_router();
        let (_, headers, body) = send(&app, "OPTIONS", "/", &PREFLIGHT).await;
        assert!(headers.contains_key(WWW_AUTHENTICATE));
        assert_eq!(body, "");
        let authorized = [(AUTHORIZATION, bearer.as_str())];
        assert_eq!(send(&app, "OPTIONS", "/", &authorized).await.2, "a body");
    }
}

#[tokio::test]
async fn outer_cors_layer_answers_preflights_and_marks_refusals() {
    let (gate, bearer) = gate_and_bearer().await;
    let cors = CorsLayer::new()
        .allow_origin(HeaderValue::from_static(APP))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::DELETE])
        .expose_headers([WWW_AUTHENTICATE]);
    let routes = Router::new()
        .route("/any", any(async || "reached"))
        .route("/get", get(async || "reached"))
        .fallback(async || "fallback");
    let app = protect(gate, routes).open_route("/health", get(async || "fine"));
    let app = app.into_router().layer(cors);

    for path in ["/any", "/get", "/health", "/nowhere"] {
        let (status, headers, body) = send(&app, "OPTIONS", path, &PREFLIGHT).await;
        assert_eq!((status, body.as_str()), (200, ""), "{path}");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], APP, "{path}");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "GET,DELETE", "{path}");
    }
    for (path, status) in [("/any", 401), ("/get", 401), ("/nowhere", 401), ("/health", 200)] {
        let (got, headers, body) = send(&app, "GET", path, &[(ORIGIN, APP)]).await;
        assert_eq!(got, status, "{path}");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], APP, "{path}");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true", "{path}");
        assert_eq!(headers[ACCESS_CONTROL_EXPOSE_HEADERS], "www-authenticate", "{path}");
        assert_eq!(headers.contains_key(WWW_AUTHENTICATE), status == 401, "{path}");
        assert_eq!(body, if status == 401 { "" } else { "fine" }, "{path}");
    }
    let authorized = [(ORIGIN, APP), (AUTHORIZATION, bearer.as_str())];
    assert_eq!(send(&app, "GET", "/any", &authorized).await.2, "reached");
}
