//! Migration from axum-keycloak-auth, with a server that imitates Keycloak. Old and new tokens are from one realm and
//! differ in their audience.

mod after;
mod before;
mod both;

use std::time::Duration;

use axum::{Json, Router, routing::get};
use portcullis::testing::{TestKey, TestToken};
use serde_json::json;

use crate::local_keys::send;
use crate::requests::{NEW_KEY, OLD_KEY, bearer, hold, now, row};

/// Serves a realm's metadata and keys.
async fn keycloak() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let realm = format!("{server}/realms/shop");
    let metadata = json!({
        "issuer": realm,
        "authorization_endpoint": format!("{realm}/protocol/openid-connect/auth"),
        "token_endpoint": format!("{realm}/protocol/openid-connect/token"),
        "jwks_uri": format!("{realm}/protocol/openid-connect/certs"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    let mut jwks = TestKey::jwks([&**NEW_KEY]);
    jwks["keys"][0]["use"] = json!("sig");
    let app = Router::new()
        .route("/realms/shop/.well-known/openid-configuration", get(async move || Json(metadata)))
        .route("/realms/shop/protocol/openid-connect/certs", get(async move || Json(jwks)));
    tokio::spawn(async move { axum::serve(listener, app).await });
    server
}

/// Returns an access token with Keycloak's claims.
fn token(server: &str) -> TestToken {
    TestToken::new(NEW_KEY.clone(), &format!("{server}/realms/shop"), "alice", now())
        .header("typ", "JWT")
        .claims(&json!({
            "typ": "Bearer", "azp": "shop-web", "preferred_username": "alice",
            "email": "alice@shop.example", "email_verified": true,
            "realm_access": {"roles": ["customer"]}, "aud": ["orders-api", "account"],
        }))
}

#[tokio::test]
async fn requests_get_the_expected_status_before_during_and_after() {
    let server = keycloak().await;
    let good = token(&server);
    let good_bearer = good.bearer();
    let id_token = json!({"typ": "ID", "aud": ["account"]});
    let of_other_realm = format!("{server}/realms/other");
    let rows = [
        row("no token", None, [401, 401, 401]),
        row("good", bearer(good.sign()), [200, 200, 200]),
        row("before the mapper", bearer(good.clone().audience("account").sign()), [200, 200, 401]),
        row("expired", bearer(good.clone().expired().sign()), [401, 401, 401]),
        row("forged", bearer(good.clone().signed_with(OLD_KEY.clone()).sign()), [401, 401, 401]),
        row("another audience", bearer(good.clone().audience("other").sign()), [401, 401, 401]),
        row("no audience", bearer(good.clone().without("aud").sign()), [200, 401, 401]),
        row("no role", bearer(good.clone().without("realm_access").sign()), [403, 403, 403]),
        row("ID token", bearer(good.clone().claims(&id_token).sign()), [200, 401, 401]),
        row("refresh token", bearer(good.clone().claim("typ", "Refresh").sign()), [200, 401, 401]),
        row("another realm", bearer(good.clone().issuer(&of_other_realm).sign()), [200, 401, 401]),
        row(
            "with `crit`",
            bearer(good.clone().header("crit", json!(["x"])).sign()),
            [200, 401, 401],
        ),
        row("not valid yet", bearer(good.claim("nbf", now() + 600).sign()), [200, 401, 401]),
    ];
    let before = before::app(&server);
    let both = both::app(&server).await.unwrap();
    let after = after::app(&server).await.unwrap();
    // The old layer fetches the keys after its construction.
    let ready = async || {
        let request = http::Request::get("/").header("authorization", good_bearer.as_str());
        send(before.clone(), request.body(()).unwrap()).await == 200
    };
    for _ in 0..100 {
        if ready().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    hold(
        &rows,
        [
            &|request| send(before.clone(), request),
            &|request| send(both.clone(), request),
            &|request| send(after.clone(), request),
        ],
    )
    .await;
}
