//! The second factor at a login.

use axum::Router;
use axum::routing::get;
use portcullis_issuer::{Issuer, SecondFactorMode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::common::{
    API, Answer, Home, ISSUER, PASSWORD, call, login, login_own, on_every_store, part, post,
    refresh, with_token,
};
use crate::second_factor::{ask, code, enrolled, step_up};

on_every_store!(
    login_of_a_user_with_a_second_factor_needs_a_code,
    recovery_code_is_accepted_once,
    hundred_wrong_codes_lock_all_processes_until_an_operator_unlocks,
    token_refreshed_after_the_factor_is_removed_is_aal1,
    session_without_a_required_factor_is_for_the_issuer_alone,
    mode_off_needs_a_code_at_step_up_only,
    disabled_user_is_not_asked_for_a_code,
    session_without_a_required_factor_gets_the_issuers_cookie_for_any_resource,
);

pub(crate) async fn login_with(issuer: &Issuer, code: &str) -> Answer {
    let body = json!({ "username": "alice", "password": PASSWORD, "code": code });
    post(issuer, "/v1/auth/login", &body).await
}

/// Logs in with a code, and with the issuer as the only audience.
async fn login_own_with(issuer: &Issuer, code: &str) -> Answer {
    let alice = json!({
        "username": "alice", "password": PASSWORD, "code": code, "resource": [ISSUER],
    });
    post(issuer, "/v1/auth/login", &alice).await
}

fn kind(answer: &Answer) -> String {
    answer.text("type").rsplit(':').next().unwrap().to_owned()
}

/// Confirms a second factor of alice. Returns its secret, the recovery codes and the response to
/// the step-up.
async fn with_factor(home: &Home, issuer: &Issuer) -> (String, Vec<String>, Answer) {
    let token = login_own(issuer).await.expect(200).text("access_token");
    let body = json!({ "password": PASSWORD });
    let enrolment = ask(issuer, "/v1/auth/totp", &token, body).await.expect(201);
    let secret = enrolment.text("secret");
    let codes = enrolment.json["recovery_codes"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    let raised = step_up(issuer, &token, &code(home, &secret)).await.expect(200);
    home.advance(30);
    (secret, codes, raised)
}

async fn login_of_a_user_with_a_second_factor_needs_a_code(home: Home) {
    let issuer = home.open_with_alice().await;
    let (secret, _, _) = with_factor(&home, &issuer).await;
    let needed = login(&issuer).await.expect(401);
    assert_eq!(kind(&needed), "second-factor-needed");
    assert_eq!(needed.header("www-authenticate"), "Bearer");
    assert!(needed.cookie("__Host-portcullis-access").is_none());
    // The log also shows a correct password without a code, as an attacker with passwords from another
    // service would send.
    let last = issuer.events(0, 1000).await.unwrap().pop().unwrap();
    assert_eq!(last.kind, "second_factor_asked");
    assert_eq!(last.user_id.as_ref(), Some(&issuer.account("alice").await.unwrap().id));
    // With a wrong password, the response does not reveal that there is a factor.
    let body = json!({ "username": "alice", "password": "wrong", "code": code(&home, &secret) });
    let wrong = post(&issuer, "/v1/auth/login", &body).await.expect(401);
    assert_eq!(kind(&wrong), "wrong-credentials");

    let shown = code(&home, &secret);
    let other = if shown == "000000" { "000001" } else { "000000" };
    assert_eq!(kind(&login_with(&issuer, other).await.expect(403)), "wrong-code");
    let grant = login_with(&issuer, &shown).await.expect(200);
    let claims = part(&grant.text("access_token"), 1);
    assert_eq!((&claims["acr"], &claims["auth_time"]), (&json!("aal2"), &json!(home.now())));
    login_with(&issuer, &shown).await.expect(403);
    home.advance(60);
    let fresh = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    assert_eq!(part(&fresh.text("access_token"), 1)["acr"], "aal2");
}

async fn recovery_code_is_accepted_once(home: Home) {
    drop(home.open_with_alice().await);
    let mut config = home.config();
    config.audiences.clear();
    let issuer = Issuer::open(config).await.unwrap();
    let token = login(&issuer).await.expect(200).text("access_token");
    let unconfirmed = ask(&issuer, "/v1/auth/totp", &token, json!({ "password": PASSWORD })).await;
    let unconfirmed = unconfirmed.json["recovery_codes"][0].as_str().unwrap().to_owned();
    step_up(&issuer, &token, &unconfirmed).await.expect(403);

    let (_, codes, raised) = with_factor(&home, &issuer).await;
    assert_eq!(codes.len(), 10);
    login_with(&issuer, &unconfirmed).await.expect(403);
    let grant = login_with(&issuer, &codes[0].to_uppercase()).await.expect(200);
    assert_eq!(part(&grant.text("access_token"), 1)["acr"], "aal2");
    login_with(&issuer, &codes[0]).await.expect(403);
    let token = grant.text("access_token");
    step_up(&issuer, &token, &codes[1]).await.expect(200);
    let kinds: Vec<_> =
        issuer.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "recovery_code_used").count(), 2);
    // Two of the ten codes were used, and are deleted.
    let kept = home.count("SELECT count(*) FROM recovery_codes").await;
    assert_eq!(kept, 8);

    let raised = raised.text("access_token");
    let line = "POST /v1/auth/recovery-codes";
    let made = with_token(&issuer, line, &raised).await.expect(201);
    assert_eq!(made.json["recovery_codes"].as_array().unwrap().len(), 10);
    login_with(&issuer, &codes[2]).await.expect(403);
    let new = made.json["recovery_codes"][3].as_str().unwrap().to_owned();
    login_with(&issuer, &new).await.expect(200);
    // A fresh token that is also for an API cannot create recovery codes.
    let shared = home.open().await;
    let code = made.json["recovery_codes"][4].as_str().unwrap().to_owned();
    let seen = login_with(&shared, &code).await.expect(200).text("access_token");
    assert_eq!(kind(&with_token(&issuer, line, &seen).await.expect(403)), "not-issuers-own");
    home.advance(400);
    let fresh = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    with_token(&issuer, line, &fresh.text("access_token")).await.expect(401);
}

