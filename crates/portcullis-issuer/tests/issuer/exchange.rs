//! The rights of an exchanged token, which never exceed those of its user and of the presented
//! token.

use std::time::Duration;

use portcullis_issuer::{ClientRight, NewClient};
use serde_json::json;

use crate::audiences::{exchange, login_for, open, with_backend};
use crate::clients::{TOKEN, active, basic, form, good, refused};
use crate::common::{API, Home, ISSUER, on_every_store, part, post, with_token};
use crate::second_factor::{code, enrolled, step_up};
use crate::status_lists::revoked;

on_every_store!(
    exchanged_token_has_only_scopes_that_its_user_still_has,
    exchanged_token_has_the_acr_of_the_presented_one,
    exchanged_token_expires_no_later_than_an_access_token,
    exchange_without_the_access_token_type_is_400,
    exchanged_token_ends_with_the_session_of_the_presented_one,
);

async fn exchanged_token_has_only_scopes_that_its_user_still_has(home: Home) {
    let issuer = open(&home, |_| ()).await;
    let backend = with_backend(&issuer).await;
    let received = login_for(&issuer, &[API]).await.expect(200).text("access_token");
    issuer.set_scopes("alice", ["a:read", "b:read"]).await.unwrap();
    let answer = good(exchange(&issuer, &backend, &received, "").await);
    assert_eq!(answer.json["scope"], "a:read");
    assert_eq!(part(&answer.text("access_token"), 1)["scope"], "a:read");
    let lost = exchange(&issuer, &backend, &received, "&scope=a:write").await;
    refused(&lost, 400, "invalid_scope");
}

async fn exchanged_token_has_the_acr_of_the_presented_one(home: Home) {
    let issuer = open(&home, |_| ()).await;
    let backend = with_backend(&issuer).await;
    let own = login_for(&issuer, &[ISSUER]).await.expect(200);
    // Tokens of one session for the API, before and after the second factor.
    let for_api = async |refresh_token: String| {
        let body = json!({ "refresh_token": refresh_token, "resource": [API] });
        post(&issuer, "/v1/auth/refresh", &body).await.expect(200)
    };
    let weak = for_api(own.text("refresh_token")).await;
    let own = own.text("access_token");
    let secret = enrolled(&issuer, &own).await;
    step_up(&issuer, &own, &code(&home, &secret)).await.expect(200);
    let strong = for_api(weak.text("refresh_token")).await;
    for (presented, acr) in [(&weak, "aal1"), (&strong, "aal2")] {
        let presented = presented.text("access_token");
        let answer = good(exchange(&issuer, &backend, &presented, "").await);
        assert_eq!(part(&answer.text("access_token"), 1)["acr"], acr);
    }
}

async fn exchanged_token_expires_no_later_than_an_access_token(home: Home) {
    let issuer = open(&home, |config| config.access_expiry = Duration::from_secs(30)).await;
    let backend = with_backend(&issuer).await;
    let received = login_for(&issuer, &[API]).await.expect(200).text("access_token");
    let answer = good(exchange(&issuer, &backend, &received, "").await);
    assert_eq!(answer.json["expires_in"], json!(30));
    assert_eq!(part(&answer.text("access_token"), 1)["exp"], home.now() + 30);
}

async fn exchange_without_the_access_token_type_is_400(home: Home) {
    let issuer = open(&home, |_| ()).await;
    let backend = with_backend(&issuer).await;
    let received = login_for(&issuer, &[API]).await.expect(200).text("access_token");
    let grant = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange";
    for kind in ["", "&subject_token_type=urn:ietf:params:oauth:token-type:refresh_token"] {
        let body = format!("{grant}&subject_token={received}{kind}");
        refused(&form(&issuer, TOKEN, &backend, &body).await, 400, "invalid_request");
    }
}

async fn exchanged_token_ends_with_the_session_of_the_presented_one(home: Home) {
    let issuer = open(&home, |config| {
        config.access_expiry = Duration::from_secs(600);
        config.refresh_expiry = config.access_expiry;
    })
    .await;
    let backend = with_backend(&issuer).await;
    let all = NewClient::new("all").rights([ClientRight::IntrospectAll]);
    let all = basic("all", &issuer.add_client(all).await.unwrap().unwrap());
    let accepted = async |token: &str| {
        let status = with_token(&issuer, "GET /v1/users/me", token).await.status.as_u16();
        (status, active(&issuer, &all, token).await["active"] == true)
    };

    let grant = login_for(&issuer, &[API]).await.expect(200);
    let received = grant.text("access_token");
    let exchanged = good(exchange(&issuer, &backend, &received, "").await).text("access_token");
    assert_eq!(accepted(&exchanged).await, (200, true));
    assert!(!revoked(&issuer, &exchanged).await);
    let body = json!({ "refresh_token": grant.text("refresh_token") });
    post(&issuer, "/v1/auth/logout", &body).await.expect(204);
    assert_eq!(accepted(&exchanged).await, (401, false));
    assert!(revoked(&issuer, &exchanged).await);
    refused(&exchange(&issuer, &backend, &received, "").await, 400, "invalid_request");

    // A session that expires.
    let received = login_for(&issuer, &[API]).await.expect(200).text("access_token");
    let end = home.now() + 600;
    home.advance(590);
    let answer = good(exchange(&issuer, &backend, &received, "").await);
    let exchanged = answer.text("access_token");
    assert_eq!(accepted(&exchanged).await, (200, true));
    assert_eq!(part(&exchanged, 1)["exp"], end, "no later than the session");
    assert_eq!(answer.json["expires_in"], json!(10));
    home.advance(10);
    assert_eq!(accepted(&exchanged).await, (401, false));
    refused(&exchange(&issuer, &backend, &received, "").await, 400, "invalid_request");
}
