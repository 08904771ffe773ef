//! Login, refresh and logout: which requests are accepted, and how sessions end.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::common::{
    Home, ISSUER, PASSWORD, call, execute, login, login_own, on_every_store, post, refresh, send,
    stranger, with_token,
};
use portcullis_issuer::{Issuer, NewUser};

on_every_store!(
    session_lasts_from_login_until_a_spent_token_is_reused,
    token_spent_a_month_ago_ends_its_session,
    late_repeats_of_three_rotations_end_the_session,
    concurrent_refreshes_of_three_tabs_keep_the_session,
    refreshes_of_a_session_are_limited,
    logout_by_an_access_token_ends_its_session,
    logout_without_a_valid_token_is_400,
    logout_by_a_spent_refresh_token_ends_its_session,
    logout_ends_the_session_and_clears_the_cookies,
    user_sees_and_ends_own_sessions_only,
    concurrent_refreshes_return_one_successor,
    unused_session_expires_and_used_session_does_not,
    expired_access_token_is_rejected,
    wrong_password_and_unknown_user_get_the_same_response,
    refresh_cookie_is_accepted_from_the_own_origin_only,
    invalid_requests_get_problems_that_do_not_quote_them,
    registration_is_off_by_default,
    failed_logins_are_limited_per_account_and_address,
    logout_everywhere_ends_every_session,
    audit_log_needs_the_audit_scope,
    name_or_id_with_a_nul_is_not_found,
    long_user_agent_is_cut_in_the_list_of_sessions,
);

async fn session_lasts_from_login_until_a_spent_token_is_reused(home: Home) {
    let issuer = home.open_with_alice().await;

    let first = login(&issuer).await.expect(200);
    assert_eq!(first.json["token_type"], "Bearer");
    assert_eq!(first.json["expires_in"], 900);
    assert_eq!(first.json["scope"], "a:read a:write");
    assert_eq!(first.header("cache-control"), "no-store");
    assert_eq!(first.cookie("__Host-portcullis-access").unwrap(), first.text("access_token"));
    assert_eq!(first.cookie("__Secure-portcullis-refresh").unwrap(), first.text("refresh_token"));

    let token = first.text("access_token");
    let me = with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    assert_eq!(me.json["name"], "alice");
    assert_eq!(me.header("cache-control"), "no-store");
    assert_eq!(me.json["roles"], json!(["admin"]));
    let cookie = format!("__Host-portcullis-access={token}");
    call(&issuer, "GET /v1/users/me", &[("cookie", &cookie)]).await.expect(200);

    let second = refresh(&issuer, &first.text("refresh_token")).await.expect(200);
    assert_eq!(second.text("session_id"), first.text("session_id"));
    assert_ne!(second.text("refresh_token"), first.text("refresh_token"));

    // The first refresh token is spent. A client that did not get the response may repeat the
    // request within the grace period. Later, the reuse of the token ends the session.
    let again = refresh(&issuer, &first.text("refresh_token")).await.expect(200);
    assert_eq!(again.text("refresh_token"), second.text("refresh_token"));
    home.advance(11);
    refresh(&issuer, &first.text("refresh_token")).await.expect(401);
    refresh(&issuer, &second.text("refresh_token")).await.expect(401);
    let refused = with_token(&issuer, "GET /v1/users/me", &second.text("access_token")).await;
    assert!(refused.expect(401).header("www-authenticate").contains("invalid_token"));
}

/// The token may be stolen, or its client may have been offline for a long time.
async fn token_spent_a_month_ago_ends_its_session(home: Home) {
    let issuer = home.open_with_alice().await;
    let spent = login(&issuer).await.expect(200).text("refresh_token");
    let mut current = refresh(&issuer, &spent).await.expect(200).text("refresh_token");
    for _ in 0..31 {
        home.advance(24 * 60 * 60);
        current = refresh(&issuer, &current).await.expect(200).text("refresh_token");
    }
    refresh(&issuer, &spent).await.expect(401);
    refresh(&issuer, &current).await.expect(401);
}

