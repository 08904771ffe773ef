//! An app that embeds the issuer: the app's own routes need a session that is live in the store.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use portcullis::Policy;
use portcullis_axum::{Caller, RequireLayer};
use portcullis_issuer::{Issuer, LiveSession};
use tower::ServiceExt as _;

use crate::common::{Home, call, login, on_every_store, post as post_json, with_token};

on_every_store!(
    ended_session_is_rejected_at_the_next_request,
    handler_gets_the_current_user_and_session,
    cookie_is_accepted_from_own_pages_only,
    request_without_a_store_is_503,
);

async fn whoami(live: LiveSession, Caller(who): Caller) -> String {
    format!("{} {} {}", live.user().name, live.id(), who.subject().unwrap())
}

/// The app's own state: the issuer works with routers of any state.
#[derive(Clone)]
struct Shop;

fn app(issuer: &Issuer) -> Router {
    let admin = RequireLayer::new(Policy::roles(["admin"]));
    let owner = RequireLayer::new(Policy::roles(["owner"]));
    let own: Router<Shop> = Router::new()
        .route("/orders", get(whoami).post(async || "ordered"))
        .route("/admin", get(async || "fine").route_layer(admin))
        .route("/owner", get(async || "never").route_layer(owner));
    let app = Router::new()
        .route("/health", get(async || "fine"))
        .route("/forgotten", post(async |live: LiveSession| live.id().to_owned()))
        .merge(issuer.protect(own))
        .fallback(async || (StatusCode::NOT_FOUND, "the app's own"));
    app.with_state(Shop).merge(issuer.router())
}

async fn ask(app: &Router, line: &str, headers: &[(&str, &str)]) -> Response {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn status(app: &Router, line: &str, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    ask(app, line, &[("authorization", &bearer)]).await.status().as_u16()
}

/// A proxy that checks requests by the status code must not accept a rejected request. A gRPC
/// rejection would have the status 200.
#[tokio::test]
async fn request_with_a_grpc_content_type_gets_the_usual_status() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let app = app(&issuer);
    let bearer = format!("Bearer {}", login(&issuer).await.expect(200).text("access_token"));
    for (line, status) in [("GET /orders", 401), ("GET /v1/users/me", 401)] {
        let refused = ask(&app, line, &[("content-type", "application/grpc")]).await;
        assert_eq!(refused.status(), status, "{line}");
        assert!(!refused.headers().contains_key("grpc-status"), "{line}");
    }
    let headers = [("content-type", "application/grpc"), ("authorization", bearer.as_str())];
    assert_eq!(ask(&app, "GET /owner", &headers).await.status(), 403);
}

async fn ended_session_is_rejected_at_the_next_request(home: Home) {
    let issuer = home.open_with_alice().await;
    let app = app(&issuer);
    let (phone, laptop) = (login(&issuer).await.expect(200), login(&issuer).await.expect(200));
    let (lost, kept) = (phone.text("access_token"), laptop.text("access_token"));
    for _ in 0..3 {
        assert_eq!(status(&app, "GET /orders", &lost).await, 200);
    }
    let end = format!("DELETE /v1/auth/sessions/{}", phone.text("session_id"));
    with_token(&issuer, &end, &kept).await.expect(204);
    let bearer = format!("Bearer {lost}");
    let refused = ask(&app, "GET /orders", &[("authorization", &bearer)]).await;
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("invalid_token"), "{challenge}");
    assert_eq!(status(&app, "GET /admin", &lost).await, 401);
    assert_eq!(status(&app, "GET /orders", &kept).await, 200);

    let refresh = laptop.json["refresh_token"].clone();
    let body = serde_json::json!({ "refresh_token": refresh });
    post_json(&issuer, "/v1/auth/logout", &body).await.expect(204);
    assert_eq!(status(&app, "GET /orders", &kept).await, 401);
}

async fn handler_gets_the_current_user_and_session(home: Home) {
    let issuer = home.open_with_alice().await;
    let app = app(&issuer);
    let grant = login(&issuer).await.expect(200);
    let token = grant.text("access_token");
    let bearer = format!("Bearer {token}");
    let answer = ask(&app, "GET /orders", &[("authorization", &bearer)]).await;
    let body = axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
    let me = with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    let expected = format!("alice {} {}", grant.text("session_id"), me.text("id"));
    assert_eq!(String::from_utf8_lossy(&body), expected);

    assert_eq!(status(&app, "GET /admin", &token).await, 200);
    assert_eq!(status(&app, "GET /owner", &token).await, 403);
    assert_eq!(ask(&app, "GET /orders", &[]).await.status(), 401);
    assert_eq!(ask(&app, "GET /health", &[]).await.status(), 200);
    assert_eq!(status(&app, "GET /nowhere", &token).await, 404);
    // The route is not behind `protect`, so its extractor fails closed.
    assert_eq!(status(&app, "POST /forgotten", &token).await, 500);
}

async fn cookie_is_accepted_from_own_pages_only(home: Home) {
    let issuer = home.open_with_alice().await;
    let app = app(&issuer);
    let token = login(&issuer).await.expect(200).text("access_token");
    let cookie = format!("__Host-portcullis-access={token}");
    for (site, expected) in [("same-origin", 200), ("same-site", 403), ("cross-site", 403)] {
        let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", site)];
        assert_eq!(ask(&app, "POST /orders", &headers).await.status().as_u16(), expected, "{site}");
    }
}

async fn request_without_a_store_is_503(home: Home) {
    let issuer = home.open_with_alice().await;
    let app = app(&issuer);
    let token = login(&issuer).await.expect(200).text("access_token");
    assert_eq!(status(&app, "GET /orders", &token).await, 200);
    issuer.close().await;
    assert_eq!(status(&app, "GET /orders", &token).await, 503);
}

/// Each operation is answered by the issuer, not by the app's fallback.
#[tokio::test]
async fn every_operation_of_the_document_is_reachable_through_the_app() {
    let home = Home::new();
    let mut config = home.config();
    config.registration = true;
    let issuer = Issuer::open(config).await.unwrap();
    let app = app(&issuer);
    let document = call(&issuer, "GET /openapi.json", &[]).await.expect(200).json;
    let mut reached = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let path = path.replace("{id}", "1");
            let line = format!("{} {path}", method.to_uppercase());
            let direct = call(&issuer, &line, &[]).await;
            let through = ask(&app, &line, &[]).await;
            assert_eq!(through.status(), direct.status, "{line}");
            let kind = through.headers().get("content-type").map(|kind| kind.to_str().unwrap());
            assert_ne!(kind, Some("text/plain; charset=utf-8"), "{line}: the app's fallback");
            reached += 1;
        }
    }
    assert!(reached >= 15, "{reached} operations");
}
