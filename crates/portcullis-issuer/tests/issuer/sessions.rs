//! Login, refresh, logout: who is let in, and how it ends.

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
    from_login_to_the_end_of_the_session,
    a_spent_token_ends_its_session_however_late,
    a_copied_token_that_follows_every_rotation_ends_the_session,
    three_tabs_that_race_at_every_refresh_survive,
    refreshes_of_a_session_are_limited,
    logout_by_an_access_token_ends_its_session,
    logout_without_a_proof_of_the_session_is_400_and_says_so,
    logout_by_a_spent_refresh_token_ends_its_session,
    logout_ends_the_session_at_once_and_takes_the_cookies_back,
    a_user_sees_and_ends_their_own_sessions_only,
    one_refresh_token_presented_many_times_at_once_has_one_successor,
    an_unused_session_dies_and_a_used_one_lives,
    an_expired_access_token_is_refused,
    a_wrong_password_and_an_unknown_user_get_the_same_answer,
    the_refresh_cookie_is_taken_from_this_site_only,
    bad_requests_get_problem_documents_that_repeat_nothing,
    registration_is_off_unless_switched_on,
    guessing_is_slowed_down_for_the_account_and_the_address,
    logout_everywhere_ends_every_session,
    the_audit_log_is_for_those_who_may_read_it,
    what_no_database_can_hold_is_not_there,
    long_user_agent_is_cut_in_the_list_of_sessions,
);

async fn from_login_to_the_end_of_the_session(home: Home) {
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

    // The first refresh token is spent: whoever presents it again ends the session for both,
    // unless it is at once, as by a client that never got the answer.
    let again = refresh(&issuer, &first.text("refresh_token")).await.expect(200);
    assert_eq!(again.text("refresh_token"), second.text("refresh_token"));
    home.advance(11);
    refresh(&issuer, &first.text("refresh_token")).await.expect(401);
    refresh(&issuer, &second.text("refresh_token")).await.expect(401);
    let refused = with_token(&issuer, "GET /v1/users/me", &second.text("access_token")).await;
    assert!(refused.expect(401).header("www-authenticate").contains("invalid_token"));
}