#[tokio::test]
async fn used_session_ends_at_its_maximum_lifetime_and_is_deleted() {
    let home = Home::new();
    let mut config = home.config();
    config.refresh_expiry = Duration::from_secs(1000);
    config.session_max = Duration::from_secs(1500);
    drop(home.open_with_alice().await);
    let issuer = Issuer::open(config).await.unwrap();
    let grant = login(&issuer).await.expect(200);
    home.advance(900);
    let grant = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    home.advance(599);
    let grant = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    let token = grant.text("access_token");
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    home.advance(1);
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(401);
    refresh(&issuer, &grant.text("refresh_token")).await.expect(401);

    login(&issuer).await.expect(200);
    issuer.tidy().await.unwrap();
    assert_eq!(home.count("SELECT count(*) FROM sessions").await, 1);
}

/// An attacker presents a copied token a few seconds after each rotation.
async fn late_repeats_of_three_rotations_end_the_session(home: Home) {
    let issuer = home.open_with_alice().await;
    let mut token = login(&issuer).await.expect(200).text("refresh_token");
    for _ in 0..2 {
        let next = refresh(&issuer, &token).await.expect(200).text("refresh_token");
        home.advance(3);
        let thief = refresh(&issuer, &token).await.expect(200).text("refresh_token");
        assert_eq!(thief, next);
        token = next;
    }
    let next = refresh(&issuer, &token).await.expect(200).text("refresh_token");
    home.advance(3);
    refresh(&issuer, &token).await.expect(401);
    refresh(&issuer, &next).await.expect(401);
}

/// The tabs of a browser share a cookie, and refresh when the access token expires.
async fn concurrent_refreshes_of_three_tabs_keep_the_session(home: Home) {
    let issuer = home.open_with_alice().await;
    let mut token = login(&issuer).await.expect(200).text("refresh_token");
    for round in 0..10 {
        let (first, second, third) = tokio::join!(
            refresh(&issuer, &token),
            refresh(&issuer, &token),
            refresh(&issuer, &token),
        );
        let next = first.expect(200).text("refresh_token");
        assert_eq!(second.expect(200).text("refresh_token"), next, "round {round}");
        assert_eq!(third.expect(200).text("refresh_token"), next, "round {round}");
        home.advance(60);
        token = next;
    }
    let events = issuer.events(0, 1000).await.unwrap();
    assert!(events.iter().all(|event| !event.kind.starts_with("refresh")), "{events:?}");
}

async fn refreshes_of_a_session_are_limited(home: Home) {
    drop(home.open_with_alice().await);
    let mut config = home.config();
    config.refreshes_per_session = 3;
    let issuer = Issuer::open(config).await.unwrap();
    let mut token = login(&issuer).await.expect(200).text("refresh_token");
    for _ in 0..3 {
        token = refresh(&issuer, &token).await.expect(200).text("refresh_token");
    }
    let limited = refresh(&issuer, &token).await.expect(429);
    assert_eq!(limited.header("retry-after"), "100");
    home.advance(100);
    refresh(&issuer, &token).await.expect(200);
    // Another session has its own budget.
    let other = login(&issuer).await.expect(200).text("refresh_token");
    refresh(&issuer, &other).await.expect(200);
}

/// The sealed successor is encrypted with its predecessor. So the database must contain neither the
/// current token nor its predecessor.
#[tokio::test]
async fn refresh_tokens_are_not_stored_in_the_clear() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let first = login(&issuer).await.expect(200).text("refresh_token");
    let second = refresh(&issuer, &first).await.expect(200).text("refresh_token");
    issuer.close().await;
    let file = std::fs::read(home.database()).unwrap();
    for token in [&first, &second] {
        let raw = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, token);
        // The last 64 bytes are the random bits and the MAC.
        let raw = &raw.unwrap()[23..];
        assert!(!file.windows(32).any(|window| window == &raw[..32]), "the random bits");
        assert!(!file.windows(32).any(|window| window == &raw[32..]), "the MAC");
        assert!(!file.windows(40).any(|window| window == &token.as_bytes()[..40]));
    }
}

/// Requests with made-up tokens must not join the queue of writers.
#[tokio::test]
async fn requests_that_write_nothing_do_not_wait_for_a_lock() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let token = login(&issuer).await.expect(200).text("access_token");
    let ended = login(&issuer).await.expect(200).text("refresh_token");
    let mut other = stranger(&home).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    // This refresh writes, so it waits for the lock.
    let writer = tokio::spawn({
        let issuer = issuer.clone();
        async move { refresh(&issuer, &ended).await }
    });
    let start = Instant::now();
    for _ in 0..8 {
        refresh(&issuer, "made up").await.expect(401);
        let body = json!({ "refresh_token": "made up" });
        post(&issuer, "/v1/auth/logout", &body).await.expect(204);
        with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    execute(&mut other, "COMMIT").await;
    writer.await.unwrap().expect(200);
}

