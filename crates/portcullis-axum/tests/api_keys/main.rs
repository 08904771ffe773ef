//! API keys and tokens in the same Authorization header: the app in the guide's chapter.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(unreachable_pub, reason = "written like an application")]
mod app;

use std::collections::HashMap;

use app::{ApiKey, ApiKeys, app};
use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, to_bytes};
use http::Request;
use portcullis_axum::portcullis::testing::Scene;
use tower::ServiceExt as _;

const KEY: &str = "ak_42_n2T6vq8cB1xkYF0s";

fn keys() -> ApiKeys {
    let sha256 = digest(&SHA256, KEY.as_bytes()).as_ref().try_into().unwrap();
    let owner = "the reports job".to_owned();
    ApiKeys::new(HashMap::from([("42".to_owned(), ApiKey { sha256, owner })]))
}

#[tokio::test]
async fn token_or_api_key_is_accepted_in_one_header() {
    let scene = Scene::new().await;
    let app = app(scene.auth.clone(), keys());
    let bearer = |credential: &str| Some(format!("Bearer {credential}"));
    let challenge = |rest: &str| Some(format!("Bearer realm=\"api\"{rest}"));
    let malformed =
        challenge(", error=\"invalid_token\", error_description=\"The access token is malformed\"");
    let invalid =
        challenge(", error=\"invalid_token\", error_description=\"The access token is invalid\"");
    let expired =
        challenge(", error=\"invalid_token\", error_description=\"The access token expired\"");
    let stranger = scene.token("alice").issuer("https://other.example");
    for (path, authorization, status, told) in [
        ("/orders", Some(scene.token("alice").bearer()), 200, Some("the orders of alice".into())),
        ("/orders", bearer(KEY), 200, Some("the orders of the reports job, by API key".into())),
        ("/account", Some(scene.token("alice").bearer()), 200, Some("the account of alice".into())),
        ("/account", bearer(KEY), 401, malformed.clone()),
        ("/orders", bearer("ak_42_another"), 401, malformed.clone()),
        ("/orders", bearer("ak_43_n2T6vq8cB1xkYF0s"), 401, malformed.clone()),
        ("/orders", bearer("opaque"), 401, malformed),
        ("/orders", Some(scene.token("alice").expired().bearer()), 401, expired),
        ("/orders", Some(stranger.bearer()), 401, invalid),
        ("/orders", None, 401, challenge("")),
        ("/orders", Some("Basic YTpi".to_owned()), 401, challenge("")),
    ] {
        let mut request = Request::get(path);
        if let Some(value) = &authorization {
            request = request.header("authorization", value);
        }
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{path} {authorization:?}");
        let challenge = response.headers().get("www-authenticate");
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(challenge.or(Some(body)), told, "{path} {authorization:?}");
    }
}

#[test]
fn guide_contains_this_app() {
    let chapter = include_str!("../../../portcullis/src/guide/api_keys.md");
    let shown = chapter.split_once("```rust,ignore\n").unwrap().1;
    let shown = shown.split_once("```").unwrap().0;
    assert_eq!(shown, include_str!("app.rs"));
}