async fn hundred_wrong_codes_lock_all_processes_until_an_operator_unlocks(home: Home) {
    drop(home.open_with_alice().await);
    let mut config = home.config();
    (config.attempts_per_account, config.attempts_per_address) = (0, 0);
    let issuers =
        [Issuer::open(config.clone()).await.unwrap(), Issuer::open(config).await.unwrap()];
    let (secret, codes, raised) = with_factor(&home, &issuers[0]).await;
    let token = raised.text("access_token");
    let shown = code(&home, &secret);
    let wrong = if shown == "000000" { "000001" } else { "000000" };
    for attempt in 0..100 {
        let refused = step_up(&issuers[attempt % 2], &token, wrong).await.expect(403);
        assert_eq!(kind(&refused), "wrong-code", "{attempt}");
    }
    for issuer in &issuers {
        let locked = step_up(issuer, &token, &shown).await.expect(403);
        assert_eq!(kind(&locked), "second-factor-locked");
        assert_eq!(kind(&login_with(issuer, &shown).await.expect(403)), "second-factor-locked");
        assert_eq!(kind(&login_with(issuer, &codes[0]).await.expect(403)), "second-factor-locked");
    }
    let kinds: Vec<_> =
        issuers[0].events(0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "second_factor_locked").count(), 1);
    issuers[1].unlock_user("Alice").await.unwrap();
    login_with(&issuers[0], &shown).await.expect(200);
}

async fn token_refreshed_after_the_factor_is_removed_is_aal1(home: Home) {
    let issuer = home.open_with_alice().await;
    let (_, codes, _) = with_factor(&home, &issuer).await;
    let first = login_own_with(&issuer, &codes[0]).await.expect(200);
    let second = login_with(&issuer, &codes[1]).await.expect(200);
    let token = first.text("access_token");
    with_token(&issuer, "DELETE /v1/auth/totp", &token).await.expect(204);
    for grant in [&first, &second] {
        let fresh = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
        assert_eq!(part(&fresh.text("access_token"), 1)["acr"], "aal1");
    }
    assert_eq!(home.count("SELECT count(*) FROM recovery_codes").await, 0);
    let fresh = login_own(&issuer).await.expect(200).text("access_token");

    // The removal by an operator has the same effect.
    let secret = enrolled(&issuer, &fresh).await;
    home.advance(30);
    step_up(&issuer, &fresh, &code(&home, &secret)).await.expect(200);
    issuer.reset_second_factor("alice").await.unwrap();
    assert_eq!(part(&login(&issuer).await.expect(200).text("access_token"), 1)["acr"], "aal1");
}