async fn logout_by_an_access_token_ends_its_session(home: Home) {
    let issuer = home.open_with_alice().await;
    let cookie = |token: &str| format!("__Host-portcullis-access={token}");
    for by_cookie in [true, false] {
        let grant = login(&issuer).await.expect(200);
        let token = grant.text("access_token");
        let bye = if by_cookie {
            let headers = [("cookie", &*cookie(&token)), ("sec-fetch-site", "same-origin")];
            call(&issuer, "POST /v1/auth/logout", &headers).await
        } else {
            with_token(&issuer, "POST /v1/auth/logout", &token).await
        };
        assert_eq!(bye.expect(204).cookie("__Host-portcullis-access").unwrap(), "");
        with_token(&issuer, "GET /v1/users/me", &token).await.expect(401);
        refresh(&issuer, &grant.text("refresh_token")).await.expect(401);
    }
    let kinds = issuer.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind);
    assert_eq!(kinds.filter(|kind| kind == "logout").count(), 2);
}

async fn logout_without_a_valid_token_is_400(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let token = grant.text("access_token");
    let cookie = format!("__Host-portcullis-access={token}");
    let elsewhere = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    let refused = call(&issuer, "POST /v1/auth/logout", &elsewhere).await.expect(403);
    assert!(refused.cookie("__Host-portcullis-access").is_none(), "{refused:?}");

    let nothing = call(&issuer, "POST /v1/auth/logout", &[]).await.expect(400);
    assert_eq!(nothing.json["type"], "urn:portcullis:problem:no-session");
    assert_eq!(nothing.cookie("__Host-portcullis-access").unwrap(), "", "cleared all the same");
    home.advance(1000);
    with_token(&issuer, "POST /v1/auth/logout", &token).await.expect(400);
    call(&issuer, "POST /v1/auth/logout", &[("cookie", &cookie)]).await.expect(400);
    refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
}

async fn logout_by_a_spent_refresh_token_ends_its_session(home: Home) {
    let issuer = home.open_with_alice().await;
    let spent = login(&issuer).await.expect(200).text("refresh_token");
    let next = refresh(&issuer, &spent).await.expect(200).text("refresh_token");
    post(&issuer, "/v1/auth/logout", &json!({ "refresh_token": spent })).await.expect(204);
    refresh(&issuer, &next).await.expect(401);
}

async fn logout_ends_the_session_and_clears_the_cookies(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let body = json!({ "refresh_token": grant.text("refresh_token") });
    let bye = post(&issuer, "/v1/auth/logout", &body).await.expect(204);
    assert_eq!(bye.cookie("__Host-portcullis-access").unwrap(), "");
    assert_eq!(bye.cookie("__Secure-portcullis-refresh").unwrap(), "");
    with_token(&issuer, "GET /v1/users/me", &grant.text("access_token")).await.expect(401);
    refresh(&issuer, &grant.text("refresh_token")).await.expect(401);
}

async fn user_sees_and_ends_own_sessions_only(home: Home) {
    let issuer = home.open_with_alice().await;
    issuer.add_user(NewUser::new("mallory", PASSWORD)).await.unwrap();
    let phone = login(&issuer).await.expect(200);
    let laptop = login(&issuer).await.expect(200);
    let body = json!({ "username": "mallory", "password": PASSWORD });
    let mallory = post(&issuer, "/v1/auth/login", &body).await.expect(200);

    let list = with_token(&issuer, "GET /v1/auth/sessions", &laptop.text("access_token")).await;
    let sessions = list.expect(200).json["sessions"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2);
    for session in &sessions {
        assert_eq!(session["current"], session["id"] == laptop.json["session_id"], "{session}");
    }

    // With a cookie, only pages of the issuer's own origin may end a session.
    let cookie = format!("__Host-portcullis-access={}", laptop.text("access_token"));
    let end_laptop = format!("DELETE /v1/auth/sessions/{}", laptop.text("session_id"));
    let elsewhere = [("cookie", cookie.as_str()), ("origin", "https://evil.example.com")];
    call(&issuer, &end_laptop, &elsewhere).await.expect(403);

    let end_phone = format!("DELETE /v1/auth/sessions/{}", phone.text("session_id"));
    with_token(&issuer, &end_phone, &mallory.text("access_token")).await.expect(404);
    with_token(&issuer, "GET /v1/users/me", &phone.text("access_token")).await.expect(200);
    with_token(&issuer, &end_phone, &laptop.text("access_token")).await.expect(204);
    with_token(&issuer, &end_phone, &laptop.text("access_token")).await.expect(404);
    let no_text = "DELETE /v1/auth/sessions/%FF";
    with_token(&issuer, no_text, &laptop.text("access_token")).await.expect(404);
    with_token(&issuer, "GET /v1/users/me", &phone.text("access_token")).await.expect(401);
    with_token(&issuer, "GET /v1/users/me", &laptop.text("access_token")).await.expect(200);
}

