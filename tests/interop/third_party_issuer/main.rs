//! Portcullis against a third-party issuer: `oidc-provider`, a certified OpenID provider, and the
//! axum example, each in its own process and over HTTP. The example is configured with the issuer
//! and the audience, and discovers the keys. The reverse is tested, too: verifiers in other
//! languages validate our own issuer's tokens, and reject forgeries.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test and its helpers fail by panicking"
)]

mod app;
mod back_channel_logout;
mod issuer;
mod other_languages;
mod status_lists;

use std::time::{Duration, Instant};

use self::app::App;
use self::issuer::{Issuer, claims, header};

/// The audience of the example.
const API: &str = "https://api.example";

async fn start() -> (Issuer, App) {
    let issuer = Issuer::start().await;
    let app = App::start(issuer.url(), API).await;
    (issuer, app)
}

#[tokio::test]
#[ignore = "needs Node 20 and the npm package oidc-provider: run `cargo xtask test`"]
async fn access_token_of_every_algorithm_is_accepted() {
    let (issuer, app) = start().await;
    for (client, algorithm) in
        [("rs256", "RS256"), ("ps256", "PS256"), ("es256", "ES256"), ("eddsa", "EdDSA")]
    {
        let token = issuer.access_token(client, API, "orders:read").await;
        assert_eq!(header(&token)["alg"], algorithm);
        assert_eq!(header(&token)["typ"], "at+jwt");

        let answer = app.orders(Some(&token)).await;
        assert_eq!(answer.status, 200, "{algorithm}: {answer:?}");
    }
}

#[tokio::test]
#[ignore = "needs Node 20 and the npm package oidc-provider: run `cargo xtask test`"]
async fn token_with_a_changed_signature_is_rejected() {
    let (issuer, app) = start().await;
    for client in ["rs256", "ps256", "es256", "eddsa"] {
        let token = issuer.access_token(client, API, "orders:read").await;
        // The forged token has the claims of one token and the signature of another token, which
        // the same key signed.
        let other = issuer.access_token(client, API, "orders:read").await;
        let (signed, _) = token.rsplit_once('.').unwrap();
        let (_, signature) = other.rsplit_once('.').unwrap();

        let answer = app.orders(Some(&format!("{signed}.{signature}"))).await;
        answer.assert_refused(401, "invalid_token");
    }
}

#[tokio::test]
#[ignore = "needs Node 20 and the npm package oidc-provider: run `cargo xtask test`"]
async fn token_for_another_audience_is_rejected() {
    let (issuer, app) = start().await;
    let token = issuer.access_token("es256", "https://other.example", "orders:read").await;
    assert_eq!(claims(&token)["aud"], "https://other.example");

    app.orders(Some(&token)).await.assert_refused(401, "invalid_token");
}

#[tokio::test]
#[ignore = "needs Node 20 and the npm package oidc-provider: run `cargo xtask test`"]
async fn token_is_accepted_until_it_expires() {
    let (issuer, app) = start().await;
    let token = accepted_brief_token(&issuer, &app).await;

    let start = Instant::now();
    let refused = loop {
        let answer = app.orders(Some(&token)).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "still accepted long after its expiry");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    refused.assert_refused(401, "invalid_token");
    assert!(refused.challenge.contains("expired"), "{refused:?}");
}

/// Returns a token that was accepted within its lifetime of at most two seconds. On a busy machine,
/// a token may expire before the request, so there are several attempts.
async fn accepted_brief_token(issuer: &Issuer, app: &App) -> String {
    for _ in 0..10 {
        let token = issuer.access_token("brief", API, "orders:read").await;
        if app.orders(Some(&token)).await.status == 200 {
            return token;
        }
    }
    panic!("no token of the client `brief` was ever accepted");
}

/// The token's issuer, signature, audience and times are valid. The token is rejected only because
/// it is an ID token and not an access token (RFC 9068 section 4, RFC 8725 section 2.8).
#[tokio::test]
#[ignore = "needs Node 20 and the npm package oidc-provider: run `cargo xtask test`"]
async fn id_token_with_the_right_audience_is_rejected() {
    let (issuer, app) = start().await;
    let token = issuer.id_token().await;
    assert_eq!(claims(&token)["iss"], issuer.url());
    assert_eq!(claims(&token)["aud"], API);
    assert!(claims(&token)["nonce"].is_string());

    app.orders(Some(&token)).await.assert_refused(401, "invalid_token");
}

#[tokio::test]
#[ignore = "needs Node 20 and the npm package oidc-provider: run `cargo xtask test`"]
async fn request_without_a_token_is_challenged_except_on_open_routes() {
    let (_issuer, app) = start().await;
    // RFC 6750 section 3.1: without authentication information, no error code.
    let answer = app.orders(None).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(answer.challenge.starts_with("Bearer"), "{answer:?}");
    assert!(!answer.challenge.contains("error="), "{answer:?}");

    assert_eq!(app.get("/health", None).await.status, 200);
}

#[tokio::test]
#[ignore = "needs Node 20 and the npm package oidc-provider: run `cargo xtask test`"]
async fn token_without_the_scope_is_forbidden() {
    let (issuer, app) = start().await;
    let token = issuer.access_token("es256", API, "orders:write").await;

    let answer = app.orders(Some(&token)).await;
    answer.assert_refused(403, "insufficient_scope");
    assert!(answer.challenge.contains(r#"scope="orders:read""#), "{answer:?}");
}