async fn session_without_a_required_factor_is_for_the_issuer_alone(home: Home) {
    let earlier = home.open_with_alice().await;
    let before = login(&earlier).await.expect(200);
    assert_eq!(part(&before.text("access_token"), 1)["aud"], json!([ISSUER, API]));
    earlier.close().await;

    let mut config = home.config();
    config.second_factor = SecondFactorMode::Required;
    let issuer = Issuer::open(config).await.unwrap();
    let grants = [
        refresh(&issuer, &before.text("refresh_token")).await.expect(200),
        login(&issuer).await.expect(200),
    ];
    for grant in &grants {
        let claims = part(&grant.text("access_token"), 1);
        assert_eq!((&claims["aud"], &claims["roles"]), (&json!([ISSUER]), &json!([])));
        assert_eq!((&claims["scope"], &grant.json["scope"]), (&Value::Null, &json!("")));
    }
    let token = grants[1].text("access_token");
    let app = issuer.protect(Router::new().route("/orders", get(|| async { "orders" })));
    let order = async |token: &str| {
        let request = axum::http::Request::get("/orders")
            .header("authorization", format!("Bearer {token}"))
            .body(axum::body::Body::empty());
        app.clone().oneshot(request.unwrap()).await.unwrap()
    };
    let refused = order(&token).await;
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");

    let secret = enrolled(&issuer, &token).await;
    let raised = step_up(&issuer, &token, &code(&home, &secret)).await.expect(200);
    let claims = part(&raised.text("access_token"), 1);
    // Until the next refresh, the audience is that of the previous token.
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!([ISSUER]), &json!("a:read a:write")));
    let fresh = refresh(&issuer, &grants[1].text("refresh_token")).await.expect(200);
    assert_eq!(part(&fresh.text("access_token"), 1)["aud"], json!([ISSUER, API]));
    assert_eq!(order(&raised.text("access_token")).await.status(), 200);
    login(&issuer).await.expect(401);
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
}

async fn mode_off_needs_a_code_at_step_up_only(home: Home) {
    drop(home.open_with_alice().await);
    let mut config = home.config();
    config.second_factor = SecondFactorMode::Off;
    let issuer = Issuer::open(config).await.unwrap();
    let (secret, _, _) = with_factor(&home, &issuer).await;
    let token = login_own(&issuer).await.expect(200).text("access_token");
    assert_eq!(part(&token, 1)["acr"], "aal1");
    step_up(&issuer, &token, &code(&home, &secret)).await.expect(200);
    call(&issuer, "POST /v1/auth/recovery-codes", &[]).await.expect(401);
}

/// Asking for a code would reveal that the password is right.
async fn disabled_user_is_not_asked_for_a_code(home: Home) {
    let issuer = home.open_with_alice().await;
    with_factor(&home, &issuer).await;
    issuer.disable_user("alice").await.unwrap();
    let refused = login(&issuer).await.expect(401);
    let unknown = json!({ "username": "unknown", "password": PASSWORD });
    assert_eq!(refused.json, post(&issuer, "/v1/auth/login", &unknown).await.expect(401).json);
}

/// The token of such a session is for the issuer alone, so that the user can enrol a factor with the token.
async fn session_without_a_required_factor_gets_the_issuers_cookie_for_any_resource(home: Home) {
    drop(home.open_with_alice().await);
    let body = json!({ "username": "alice", "password": PASSWORD, "resource": [API] });
    for (mode, expected) in
        [(SecondFactorMode::Optional, false), (SecondFactorMode::Required, true)]
    {
        let mut config = home.config();
        config.second_factor = mode;
        let issuer = Issuer::open(config).await.unwrap();
        let grant = post(&issuer, "/v1/auth/login", &body).await.expect(200);
        assert_eq!(grant.cookie("__Host-portcullis-access").is_some(), expected, "{mode:?}");
    }
}