async fn concurrent_refreshes_return_one_successor(home: Home) {
    let issuer = home.open_with_alice().await;
    let token = login(&issuer).await.expect(200).text("refresh_token");
    let attempts: Vec<_> = (0..16)
        .map(|_| {
            let (issuer, token) = (issuer.clone(), token.clone());
            tokio::spawn(async move { refresh(&issuer, &token).await.expect(200) })
        })
        .collect();
    let mut tokens = Vec::new();
    for attempt in attempts {
        tokens.push(attempt.await.unwrap().text("refresh_token"));
    }
    // The tabs of a browser send such requests, and all of them need the same successor.
    let successors: std::collections::BTreeSet<_> = tokens.iter().collect();
    assert_eq!(successors.len(), 1);
    refresh(&issuer, &tokens[0]).await.expect(200);
    refresh(&issuer, &token).await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn flood_of_logins_does_not_block_a_refresh() {
    let home = Home::new();
    drop(home.open_with_alice().await);
    let mut config = home.config();
    config.attempts_per_account = 0;
    let issuer = Issuer::open(config).await.unwrap();
    let token = login(&issuer).await.expect(200).text("refresh_token");
    let flood: Vec<_> = (0..60)
        .map(|_| {
            let issuer = issuer.clone();
            tokio::spawn(async move { login(&issuer).await })
        })
        .collect();
    // The refresh runs on the same thread as the logins.
    let refreshed = tokio::spawn(async move { refresh(&issuer, &token).await });
    refreshed.await.unwrap().expect(200);
    let waiting = flood.iter().filter(|login| !login.is_finished()).count();
    assert!(waiting > 30, "{waiting} of 60 logins were still waiting");
}

async fn unused_session_expires_and_used_session_does_not(home: Home) {
    let mut config = home.config();
    config.refresh_expiry = std::time::Duration::from_secs(1000);
    drop(home.open_with_alice().await);
    let issuer = Issuer::open(config).await.unwrap();
    let mut grant = login(&issuer).await.expect(200);
    for _ in 0..3 {
        home.advance(999);
        grant = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
    }
    home.advance(1000);
    refresh(&issuer, &grant.text("refresh_token")).await.expect(401);
}

async fn expired_access_token_is_rejected(home: Home) {
    let issuer = home.open_with_alice().await;
    let token = login(&issuer).await.expect(200).text("access_token");
    home.advance(899);
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    home.advance(61);
    let refused = with_token(&issuer, "GET /v1/users/me", &token).await.expect(401);
    assert!(refused.header("www-authenticate").contains("invalid_token"));
}

async fn wrong_password_and_unknown_user_get_the_same_response(home: Home) {
    let issuer = home.open_with_alice().await;
    let attempt = async |username: &str, password: &str| {
        let body = json!({ "username": username, "password": password });
        let answer = post(&issuer, "/v1/auth/login", &body).await.expect(401);
        (answer.json, format!("{:?}", answer.headers))
    };
    assert_eq!(attempt("alice", "wrong").await, attempt("bob", PASSWORD).await);
}

async fn refresh_cookie_is_accepted_from_the_own_origin_only(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let (token, host) =
        (grant.text("refresh_token"), grant.cookie("__Host-portcullis-session").unwrap());
    let cookie = format!("__Secure-portcullis-refresh={token}; __Host-portcullis-session={host}");
    for path in ["POST /v1/auth/refresh", "POST /v1/auth/logout"] {
        for (name, value) in
            [("sec-fetch-site", "same-site"), ("origin", "https://evil.example.com")]
        {
            let refused = call(&issuer, path, &[("cookie", &cookie), (name, value)]).await;
            let refused = refused.expect(403);
            assert!(refused.cookie("__Host-portcullis-access").is_none(), "{refused:?}");
        }
    }
    call(&issuer, "POST /v1/auth/refresh", &[]).await.expect(400);
    let here = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("origin", crate::common::ISSUER),
    ];
    call(&issuer, "POST /v1/auth/refresh", &here).await.expect(200);
}

