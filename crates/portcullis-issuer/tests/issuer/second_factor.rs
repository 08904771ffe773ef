//! Second factors: enrolment, step-up and its effect on the session, and removal.

use axum::http::Request;
use portcullis_issuer::Issuer;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::common::{
    Answer, Home, PASSWORD, login_own, on_every_store, part, refresh, send, with_token,
};

on_every_store!(
    step_up_raises_the_session_to_aal2,
    removal_of_a_factor_needs_a_recent_step_up,
    enrolment_needs_the_password_and_wrong_codes_are_limited,
);

pub(crate) async fn ask(issuer: &Issuer, path: &str, token: &str, body: Value) -> Answer {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(body.to_string().into())
        .unwrap();
    send(issuer, request).await
}

pub(crate) async fn step_up(issuer: &Issuer, token: &str, code: &str) -> Answer {
    ask(issuer, "/v1/auth/step-up", token, json!({ "code": code })).await
}

/// Returns the code that an authenticator app would show now.
pub(crate) fn code(home: &Home, secret: &str) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    Builder::new().with_secret(secret).build().unwrap().generate(home.now()).to_string()
}

pub(crate) async fn enrolled(issuer: &Issuer, token: &str) -> String {
    let body = json!({ "password": PASSWORD });
    ask(issuer, "/v1/auth/totp", token, body).await.expect(201).text("secret")
}

async fn step_up_raises_the_session_to_aal2(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login_own(&issuer).await.expect(200);
    let token = grant.text("access_token");
    let other = login_own(&issuer).await.expect(200).text("refresh_token");
    step_up(&issuer, &token, "123456").await.expect(409);
    let body = json!({ "password": PASSWORD });
    let enrolment = ask(&issuer, "/v1/auth/totp", &token, body).await.expect(201);
    assert_eq!(enrolment.header("cache-control"), "no-store");
    let secret = enrolment.text("secret");
    let url = enrolment.text("otpauth_url");
    assert!(url.starts_with("otpauth://totp/auth.example.com:alice?"), "{url}");
    assert!(url.contains(&format!("secret={secret}")), "{url}");

    home.advance(100);
    step_up(&issuer, &token, "").await.expect(403);
    let shown = code(&home, &secret);
    let raised = step_up(&issuer, &token, &shown).await.expect(200);
    let raised_at = home.now();
    let claims = part(&raised.text("access_token"), 1);
    assert_eq!(claims["acr"], "aal2");
    assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));
    assert_eq!(claims["auth_time"], raised_at);
    assert_eq!(claims["sid"], grant.json["session_id"]);
    assert_eq!(raised.cookie("__Host-portcullis-access"), Some(raised.text("access_token")));
    assert_eq!(raised.cookie("__Secure-portcullis-refresh"), None);

    // A code is accepted once, and not after a later code.
    step_up(&issuer, &token, &shown).await.expect(403);
    home.advance(30);
    let next = code(&home, &secret);
    step_up(&issuer, &token, &next).await.expect(200);
    step_up(&issuer, &token, &shown).await.expect(403);
    // The session keeps its level, and other sessions of the user do not get it.
    home.advance(60);
    let fresh = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    let claims = part(&fresh.text("access_token"), 1);
    assert_eq!((&claims["acr"], &claims["auth_time"]), (&json!("aal2"), &json!(raised_at + 30)));
    let other = refresh(&issuer, &other).await.expect(200).text("access_token");
    assert_eq!(part(&other, 1)["acr"], "aal1");
    let kinds: Vec<_> =
        issuer.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect();
    let counted = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!(
        (counted("totp_enrolled"), counted("step_up"), counted("step_up_failed")),
        (1, 2, 3)
    );
}

async fn removal_of_a_factor_needs_a_recent_step_up(home: Home) {
    const REMOVE: &str = "DELETE /v1/auth/totp";
    let issuer = home.open_with_alice().await;
    let token = login_own(&issuer).await.expect(200).text("access_token");
    let secret = enrolled(&issuer, &token).await;
    // The first secret was not confirmed, so another enrolment replaces it. A confirmed secret
    // cannot be replaced.
    let secret = {
        let second = enrolled(&issuer, &token).await;
        step_up(&issuer, &token, &code(&home, &secret)).await.expect(403);
        second
    };
    let raised = step_up(&issuer, &token, &code(&home, &secret)).await.expect(200);
    let raised = raised.text("access_token");
    ask(&issuer, "/v1/auth/totp", &raised, json!({ "password": PASSWORD })).await.expect(409);

    let refused = with_token(&issuer, REMOVE, &token).await.expect(401);
    let challenge = refused.header("www-authenticate");
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    assert!(challenge.contains("acr_values=\"aal2\""), "{challenge}");
    home.advance(311);
    let late = with_token(&issuer, REMOVE, &raised).await.expect(401);
    assert!(late.header("www-authenticate").contains("max_age=\"300\""), "{late:?}");
    let raised = step_up(&issuer, &token, &code(&home, &secret)).await.expect(200);
    with_token(&issuer, REMOVE, &raised.text("access_token")).await.expect(204);
    // The token states a factor that is gone.
    let gone = with_token(&issuer, REMOVE, &raised.text("access_token")).await.expect(401);
    assert_eq!(gone.json["type"], "urn:portcullis:problem:token-revoked");
    step_up(&issuer, &token, &code(&home, &secret)).await.expect(409);
}

async fn enrolment_needs_the_password_and_wrong_codes_are_limited(home: Home) {
    drop(home.open_with_alice().await);
    let mut config = home.config();
    config.attempts_per_account = 5;
    let issuer = Issuer::open(config).await.unwrap();
    let token = login_own(&issuer).await.expect(200).text("access_token");
    ask(&issuer, "/v1/auth/totp", &token, json!({ "password": "guess" })).await.expect(403);
    step_up(&issuer, &token, "123456").await.expect(409);
    let secret = enrolled(&issuer, &token).await;
    step_up(&issuer, &token, &code(&home, &secret)).await.expect(200);
    home.advance(30);
    let right = code(&home, &secret);
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        step_up(&issuer, &token, wrong).await.expect(403);
    }
    let limited = step_up(&issuer, &token, &right).await.expect(429);
    assert_eq!(limited.header("retry-after"), "60");
    home.advance(60);
    step_up(&issuer, &token, &code(&home, &secret)).await.expect(200);
}