/// The thief of a token that was spent long ago, or its owner back from a long holiday.
async fn a_spent_token_ends_its_session_however_late(home: Home) {
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
async fn a_session_ends_however_much_it_is_used_and_is_forgotten_with_its_tokens() {
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

/// A copied token, presented a few seconds after each rotation.
async fn a_copied_token_that_follows_every_rotation_ends_the_session(home: Home) {
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
async fn three_tabs_that_race_at_every_refresh_survive(home: Home) {
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
    // Another session has its own.
    let other = login(&issuer).await.expect(200).text("refresh_token");
    refresh(&issuer, &other).await.expect(200);
}

/// Nothing at rest has a refresh token or opens the sealed one: the store has neither the current
/// token nor its predecessor.
#[tokio::test]
async fn no_refresh_token_is_at_rest() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let first = login(&issuer).await.expect(200).text("refresh_token");
    let second = refresh(&issuer, &first).await.expect(200).text("refresh_token");
    issuer.close().await;
    let file = std::fs::read(home.database()).unwrap();
    for token in [&first, &second] {
        let raw = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, token);
        // The random bits and the MAC.
        let raw = &raw.unwrap()[23..];
        assert!(!file.windows(32).any(|window| window == &raw[..32]), "the random bits");
        assert!(!file.windows(32).any(|window| window == &raw[32..]), "the MAC");
        assert!(!file.windows(40).any(|window| window == &token.as_bytes()[..40]));
    }
}

/// Whoever makes tokens up must not wait in the writers' line, nor make it longer.
#[tokio::test]
async fn what_needs_no_writing_does_not_wait_for_a_lock() {
    let home = Home::new();
    let issuer = home.open_with_alice().await;
    let token = login(&issuer).await.expect(200).text("access_token");
    let ended = login(&issuer).await.expect(200).text("refresh_token");
    let mut other = stranger(&home).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    // One does wait for it.
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

async fn logout_without_a_proof_of_the_session_is_400_and_says_so(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let token = grant.text("access_token");
    let cookie = format!("__Host-portcullis-access={token}");
    let elsewhere = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    let refused = call(&issuer, "POST /v1/auth/logout", &elsewhere).await.expect(403);
    assert!(refused.cookie("__Host-portcullis-access").is_none(), "{refused:?}");

    let nothing = call(&issuer, "POST /v1/auth/logout", &[]).await.expect(400);
    assert_eq!(nothing.json["type"], "urn:portcullis:problem:no-session");
    assert_eq!(nothing.cookie("__Host-portcullis-access").unwrap(), "", "a way out for browsers");
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

async fn logout_ends_the_session_at_once_and_takes_the_cookies_back(home: Home) {
    let issuer = home.open_with_alice().await;
    let grant = login(&issuer).await.expect(200);
    let body = json!({ "refresh_token": grant.text("refresh_token") });
    let bye = post(&issuer, "/v1/auth/logout", &body).await.expect(204);
    assert_eq!(bye.cookie("__Host-portcullis-access").unwrap(), "");
    assert_eq!(bye.cookie("__Secure-portcullis-refresh").unwrap(), "");
    with_token(&issuer, "GET /v1/users/me", &grant.text("access_token")).await.expect(401);
    refresh(&issuer, &grant.text("refresh_token")).await.expect(401);
}

async fn a_user_sees_and_ends_their_own_sessions_only(home: Home) {
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

    // By cookie, only this site's pages may.
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

async fn one_refresh_token_presented_many_times_at_once_has_one_successor(home: Home) {
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
    // A browser's tabs do that, and all of them get the one successor.
    let successors: std::collections::BTreeSet<_> = tokens.iter().collect();
    assert_eq!(successors.len(), 1);
    refresh(&issuer, &tokens[0]).await.expect(200);
    refresh(&issuer, &token).await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_flood_of_logins_does_not_stop_a_refresh() {
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
    // On the one thread that the logins are on, too.
    let refreshed = tokio::spawn(async move { refresh(&issuer, &token).await });
    refreshed.await.unwrap().expect(200);
    let waiting = flood.iter().filter(|login| !login.is_finished()).count();
    assert!(waiting > 30, "{waiting} of 60 logins were still waiting");
}

async fn an_unused_session_dies_and_a_used_one_lives(home: Home) {
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

async fn an_expired_access_token_is_refused(home: Home) {
    let issuer = home.open_with_alice().await;
    let token = login(&issuer).await.expect(200).text("access_token");
    home.advance(899);
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    home.advance(61);
    let refused = with_token(&issuer, "GET /v1/users/me", &token).await.expect(401);
    assert!(refused.header("www-authenticate").contains("invalid_token"));
}

async fn a_wrong_password_and_an_unknown_user_get_the_same_answer(home: Home) {
    let issuer = home.open_with_alice().await;
    let attempt = async |username: &str, password: &str| {
        let body = json!({ "username": username, "password": password });
        let answer = post(&issuer, "/v1/auth/login", &body).await.expect(401);
        (answer.json, format!("{:?}", answer.headers))
    };
    assert_eq!(attempt("alice", "wrong").await, attempt("bob", PASSWORD).await);
}

async fn the_refresh_cookie_is_taken_from_this_site_only(home: Home) {
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

async fn bad_requests_get_problem_documents_that_repeat_nothing(home: Home) {
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

/// A body that never comes.
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
async fn a_body_that_does_not_arrive_is_not_waited_for() {
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

/// Refusals for want of a store are the issuer's fault, not the token's; and the keys, on which
/// every app depends, are served from memory.
#[tokio::test]
async fn a_store_that_fails_is_told_as_such() {
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

async fn registration_is_off_unless_switched_on(home: Home) {
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

async fn guessing_is_slowed_down_for_the_account_and_the_address(home: Home) {
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
    // From anywhere, and even with the right password; nobody is told which it was.
    for (password, address) in [("wrong", "192.0.2.1"), (PASSWORD, "192.0.2.2")] {
        let limited = attempt("alice", password, address).await.expect(429);
        assert_eq!(limited.header("retry-after"), "100");
    }
    // The address has one attempt left, at whomever: four were wrong or not looked at.
    attempt("nobody", "wrong", "192.0.2.1").await.expect(401);
    attempt("somebody", "wrong", "192.0.2.1").await.expect(429);
    attempt("somebody", "wrong", "192.0.2.3").await.expect(401);
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

async fn the_audit_log_is_for_those_who_may_read_it(home: Home) {
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

/// PostgreSQL refuses a NUL in a text, which is the client's fault and not the store's.
async fn what_no_database_can_hold_is_not_there(home: Home) {
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