async fn invalid_requests_get_problems_that_do_not_quote_them(home: Home) {
    use axum::body::Body;
    use axum::http::Request;

    let issuer = home.open_with_alice().await;
    let huge = format!("{{\"username\":\"{}\"}}", "s3cret".repeat(4000));
    for (kind, body, status) in [
        ("application/json", "{\"username\": s3cret", 400),
        ("application/json", "", 400),
        ("application/json", "{\"username\": \"s3cret\"}", 422),
        ("application/json", "{\"username\": \"s3cret\", \"password\": 7}", 422),
        ("text/plain", "{\"username\": \"s3cret\", \"password\": \"s3cret\"}", 415),
        ("application/json", &huge, 413),
    ] {
        let request = Request::post("/v1/auth/login")
            .header("content-type", kind)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let answer = send(&issuer, request).await.expect(status);
        assert!(!answer.json.to_string().contains("s3cret"), "{answer:?}");
    }
    let answer = call(&issuer, "GET /v1/auth/login", &[]).await.expect(405);
    assert_eq!(answer.header("allow"), "POST");
    with_token(&issuer, "GET /v1/users/me", "rubbish").await.expect(401);
    let missing = call(&issuer, "GET /v1/users/me", &[]).await.expect(401);
    assert!(missing.header("www-authenticate").starts_with("Bearer"), "{missing:?}");
}

/// A request body that never arrives.
struct Never;

impl axum::body::HttpBody for Never {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn request_whose_body_does_not_arrive_is_408() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    tokio::time::pause();
    for path in ["/v1/auth/login", "/v1/auth/refresh"] {
        let request = axum::http::Request::post(path)
            .header("content-type", "application/json")
            .body(axum::body::Body::new(Never))
            .unwrap();
        send(&issuer, request).await.expect(408);
    }
}

/// A failed store is reported as 503, not as an invalid token. The key set, on which every app
/// depends, is served from memory.
#[tokio::test]
async fn failed_store_is_503_and_the_keys_are_still_served() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let url = format!("sqlite://{}", home.database().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    for table in ["refresh_tokens", "sessions", "users", "key_ring"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP TABLE {table}")))
            .execute(&pool)
            .await
            .unwrap();
    }
    let token = grant.text("access_token");
    for answer in [
        login(&issuer).await,
        refresh(&issuer, &grant.text("refresh_token")).await,
        with_token(&issuer, "GET /v1/users/me", &token).await,
        call(&issuer, "GET /readyz", &[]).await,
    ] {
        let answer = answer.expect(503);
        assert_eq!(answer.header("retry-after"), "1");
        assert!(!answer.json.to_string().contains("table"), "{answer:?}");
    }
    let keys = call(&issuer, "GET /.well-known/jwks.json", &[]).await.expect(200);
    assert_eq!(keys.json["keys"].as_array().unwrap().len(), 1);
}

async fn registration_is_off_by_default(home: Home) {
    let body = json!({ "username": "bob", "password": PASSWORD });
    let closed = post(&home.open().await, "/v1/auth/register", &body).await;
    assert_eq!(closed.status, 404);
    let mut config = home.config();
    config.registration = true;
    let issuer = Issuer::open(config).await.unwrap();
    let made = post(&issuer, "/v1/auth/register", &body).await.expect(201);
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!((&made.json["roles"], &made.json["scopes"]), (&json!([]), &json!([])));
    post(&issuer, "/v1/auth/register", &body).await.expect(409);
    post(&issuer, "/v1/auth/login", &body).await.expect(200);
}

