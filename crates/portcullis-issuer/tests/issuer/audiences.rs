//! The audiences of tokens, and what an API can do with a token that it has received.

use axum::http::Request;
use portcullis_issuer::{ClientRight, Issuer, IssuerConfig, NewClient, NewUser};
use serde_json::{Value, json};

use crate::clients::{TOKEN, active, basic, form, good, refused};
use crate::common::{
    API, Answer, Home, ISSUER, PASSWORD, call, login, on_every_store, part, post, send, with_token,
};

on_every_store!(
    resource_narrows_the_audience_of_a_login_and_of_each_refresh,
    narrow_tokens_are_for_the_issuer_unless_a_resource_is_named,
    token_for_an_api_cannot_change_a_factor_or_read_the_audit_log,
    host_cookie_proves_that_no_api_sent_the_request,
    backend_acts_for_its_user_with_an_exchanged_token,
    exchanged_token_ends_with_its_client,
    only_active_tokens_for_the_clients_own_apis_can_be_exchanged,
);

const OTHER_API: &str = "https://other.example.com";

pub(crate) async fn open(home: &Home, change: impl FnOnce(&mut IssuerConfig)) -> Issuer {
    let mut config = home.config();
    config.audiences = vec![API.to_owned(), OTHER_API.to_owned()];
    change(&mut config);
    let issuer = Issuer::open(config).await.unwrap();
    let alice = NewUser::new("alice", PASSWORD).scopes(["a:read", "a:write", "identsphere:audit"]);
    issuer.add_user(alice).await.unwrap();
    issuer
}

pub(crate) async fn login_for(issuer: &Issuer, resource: &[&str]) -> Answer {
    let body = json!({ "username": "alice", "password": PASSWORD, "resource": resource });
    post(issuer, "/v1/auth/login", &body).await
}

fn aud(answer: &Answer) -> Value {
    part(&answer.text("access_token"), 1)["aud"].clone()
}

async fn resource_narrows_the_audience_of_a_login_and_of_each_refresh(home: Home) {
    let issuer = open(&home, |_| ()).await;
    let all = login(&issuer).await.expect(200);
    assert_eq!(aud(&all), json!([ISSUER, API, OTHER_API]));
    let narrow = login_for(&issuer, &[API]).await.expect(200);
    assert_eq!(aud(&narrow), json!([API]));
    assert_eq!(narrow.cookie("__Host-portcullis-access"), None, "the issuer would reject it");
    with_token(&issuer, "GET /v1/users/me", &narrow.text("access_token")).await.expect(401);

    let body = json!({ "refresh_token": narrow.text("refresh_token"), "resource": [ISSUER] });
    let own = post(&issuer, "/v1/auth/refresh", &body).await.expect(200);
    assert_eq!(aud(&own), json!([ISSUER]));
    assert_eq!(own.cookie("__Host-portcullis-access"), Some(own.text("access_token")));
    let body = format!(
        "client_id=identsphere-first-party&grant_type=refresh_token&refresh_token={}&resource={}",
        own.text("refresh_token"),
        "https%3A%2F%2Fother.example.com",
    );
    let other = good(form(&issuer, TOKEN, "", &body).await);
    assert_eq!(aud(&other), json!([OTHER_API]));

    // A wrong resource does not spend the refresh token.
    let wrong = json!({ "refresh_token": other.text("refresh_token"), "resource": ["https://x"] });
    let refused = post(&issuer, "/v1/auth/refresh", &wrong).await.expect(400);
    assert_eq!(refused.json["type"], "urn:portcullis:problem:invalid-target");
    login_for(&issuer, &[API, "https://x"]).await.expect(400);
    let right = json!({ "refresh_token": other.text("refresh_token") });
    let all = post(&issuer, "/v1/auth/refresh", &right).await.expect(200);
    assert_eq!(aud(&all), json!([ISSUER, API, OTHER_API]));
}

async fn narrow_tokens_are_for_the_issuer_unless_a_resource_is_named(home: Home) {
    let issuer = open(&home, |config| config.narrow_tokens = true).await;
    let own = login(&issuer).await.expect(200);
    assert_eq!(aud(&own), json!([ISSUER]));
    with_token(&issuer, "GET /v1/audit", &own.text("access_token")).await.expect(200);
    let for_api = login_for(&issuer, &[API]).await.expect(200);
    assert_eq!(aud(&for_api), json!([API]));
    // A hostile API cannot use the token for the issuer's operations.
    let id = for_api.text("session_id");
    for line in [
        "GET /v1/users/me",
        "GET /v1/auth/sessions",
        "GET /v1/audit",
        "POST /v1/auth/logout-everywhere",
        &format!("DELETE /v1/auth/sessions/{id}"),
    ] {
        with_token(&issuer, line, &for_api.text("access_token")).await.expect(401);
    }
    with_token(&issuer, "POST /v1/auth/logout", &for_api.text("access_token")).await.expect(400);
}

