//! An issuer whose disk becomes full, and then has space again.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::RETRY_AFTER;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::Issuer;
use crate::config::IssuerConfig;
use crate::domain::users::NewUser;
use crate::store::sqlite::SqliteStore;

async fn post(issuer: &Issuer, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    let answer = issuer.router().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    assert_eq!(answer.headers().contains_key(RETRY_AFTER), status == 503);
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn full_disk_is_503_until_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("identsphere.db");
    let store = Arc::new(SqliteStore::open(&path).await.unwrap());
    let mut config = IssuerConfig::new("https://auth.example.com", &path);
    config.attempts_per_account = 0;
    let issuer = Issuer::open_on(Arc::clone(&store) as _, config).await.unwrap();
    issuer.add_user(NewUser::new("alice", "correct horse")).await.unwrap();
    let credentials = json!({ "username": "alice", "password": "correct horse" });
    let (status, grant) = post(&issuer, "/v1/auth/login", &credentials).await;
    assert_eq!(status, 200);
    let refresh = json!({ "refresh_token": grant["refresh_token"] });

    // SQLite raises the limit of 1 to the current number of pages.
    store.let_the_file_have(1).await;
    let mut logins = 0;
    while post(&issuer, "/v1/auth/login", &credentials).await.0 == 200 {
        logins += 1;
        assert!(logins < 10_000, "the disk is never full");
    }
    // The limit belongs to a connection, and the pool may have opened another one.
    store.let_the_file_have(1).await;
    assert_eq!(post(&issuer, "/v1/auth/login", &credentials).await.0, 503);
    let keys = Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap();
    assert_eq!(issuer.router().oneshot(keys).await.unwrap().status(), 200);
    let me = Request::get("/v1/users/me")
        .header("authorization", format!("Bearer {}", grant["access_token"].as_str().unwrap()));
    let me = issuer.router().oneshot(me.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(me.status(), 200, "existing data can be read");

    store.let_the_file_have(1_000_000).await;
    assert_eq!(post(&issuer, "/v1/auth/refresh", &refresh).await.0, 200, "nothing was half done");
    assert_eq!(post(&issuer, "/v1/auth/login", &credentials).await.0, 200);
}