async fn failed_logins_are_limited_per_account_and_address(home: Home) {
    drop(home.open_with_alice().await);
    let mut config = home.config();
    config.attempts_per_account = 3;
    config.attempts_per_address = 5;
    config.client_address_header = Some("x-forwarded-for".parse().unwrap());
    let issuer = Issuer::open(config).await.unwrap();
    let attempt = async |username: &str, password: &str, address: &str| {
        let request = axum::http::Request::post("/v1/auth/login")
            .header("content-type", "application/json")
            .header("x-forwarded-for", address)
            .body(json!({ "username": username, "password": password }).to_string().into())
            .unwrap();
        send(&issuer, request).await
    };
    for name in ["alice", "Alice", "ALICE"] {
        attempt("alice", PASSWORD, "192.0.2.1").await.expect(200);
        attempt(name, "wrong", "192.0.2.1").await.expect(401);
    }
    // The limit holds for every address and for the right password, so that the response does not
    // reveal whether the password was right.
    for (password, address) in [("wrong", "192.0.2.1"), (PASSWORD, "192.0.2.2")] {
        let limited = attempt("alice", password, address).await.expect(429);
        assert_eq!(limited.header("retry-after"), "100");
    }
    // The address has one attempt left for any account: three have failed, and one was limited.
    attempt("unknown", "wrong", "192.0.2.1").await.expect(401);
    attempt("another", "wrong", "192.0.2.1").await.expect(429);
    attempt("another", "wrong", "192.0.2.3").await.expect(401);
    home.advance(100);
    attempt("alice", PASSWORD, "192.0.2.1").await.expect(200);
    let kinds: Vec<_> =
        issuer.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect();
    let counted = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!((counted("login_failed"), counted("login_limited")), (5, 2), "{kinds:?}");
}

async fn logout_everywhere_ends_every_session(home: Home) {
    let issuer = home.open_with_alice().await;
    let (phone, laptop) = (login(&issuer).await.expect(200), login(&issuer).await.expect(200));
    let everywhere = "POST /v1/auth/logout-everywhere";
    let bye = with_token(&issuer, everywhere, &phone.text("access_token")).await.expect(204);
    assert_eq!(bye.cookie("__Host-portcullis-access").unwrap(), "");
    for grant in [phone, laptop] {
        with_token(&issuer, "GET /v1/users/me", &grant.text("access_token")).await.expect(401);
        refresh(&issuer, &grant.text("refresh_token")).await.expect(401);
    }
    login(&issuer).await.expect(200);
}

async fn audit_log_needs_the_audit_scope(home: Home) {
    let issuer = home.open_with_alice().await;
    let auditor = NewUser::new("auditor", PASSWORD).scopes(["identsphere:audit"]);
    issuer.add_user(auditor).await.unwrap();
    let alice = login_own(&issuer).await.expect(200);
    let refused = with_token(&issuer, "GET /v1/audit", &alice.text("access_token")).await;
    assert!(refused.expect(403).header("www-authenticate").contains("identsphere:audit"));
    let body = json!({ "username": "auditor", "password": PASSWORD, "resource": [ISSUER] });
    let auditor = post(&issuer, "/v1/auth/login", &body).await.expect(200).text("access_token");
    let all = with_token(&issuer, "GET /v1/audit", &auditor).await.expect(200);
    let events = all.json["events"].as_array().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["key_active", "user_added", "user_added", "login", "login"]);
    assert_eq!(events[3]["session_id"], alice.json["session_id"]);
    let page = format!("GET /v1/audit?after={}&limit=1", events[1]["serial"]);
    let page = with_token(&issuer, &page, &auditor).await.expect(200);
    assert_eq!(page.json["events"].as_array().unwrap(), &events[2..3]);
    with_token(&issuer, "GET /v1/audit?after=x", &auditor).await.expect(400);
}

/// PostgreSQL rejects a NUL in a text. This is an error of the client, not of the store.
async fn name_or_id_with_a_nul_is_not_found(home: Home) {
    let issuer = home.open_with_alice().await;
    let credentials = json!({ "username": "al\u{0}ice", "password": PASSWORD });
    post(&issuer, "/v1/auth/login", &credentials).await.expect(401);
    let token = login(&issuer).await.expect(200).text("access_token");
    with_token(&issuer, "DELETE /v1/auth/sessions/a%00b", &token).await.expect(404);
}

async fn long_user_agent_is_cut_in_the_list_of_sessions(home: Home) {
    let issuer = home.open_with_alice().await;
    let body = json!({ "username": "alice", "password": PASSWORD });
    let request = Request::post("/v1/auth/login")
        .header("content-type", "application/json")
        .header("user-agent", "x".repeat(300))
        .body(Body::from(body.to_string()));
    let token = send(&issuer, request.unwrap()).await.expect(200).text("access_token");
    let list = with_token(&issuer, "GET /v1/auth/sessions", &token).await.expect(200);
    assert_eq!(list.json["sessions"][0]["user_agent"], "x".repeat(256), "{list:?}");
}