/// Sends a request with a password and a code in its JSON body.
async fn ask(issuer: &Issuer, line: &str, headers: &[(&str, &str)]) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = json!({ "password": PASSWORD, "code": "123456" });
    let request = request.header("content-type", "application/json").body(body.to_string().into());
    send(issuer, request.unwrap()).await
}

const SENSITIVE: [&str; 4] =
    ["GET /v1/audit", "POST /v1/auth/totp", "POST /v1/auth/step-up", "DELETE /v1/auth/totp"];

#[track_caller]
fn is_not_the_issuers_own(answer: Answer) {
    let answer = answer.expect(403);
    assert_eq!(answer.json["type"], "urn:portcullis:problem:not-issuers-own", "{answer:?}");
}

async fn token_for_an_api_cannot_change_a_factor_or_read_the_audit_log(home: Home) {
    let issuer = open(&home, |_| ()).await;
    let seen = login(&issuer).await.expect(200).text("access_token");
    let both = login_for(&issuer, &[ISSUER, API]).await.expect(200).text("access_token");
    for token in [&seen, &both] {
        for line in SENSITIVE {
            let bearer = format!("Bearer {token}");
            is_not_the_issuers_own(ask(&issuer, line, &[("authorization", &bearer)]).await);
            // An API is not a browser: it can send any cookie.
            let cookie = format!("__Host-portcullis-access={token}");
            let as_cookie = [("cookie", cookie.as_str()), ("origin", ISSUER)];
            is_not_the_issuers_own(ask(&issuer, line, &as_cookie).await);
        }
    }
    // Without `narrow_tokens`, the token may list the user's sessions.
    with_token(&issuer, "GET /v1/auth/sessions", &seen).await.expect(200);
    let own = login_for(&issuer, &[ISSUER]).await.expect(200).text("access_token");
    with_token(&issuer, "GET /v1/audit", &own).await.expect(200);
    let bearer = format!("Bearer {own}");
    ask(&issuer, "POST /v1/auth/totp", &[("authorization", &bearer)]).await.expect(201);
}

async fn host_cookie_proves_that_no_api_sent_the_request(home: Home) {
    for domain in [None, Some("example.com".to_owned())] {
        let home = if home.postgres().is_some() { Home::on_postgres().await } else { Home::new() };
        let issuer = open(&home, |config| config.cookie_domain = domain.clone()).await;
        let name = match domain {
            Some(_) => "__Secure-portcullis-access",
            None => "__Host-portcullis-access",
        };
        let [one, other] = [login(&issuer).await.expect(200), login(&issuer).await.expect(200)];
        let cookies = |host: &Answer| {
            let host = host.cookie("__Host-portcullis-session").unwrap();
            format!("{name}={}; __Host-portcullis-session={host}", one.cookie(name).unwrap())
        };
        let (own, foreign) = (cookies(&one), cookies(&other));
        let audit = async |cookies: &str| {
            let headers = [("cookie", cookies), ("origin", ISSUER)];
            call(&issuer, "GET /v1/audit", &headers).await
        };
        audit(&own).await.expect(200);
        match domain {
            Some(_) => drop(audit(&foreign).await.expect(400)),
            None => is_not_the_issuers_own(audit(&foreign).await),
        }
        // The host cookie does not help a request with a bearer token.
        let bearer = format!("Bearer {}", one.text("access_token"));
        let headers = [("cookie", own.as_str()), ("authorization", bearer.as_str())];
        let refused = call(&issuer, "GET /v1/audit", &headers).await;
        assert!(matches!(refused.status.as_u16(), 400 | 403), "{refused:?}");
    }
}

pub(crate) async fn with_backend(issuer: &Issuer) -> String {
    let backend =
        NewClient::new("backend").resource_servers([API]).rights([ClientRight::ExchangeTokens]);
    basic("backend", &issuer.add_client(backend).await.unwrap().unwrap())
}

pub(crate) async fn exchange(issuer: &Issuer, client: &str, token: &str, more: &str) -> Answer {
    let body = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={token}\
         &subject_token_type=urn:ietf:params:oauth:token-type:access_token{more}"
    );
    form(issuer, TOKEN, client, &body).await
}

async fn backend_acts_for_its_user_with_an_exchanged_token(home: Home) {
    let issuer = open(&home, |config| config.narrow_tokens = true).await;
    let backend = with_backend(&issuer).await;
    let received = login_for(&issuer, &[API]).await.expect(200);
    let answer = good(exchange(&issuer, &backend, &received.text("access_token"), "").await);
    assert_eq!(answer.json["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!(
        (&answer.json["token_type"], &answer.json["expires_in"]),
        (&json!("Bearer"), &json!(60))
    );
    assert!(answer.json.get("refresh_token").is_none());
    let token = answer.text("access_token");
    let (claims, now) = (part(&token, 1), home.now());
    assert_eq!(claims["aud"], json!([ISSUER]));
    assert_eq!(claims["act"], json!({ "sub": "backend" }));
    assert_eq!(claims["client_id"], "backend");
    assert_eq!(claims["exp"], now + 60);
    assert_eq!(claims["sub"], part(&received.text("access_token"), 1)["sub"]);

    let me = with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    assert_eq!(me.json["name"], "alice");
    with_token(&issuer, "GET /v1/auth/sessions", &token).await.expect(200);
    for line in SENSITIVE {
        let bearer = format!("Bearer {token}");
        is_not_the_issuers_own(ask(&issuer, line, &[("authorization", &bearer)]).await);
    }
    // The exchanged token cannot end the user's sessions.
    let sid = part(&token, 1)["sid"].as_str().unwrap().to_owned();
    for line in [
        "POST /v1/auth/logout",
        "POST /v1/auth/logout-everywhere",
        &format!("DELETE /v1/auth/sessions/{sid}"),
    ] {
        is_not_the_issuers_own(with_token(&issuer, line, &token).await);
    }
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(200);
    // The revocation of the exchanged token does not end the user's session.
    good(form(&issuer, "/oauth/revoke", &backend, &format!("token={token}")).await);
    with_token(&issuer, "GET /v1/users/me", &login(&issuer).await.expect(200).text("access_token"))
        .await
        .expect(200);
    let refusal = with_token(&issuer, "GET /v1/users/me", &token).await.expect(401);
    assert_eq!(refusal.text("type"), "urn:portcullis:problem:token-revoked");
    let received = received.text("access_token");
    assert_eq!(active(&issuer, &backend, &received).await["active"], true, "the session goes on");
    let again = good(exchange(&issuer, &backend, &received, "&scope=a:read").await);
    assert_eq!(again.json["scope"], "a:read");
    let again = again.text("access_token");
    refused(&exchange(&issuer, &backend, &again, "").await, 400, "invalid_request");
    home.advance(71);
    with_token(&issuer, "GET /v1/users/me", &again).await.expect(401);
    let kinds = issuer.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind);
    assert_eq!(kinds.filter(|kind| kind == "token_exchanged").count(), 2);
}

async fn exchanged_token_ends_with_its_client(home: Home) {
    let issuer = open(&home, |config| config.narrow_tokens = true).await;
    let backend = with_backend(&issuer).await;
    let all = NewClient::new("all").rights([ClientRight::IntrospectAll]);
    let all = basic("all", &issuer.add_client(all).await.unwrap().unwrap());
    let received = login_for(&issuer, &[API]).await.expect(200).text("access_token");
    let token = good(exchange(&issuer, &backend, &received, "").await).text("access_token");
    let is_good = async |good: bool| {
        let status = with_token(&issuer, "GET /v1/users/me", &token).await.status;
        assert_eq!(status.as_u16(), if good { 200 } else { 401 });
        assert_eq!(active(&issuer, &all, &token).await["active"], good);
    };
    is_good(true).await;
    issuer.disable_client("backend").await.unwrap();
    is_good(false).await;
    issuer.enable_client("backend").await.unwrap();
    issuer.remove_client("backend").await.unwrap();
    is_good(false).await;
    home.advance(1);
    with_backend(&issuer).await;
    is_good(false).await;
}

async fn only_active_tokens_for_the_clients_own_apis_can_be_exchanged(home: Home) {
    let issuer = open(&home, |_| ()).await;
    let backend = with_backend(&issuer).await;
    let plain = NewClient::new("plain").resource_servers([API]).audiences([API]);
    let plain = basic("plain", &issuer.add_client(plain).await.unwrap().unwrap());
    let grant = login_for(&issuer, &[API]).await.expect(200);
    let right = grant.text("access_token");
    refused(&exchange(&issuer, &plain, &right, "").await, 400, "unauthorized_client");
    refused(&exchange(&issuer, "", &right, "").await, 401, "invalid_client");
    let public = "&client_id=identsphere-first-party";
    refused(&exchange(&issuer, "", &right, public).await, 400, "unauthorized_client");
    for (more, error) in [
        ("&resource=https%3A%2F%2Fother.example.com", "invalid_target"),
        ("&audience=https%3A%2F%2Fother.example.com", "invalid_target"),
        ("&actor_token=x", "invalid_request"),
        ("&requested_token_type=urn:ietf:params:oauth:token-type:refresh_token", "invalid_request"),
        ("&scope=b:read", "invalid_scope"),
    ] {
        refused(&exchange(&issuer, &backend, &right, more).await, 400, error);
    }
    good(exchange(&issuer, &backend, &right, "&audience=https%3A%2F%2Fauth.example.com").await);
    // These tokens are rejected: one for another API, a client's own, a made-up one, and a refresh
    // token.
    let elsewhere = login_for(&issuer, &[OTHER_API]).await.expect(200).text("access_token");
    let of_client = crate::clients::token(&issuer, &plain).await;
    for wrong in [&elsewhere, &of_client, "a.b.c", &grant.text("refresh_token")] {
        refused(&exchange(&issuer, &backend, wrong, "").await, 400, "invalid_request");
    }
    let body = json!({ "refresh_token": grant.text("refresh_token") });
    post(&issuer, "/v1/auth/logout", &body).await.expect(204);
    refused(&exchange(&issuer, &backend, &right, "").await, 400, "invalid_request");
}
