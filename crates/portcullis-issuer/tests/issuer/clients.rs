//! Machine clients: authentication, token requests, introspection and revocation.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::testing::TestKey;
use portcullis::{Algorithm, Authenticator, Profile};
use portcullis_issuer::{ClientRight, Issuer, NewClient};
use serde_json::{Value, json};

use crate::common::{
    API, Answer, Home, ISSUER, call, login, on_every_store, part, refresh, send, with_token,
};
use crate::process::run;

on_every_store!(
    client_gets_a_token_in_its_own_name,
    requested_scopes_and_resources_must_be_the_clients_own,
    wrong_client_secret_is_rejected,
    assertion_is_accepted_once_and_for_this_issuer_only,
    token_endpoint_refreshes_sessions,
    introspection_needs_client_authentication,
    expired_revoked_or_foreign_token_is_inactive,
    revoked_token_is_inactive_and_its_session_ends,
    client_cannot_revoke_the_tokens_of_others,
    failed_attempts_are_limited_and_do_not_lock_the_client_out,
    invalid_form_gets_an_oauth_error,
    client_operations_are_in_the_audit_log,
);

pub(crate) const TOKEN: &str = "/oauth/token";
pub(crate) const INTROSPECT: &str = "/oauth/introspect";
const REVOKE: &str = "/oauth/revoke";
const OTHER_API: &str = "https://other.example.com";

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

pub(crate) async fn form(issuer: &Issuer, path: &str, authorization: &str, body: &str) -> Answer {
    let mut request =
        Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    send(issuer, request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Checks that the response is a success that must not be cached.
#[track_caller]
pub(crate) fn good(answer: Answer) -> Answer {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer
}

/// Checks that the response is this error of RFC 6749 section 5.2.
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(
        (answer.status.as_u16(), &answer.json["error"]),
        (status, &json!(error)),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.json["error_description"].is_string());
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge.starts_with("Basic "), status == 401, "{answer:?}");
    assert_eq!(answer.headers.contains_key("retry-after"), matches!(status, 429 | 503));
}

/// Opens an issuer with alice and the clients `billing` and `shipping`. Returns it with the
/// clients' credentials.
async fn open(home: &Home) -> (Issuer, String, String) {
    let issuer = home.open_with_alice().await;
    let (billing, shipping) = with_clients(&issuer).await;
    (issuer, billing, shipping)
}

async fn with_clients(issuer: &Issuer) -> (String, String) {
    let mut credentials = Vec::new();
    for id in ["billing", "shipping"] {
        let client = NewClient::new(id)
            .scopes(["a:read", "a:write"])
            .audiences([API, OTHER_API])
            .rights([ClientRight::IntrospectAll, ClientRight::ContinueSessions]);
        let secret = issuer.add_client(client).await.unwrap().unwrap();
        credentials.push(basic(id, &secret));
    }
    let shipping = credentials.pop().unwrap();
    (credentials.pop().unwrap(), shipping)
}

const CLIENT_CREDENTIALS: &str = "grant_type=client_credentials";

pub(crate) async fn token(issuer: &Issuer, authorization: &str) -> String {
    good(form(issuer, TOKEN, authorization, CLIENT_CREDENTIALS).await).text("access_token")
}

async fn client_gets_a_token_in_its_own_name(home: Home) {
    let (issuer, billing, _) = open(&home).await;
    let answer = good(form(&issuer, TOKEN, &billing, CLIENT_CREDENTIALS).await);
    assert_eq!(answer.json["token_type"], "Bearer");
    assert_eq!(answer.json["expires_in"], 900);
    assert_eq!(answer.json["scope"], "a:read a:write");
    // RFC 6749 section 4.4.3: no refresh token, since the client can use its credentials again.
    assert!(answer.json.get("refresh_token").is_none());
    let token = answer.text("access_token");
    assert_eq!(part(&token, 0)["typ"], "at+jwt");
    let now = home.now();
    let mut claims = part(&token, 1);
    assert_eq!(claims["jti"].take().as_str().unwrap().len(), 32);
    assert!(claims.as_object_mut().unwrap().remove("status").is_some());
    // The token has no claims about a session, a user's authentication or roles.
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER, "sub": "billing", "client_id": "billing", "aud": [API, OTHER_API],
            "iat": now, "exp": now + 900, "scope": "a:read a:write", "jti": null,
        })
    );
    let api = |audience: &'static str| {
        let api = Authenticator::builder(ISSUER, audience).profile(Profile::rfc9068());
        api.key_source(issuer.key_source()).clock(Arc::new(home.clock())).build()
    };
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let who = api(API).await.unwrap().authenticate(&headers).await.unwrap();
    assert_eq!(who.registered().client_id(), Some("billing"));
    // The issuer's own routes are for users with a session.
    assert!(api(ISSUER).await.unwrap().authenticate(&headers).await.is_err());
    with_token(&issuer, "GET /v1/users/me", &token).await.expect(401);

    // The request has the same secret in its body.
    let secret = STANDARD.decode(billing.strip_prefix("Basic ").unwrap()).unwrap();
    let (id, secret) = std::str::from_utf8(&secret).unwrap().split_once(':').unwrap();
    let body = format!("{CLIENT_CREDENTIALS}&client_id={id}&client_secret={secret}");
    good(form(&issuer, TOKEN, "", &body).await);
}

async fn requested_scopes_and_resources_must_be_the_clients_own(home: Home) {
    let (issuer, billing, _) = open(&home).await;
    let ask = async |more: &str| {
        form(&issuer, TOKEN, &billing, &format!("{CLIENT_CREDENTIALS}&{more}")).await
    };
    let claims = |answer: Answer| part(&good(answer).text("access_token"), 1);
    let narrow = ask("scope=a:read").await;
    assert_eq!(narrow.json["scope"], "a:read");
    assert_eq!(claims(narrow)["scope"], "a:read");
    let one = claims(ask("resource=https%3A%2F%2Fother.example.com").await);
    assert_eq!(one["aud"], json!([OTHER_API]));
    let two = format!("resource={OTHER_API}&resource={API}&resource={API}");
    assert_eq!(claims(ask(&two).await)["aud"], json!([OTHER_API, API]));

    for scope in ["a:admin", "a:read+a:admin", "A:READ", "a:read++a:write", "identsphere:audit"] {
        refused(&ask(&format!("scope={scope}")).await, 400, "invalid_scope");
    }
    let both = format!("resource={API}&resource={ISSUER}");
    for resource in [
        &format!("resource={ISSUER}"),
        &both,
        &format!("resource={API}/"),
        &format!("resource={API}%23fragment"),
        "resource=x",
    ] {
        refused(&ask(resource).await, 400, "invalid_target");
    }
    refused(&ask("grant_type=client_credentials").await, 400, "invalid_request");

    // A client without scopes gets a token without scopes. A client without audiences gets those of
    // the settings.
    let secret = issuer.add_client(NewClient::new("plain")).await.unwrap().unwrap();
    let answer = good(form(&issuer, TOKEN, &basic("plain", &secret), CLIENT_CREDENTIALS).await);
    assert!(answer.json.get("scope").is_none());
    let plain = part(&answer.text("access_token"), 1);
    assert!(plain.get("scope").is_none());
    assert_eq!(plain["aud"], json!([API]));
}

async fn wrong_client_secret_is_rejected(home: Home) {
    let (issuer, billing, shipping) = open(&home).await;
    let secret_of = |authorization: &str| {
        let decoded = STANDARD.decode(authorization.strip_prefix("Basic ").unwrap()).unwrap();
        String::from_utf8(decoded).unwrap().split_once(':').unwrap().1.to_owned()
    };
    let key = TestKey::generate("k", Algorithm::Es256);
    let keyed = NewClient::new("keyed").keys(TestKey::jwks([&key]).to_string());
    assert_eq!(issuer.add_client(keyed).await.unwrap(), None);
    for authorization in [
        basic("billing", &secret_of(&shipping)),
        basic("Billing", &secret_of(&billing)),
        basic("billing", ""),
        basic("billing", &secret_of(&billing)[1..]),
        basic("unknown", &secret_of(&billing)),
        basic("keyed", &secret_of(&billing)),
        basic("keyed", ""),
        basic("identsphere-first-party", &secret_of(&billing)),
    ] {
        for path in [TOKEN, INTROSPECT, REVOKE] {
            let body = format!("{CLIENT_CREDENTIALS}&token=x");
            refused(&form(&issuer, path, &authorization, &body).await, 401, "invalid_client");
        }
    }
    // The response does not reveal what was wrong.
    let disabled = basic("shipping", &secret_of(&shipping));
    issuer.disable_client("shipping").await.unwrap();
    let one = form(&issuer, TOKEN, &disabled, CLIENT_CREDENTIALS).await;
    let other = form(&issuer, TOKEN, &basic("unknown", "x"), CLIENT_CREDENTIALS).await;
    refused(&one, 401, "invalid_client");
    assert_eq!(one.json, other.json);
    issuer.enable_client("shipping").await.unwrap();
    token(&issuer, &shipping).await;

    let new = issuer.rotate_client_secret("billing").await.unwrap();
    refused(&form(&issuer, TOKEN, &billing, CLIENT_CREDENTIALS).await, 401, "invalid_client");
    token(&issuer, &basic("billing", &new)).await;
    issuer.remove_client("shipping").await.unwrap();
    refused(&form(&issuer, TOKEN, &shipping, CLIENT_CREDENTIALS).await, 401, "invalid_client");
    // A public client cannot authenticate, so it gets no token of its own.
    let public = format!("{CLIENT_CREDENTIALS}&client_id=identsphere-first-party");
    refused(&form(&issuer, TOKEN, "", &public).await, 400, "unauthorized_client");
    refused(&form(&issuer, TOKEN, "", CLIENT_CREDENTIALS).await, 401, "invalid_client");
}

/// Signs client assertions with `key`, for the current time of `home`.
struct Asserting<'a> {
    home: &'a Home,
    key: &'a TestKey,
}

impl Asserting<'_> {
    fn claims(&self, jti: &str) -> Value {
        let now = self.home.now();
        json!({
            "iss": "keyed", "sub": "keyed", "aud": ISSUER, "jti": jti, "iat": now, "exp": now + 60,
        })
    }

    fn body(assertion: &str) -> String {
        format!(
            "{CLIENT_CREDENTIALS}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
             client-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
        )
    }

    fn signed(&self, claims: &Value) -> String {
        Self::body(&self.key.sign(r#"{"alg":"ES256","kid":"k"}"#, &claims.to_string()))
    }
}

async fn assertion_is_accepted_once_and_for_this_issuer_only(home: Home) {
    let issuer = home.open().await;
    let key = TestKey::generate("k", Algorithm::Es256);
    let jwks = TestKey::jwks([&key]).to_string();
    issuer.add_client(NewClient::new("keyed").keys(&jwks)).await.unwrap();
    let asserting = Asserting { home: &home, key: &key };
    let ask = async |body: String| form(&issuer, TOKEN, "", &body).await;
    let first = asserting.signed(&asserting.claims("1"));
    assert_eq!(part(&good(ask(first.clone()).await).text("access_token"), 1)["sub"], "keyed");

    // The assertion is rejected again: at once, by another process, and just before it is too old.
    refused(&ask(first.clone()).await, 401, "invalid_client");
    let other_process = home.open().await;
    refused(&form(&other_process, TOKEN, "", &first).await, 401, "invalid_client");
    refused(
        &form(&issuer, INTROSPECT, "", &format!("{first}&token=x")).await,
        401,
        "invalid_client",
    );
    home.advance(119);
    good(ask(asserting.signed(&asserting.claims("2"))).await);
    refused(&ask(first.clone()).await, 401, "invalid_client");
    home.advance(1);
    refused(&ask(first).await, 401, "invalid_client");

    // Only one of many concurrent requests is accepted.
    let body = asserting.signed(&asserting.claims("3"));
    let attempts: Vec<_> = (0..8)
        .map(|n| {
            let issuer = if n % 2 == 0 { issuer.clone() } else { other_process.clone() };
            let body = body.clone();
            tokio::spawn(async move { form(&issuer, TOKEN, "", &body).await.status.as_u16() })
        })
        .collect();
    let mut let_in = 0;
    for attempt in attempts {
        let_in += usize::from(attempt.await.unwrap() == 200);
    }
    assert_eq!(let_in, 1);

    let with = |jti: &str, name: &str, value: Value| {
        let mut claims = asserting.claims(jti);
        claims[name] = value;
        asserting.signed(&claims)
    };
    for (jti, name, value) in
        [("4", "aud", json!(format!("{ISSUER}/oauth/token"))), ("4a", "aud", json!([ISSUER]))]
    {
        good(ask(with(jti, name, value)).await);
    }
    let now = home.now();
    for (n, (name, value)) in [
        ("aud", json!("https://evil.example.com")),
        ("aud", json!([ISSUER, "https://evil.example.com"])),
        ("aud", json!(null)),
        ("exp", json!(now - 61)),
        ("exp", json!(now + 3600)),
        ("exp", json!(null)),
        ("jti", json!(null)),
        ("iss", json!("billing")),
        ("sub", json!("billing")),
        // PostgreSQL rejects a NUL in a text.
        ("sub", json!("keyed\u{0}")),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = ask(with(&format!("wrong-{n}"), name, value)).await;
        refused(&answer, 401, "invalid_client");
    }
    let claims = URL_SAFE_NO_PAD.encode(asserting.claims("5").to_string());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let mallory = TestKey::generate("k", Algorithm::Es256);
    let forged = mallory.sign(r#"{"alg":"ES256","kid":"k"}"#, &asserting.claims("5").to_string());
    for assertion in [format!("{none}.{claims}."), forged, "rubbish".to_owned()] {
        refused(&ask(Asserting::body(&assertion)).await, 401, "invalid_client");
    }
    // None of these requests has spent the `jti`.
    good(ask(asserting.signed(&asserting.claims("5"))).await);

    // A new key set replaces the old one.
    let new = TestKey::generate("k", Algorithm::Es256);
    issuer.set_client_keys("keyed", &TestKey::jwks([&new]).to_string()).await.unwrap();
    refused(&ask(asserting.signed(&asserting.claims("6"))).await, 401, "invalid_client");
    let asserting = Asserting { home: &home, key: &new };
    good(ask(asserting.signed(&asserting.claims("6"))).await);
}

async fn token_endpoint_refreshes_sessions(home: Home) {
    const PUBLIC: &str = "client_id=identsphere-first-party";
    let (issuer, billing, _) = open(&home).await;
    let grant = login(&issuer).await.expect(200);
    let by_form = async |authorization: &str, token: &str, more: &str| {
        let body = format!("grant_type=refresh_token&refresh_token={token}&{more}");
        form(&issuer, TOKEN, authorization, &body).await
    };
    let first = grant.text("refresh_token");
    // A rejected request does not spend the refresh token.
    refused(&by_form("", &first, "").await, 401, "invalid_client");
    refused(&by_form(&basic("billing", "x"), &first, "").await, 401, "invalid_client");
    let elsewhere = format!("{PUBLIC}&resource=https%3A%2F%2Felsewhere.example");
    refused(&by_form("", &first, &elsewhere).await, 400, "invalid_target");
    let second = good(by_form("", &first, PUBLIC).await);
    let claims = part(&second.text("access_token"), 1);
    assert_eq!(claims["sid"], grant.json["session_id"]);
    assert_eq!(claims["client_id"], "identsphere-first-party");
    assert_eq!(second.json["scope"], "a:read a:write");
    // `billing` has the right to continue sessions. A repeated request gets the same response.
    let third = good(by_form(&billing, &second.text("refresh_token"), "scope=a:admin").await);
    assert_eq!(third.json["scope"], "a:read a:write", "the user's scopes only");
    let again = good(by_form("", &second.text("refresh_token"), PUBLIC).await);
    assert_eq!(again.text("refresh_token"), third.text("refresh_token"));
    let fourth = refresh(&issuer, &third.text("refresh_token")).await.expect(200);
    // At this endpoint, too, a spent token ends the session.
    refused(&by_form("", &first, PUBLIC).await, 400, "invalid_grant");
    refused(&by_form("", &fourth.text("refresh_token"), PUBLIC).await, 400, "invalid_grant");
    refused(&by_form("", "made-up", PUBLIC).await, 400, "invalid_grant");
    let missing = format!("grant_type=refresh_token&{PUBLIC}");
    refused(&form(&issuer, TOKEN, "", &missing).await, 400, "invalid_request");
}

pub(crate) async fn active(issuer: &Issuer, authorization: &str, token: &str) -> Value {
    good(form(issuer, INTROSPECT, authorization, &format!("token={token}")).await).json
}

async fn introspection_needs_client_authentication(home: Home) {
    let (issuer, billing, shipping) = open(&home).await;
    let token = token(&issuer, &billing).await;
    let body = format!("token={token}");
    for (authorization, more) in [
        ("", ""),
        ("", "&client_id=billing"),
        ("", "&client_id=identsphere-first-party"),
        (basic("billing", "x").as_str(), ""),
        (format!("Bearer {token}").as_str(), ""),
    ] {
        let answer = form(&issuer, INTROSPECT, authorization, &format!("{body}{more}")).await;
        refused(&answer, 401, "invalid_client");
    }
    assert_eq!(active(&issuer, &shipping, &token).await["active"], true);
    issuer.disable_client("shipping").await.unwrap();
    refused(&form(&issuer, INTROSPECT, &shipping, &body).await, 401, "invalid_client");
    refused(&form(&issuer, INTROSPECT, &billing, "token=").await, 400, "invalid_request");
}

async fn expired_revoked_or_foreign_token_is_inactive(home: Home) {
    let inactive = json!({ "active": false });
    let (issuer, billing, shipping) = open(&home).await;
    let of_client = token(&issuer, &shipping).await;
    let now = home.now();
    let mut said = active(&issuer, &billing, &of_client).await;
    assert_eq!(said["jti"].take(), part(&of_client, 1)["jti"]);
    assert_eq!(
        said,
        json!({
            "active": true, "token_type": "Bearer", "iss": ISSUER, "sub": "shipping",
            "client_id": "shipping", "aud": [API, OTHER_API], "scope": "a:read a:write",
            "exp": now + 900, "iat": now, "jti": null,
        })
    );
    let grant = login(&issuer).await.expect(200);
    let (access, refresh_token) = (grant.text("access_token"), grant.text("refresh_token"));
    let said = active(&issuer, &billing, &access).await;
    assert_eq!((&said["active"], &said["username"]), (&json!(true), &json!("alice")));
    assert_eq!((&said["sid"], &said["acr"]), (&grant.json["session_id"], &json!("aal1")));
    assert_eq!(said["aud"], json!([ISSUER, API]));
    let said = active(&issuer, &billing, &refresh_token).await;
    assert_eq!((&said["active"], &said["username"]), (&json!(true), &json!("alice")));
    assert_eq!(said["sid"], grant.json["session_id"]);
    assert!(said.get("token_type").is_none());

    // Tokens that are made up, modified or from another issuer are inactive.
    let (signed, _) = access.rsplit_once('.').unwrap();
    let (_, signature) = of_client.rsplit_once('.').unwrap();
    let elsewhere = Home::new();
    let stranger = elsewhere.open_with_alice().await;
    let foreign = login(&stranger).await.expect(200);
    for nothing in [
        "made-up",
        "a.b.c",
        "...",
        "%20",
        &format!("{signed}.{signature}"),
        &format!("{signed}."),
        &foreign.text("access_token"),
        &foreign.text("refresh_token"),
    ] {
        assert_eq!(active(&issuer, &billing, nothing).await, inactive, "{nothing}");
    }
    // Another issuer URL with the same keys does not accept the token.
    let mut config = home.config();
    config.issuer = "https://renamed.example.com".to_owned();
    let renamed = Issuer::open(config).await.unwrap();
    assert_eq!(active(&renamed, &billing, &access).await, inactive);

    // Spent and expired tokens, and tokens of ended sessions, are inactive.
    let next = refresh(&issuer, &refresh_token).await.expect(200);
    assert_eq!(active(&issuer, &billing, &refresh_token).await, inactive);
    assert_eq!(active(&issuer, &billing, &next.text("refresh_token")).await["active"], true);
    with_token(&issuer, "POST /v1/auth/logout-everywhere", &access).await.expect(204);
    for ended in [&access, &next.text("access_token"), &next.text("refresh_token")] {
        assert_eq!(active(&issuer, &billing, ended).await, inactive);
    }
    home.advance(899);
    assert_eq!(active(&issuer, &billing, &of_client).await["active"], true);
    home.advance(1);
    assert_eq!(active(&issuer, &billing, &of_client).await, inactive, "expired, without leeway");

    // Tokens of a disabled or removed client are inactive, even if a new client has the same id.
    let of_client = token(&issuer, &shipping).await;
    issuer.disable_client("shipping").await.unwrap();
    assert_eq!(active(&issuer, &billing, &of_client).await, inactive);
    issuer.enable_client("shipping").await.unwrap();
    assert_eq!(active(&issuer, &billing, &of_client).await, inactive, "it may be a thief's");
    let of_client = token(&issuer, &shipping).await;
    assert_eq!(active(&issuer, &billing, &of_client).await["active"], true);
    issuer.remove_client("shipping").await.unwrap();
    assert_eq!(active(&issuer, &billing, &of_client).await, inactive);
    home.advance(1);
    issuer.add_client(NewClient::new("shipping")).await.unwrap();
    assert_eq!(active(&issuer, &billing, &of_client).await, inactive);
    // A token of a withdrawn key is inactive.
    let of_client = token(&issuer, &billing).await;
    let kid = part(&of_client, 0)["kid"].as_str().unwrap().to_owned();
    issuer.withdraw_key_now(&kid).await.unwrap();
    assert_eq!(active(&issuer, &billing, &of_client).await, inactive);
}

async fn revoke(issuer: &Issuer, authorization: &str, form_body: &str) -> Answer {
    form(issuer, REVOKE, authorization, form_body).await
}

async fn revoked_token_is_inactive_and_its_session_ends(home: Home) {
    const PUBLIC: &str = "client_id=identsphere-first-party";
    let inactive = json!({ "active": false });
    let (issuer, billing, _) = open(&home).await;
    let (one, other) = (token(&issuer, &billing).await, token(&issuer, &billing).await);
    for _ in 0..2 {
        good(revoke(&issuer, &billing, &format!("token={one}")).await);
    }
    assert_eq!(active(&issuer, &billing, &one).await, inactive);
    assert_eq!(active(&issuer, &billing, &other).await["active"], true);
    // The token stays inactive until it expires, in every process.
    home.advance(899);
    good(revoke(&issuer, &billing, &format!("token={}", token(&issuer, &billing).await)).await);
    assert_eq!(active(&home.open().await, &billing, &one).await, inactive);
    good(revoke(&issuer, &billing, &format!("token={one}")).await);
    home.advance(1);
    good(revoke(&issuer, &billing, &format!("token={one}")).await);

    // The revocation of an access token or refresh token ends the session. The refresh token may be
    // spent.
    let grant = login(&issuer).await.expect(200);
    let body = format!("token={}&{PUBLIC}", grant.text("access_token"));
    good(revoke(&issuer, "", &body).await);
    with_token(&issuer, "GET /v1/users/me", &grant.text("access_token")).await.expect(401);
    refresh(&issuer, &grant.text("refresh_token")).await.expect(401);
    for (authorization, more) in [("", PUBLIC), (billing.as_str(), "token_type_hint=access_token")]
    {
        let grant = login(&issuer).await.expect(200);
        let next = refresh(&issuer, &grant.text("refresh_token")).await.expect(200);
        let body = format!("token={}&{more}", grant.text("refresh_token"));
        good(revoke(&issuer, authorization, &body).await);
        with_token(&issuer, "GET /v1/users/me", &next.text("access_token")).await.expect(401);
        refresh(&issuer, &next.text("refresh_token")).await.expect(401);
    }
    // RFC 7009 section 2.2: the response is 200 for a token that never existed, too.
    for nothing in ["made-up", "a.b.c", "..."] {
        good(revoke(&issuer, &billing, &format!("token={nothing}")).await);
    }
    refused(&revoke(&issuer, &billing, "").await, 400, "invalid_request");
}

async fn client_cannot_revoke_the_tokens_of_others(home: Home) {
    const PUBLIC: &str = "client_id=identsphere-first-party";
    let (issuer, billing, shipping) = open(&home).await;
    let of_billing = token(&issuer, &billing).await;
    let body = format!("token={of_billing}");
    refused(&revoke(&issuer, &shipping, &body).await, 400, "invalid_grant");
    refused(&revoke(&issuer, "", &format!("{body}&{PUBLIC}")).await, 400, "invalid_grant");
    refused(&revoke(&issuer, "", &body).await, 401, "invalid_client");
    refused(&revoke(&issuer, &basic("billing", "x"), &body).await, 401, "invalid_client");
    assert_eq!(active(&issuer, &billing, &of_billing).await["active"], true);
    let access = login(&issuer).await.expect(200).text("access_token");
    refused(&revoke(&issuer, &billing, &format!("token={access}")).await, 400, "invalid_grant");
    with_token(&issuer, "GET /v1/users/me", &access).await.expect(200);
}

async fn failed_attempts_are_limited_and_do_not_lock_the_client_out(home: Home) {
    let (issuer, billing, _) = open(&home).await;
    drop(issuer);
    let mut config = home.config();
    config.attempts_per_account = 3;
    config.attempts_per_address = 6;
    config.client_address_header = Some("x-forwarded-for".parse().unwrap());
    let issuer = Issuer::open(config).await.unwrap();
    let attempt = async |authorization: &str, address: &str| {
        let request = Request::post(TOKEN)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", authorization)
            .header("x-forwarded-for", address)
            .body(Body::from(CLIENT_CREDENTIALS));
        send(&issuer, request.unwrap()).await
    };
    let wrong = basic("billing", "wrong");
    for _ in 0..3 {
        good(attempt(&billing, "192.0.2.1").await);
        refused(&attempt(&wrong, "192.0.2.1").await, 401, "invalid_client");
    }
    let limited = attempt(&wrong, "192.0.2.1").await;
    refused(&limited, 429, "temporarily_unavailable");
    assert_eq!(limited.header("retry-after"), "100");
    refused(&attempt(&wrong, "192.0.2.2").await, 429, "temporarily_unavailable");
    // Failed attempts of others do not limit the client itself.
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        good(attempt(&billing, address).await);
    }
    // Four attempts from this address have failed or were limited.
    for _ in 0..2 {
        refused(&attempt(&basic("unknown", "x"), "192.0.2.1").await, 401, "invalid_client");
    }
    let limited = attempt(&basic("unknown", "x"), "192.0.2.1").await;
    refused(&limited, 429, "temporarily_unavailable");
    good(attempt(&billing, "192.0.2.1").await);
    let kinds: Vec<_> =
        issuer.events(0, 1000).await.unwrap().into_iter().map(|event| event.kind).collect();
    let counted = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!((counted("client_refused"), counted("client_limited")), (5, 2), "{kinds:?}");
}

async fn invalid_form_gets_an_oauth_error(home: Home) {
    let (issuer, billing, _) = open(&home).await;
    let long = format!("grant_type=client_credentials&x={}", "s3cret".repeat(4000));
    let many = "resource=https%3A%2F%2Fapi.example.com&".repeat(400);
    let many = format!("{many}{CLIENT_CREDENTIALS}");
    for (body, status, error) in [
        ("", 400, "invalid_request"),
        ("grant_type=", 400, "invalid_request"),
        ("grant_type=password&username=a&password=s3cret", 400, "unsupported_grant_type"),
        ("grant_type=authorization_code&code=s3cret", 400, "unsupported_grant_type"),
        ("grant_type=client_credentials&grant_type=s3cret", 400, "invalid_request"),
        ("grant_type=client_credentials&x=1&x=2", 400, "invalid_request"),
        ("grant_type=client_credentials&scope=%", 400, "invalid_request"),
        ("grant_type=client_credentials&scope=%zz", 400, "invalid_request"),
        ("grant_type=client_credentials&scope=%ff%fe", 400, "invalid_request"),
        ("grant_type=client_credentials&scope=a%00b", 400, "invalid_request"),
        ("grant_type=client_credentials&client_id=s3cret", 400, "invalid_request"),
        ("grant_type=client_credentials&client_secret=s3cret", 400, "invalid_request"),
        ("grant_type=client_credentials&client_assertion=s3cret", 400, "invalid_request"),
        ("grant_type=client_credentials&scope=%F0%9F%94%91", 400, "invalid_scope"),
        ("grant_type=client_credentials&resource=%F0%9F%94%91", 400, "invalid_target"),
        ("grant_type=refresh_token&refresh_token=%F0%9F%94%91", 400, "invalid_grant"),
        (long.as_str(), 413, "invalid_request"),
    ] {
        let answer = form(&issuer, TOKEN, &billing, body).await;
        refused(&answer, status, error);
        assert!(!answer.json.to_string().contains("s3cret"), "{answer:?}");
    }
    good(form(&issuer, TOKEN, &billing, &many).await);
    for authorization in ["Basic", "Basic ", "Basic %%%", "Basic gICA", "Digest x", "basic Og=="] {
        let answer = form(&issuer, TOKEN, authorization, CLIENT_CREDENTIALS).await;
        refused(&answer, 401, "invalid_client");
    }
    for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
        let request = Request::post(TOKEN)
            .header("content-type", kind)
            .header("authorization", &billing)
            .body(Body::from(CLIENT_CREDENTIALS));
        refused(&send(&issuer, request.unwrap()).await, 400, "invalid_request");
    }
    // Parameters in the URL are ignored: they would be in the logs of every proxy.
    let path = format!("{TOKEN}?{CLIENT_CREDENTIALS}");
    refused(&form(&issuer, &path, &billing, "").await, 400, "invalid_request");
    call(&issuer, &format!("GET {TOKEN}"), &[]).await.expect(405);
}

async fn client_operations_are_in_the_audit_log(home: Home) {
    let (issuer, billing, shipping) = open(&home).await;
    let of_client = token(&issuer, &billing).await;
    form(&issuer, TOKEN, &basic("shipping", "x"), CLIENT_CREDENTIALS).await;
    form(&issuer, TOKEN, &basic("s3cret", "x"), CLIENT_CREDENTIALS).await;
    active(&issuer, &shipping, &of_client).await;
    revoke(&issuer, &billing, &format!("token={of_client}")).await;
    let grant = login(&issuer).await.expect(200);
    revoke(&issuer, &billing, &format!("token={}", grant.text("refresh_token"))).await;
    issuer.rotate_client_secret("billing").await.unwrap();
    issuer.disable_client("billing").await.unwrap();
    issuer.enable_client("billing").await.unwrap();
    issuer.remove_client("billing").await.unwrap();
    let events = issuer.events(0, 1000).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .skip(2)
        .map(|event| (event.kind.as_str(), event.client_id.as_deref()))
        .collect();
    let (billing, shipping) = (Some("billing"), Some("shipping"));
    assert_eq!(
        told,
        [
            ("client_added", billing),
            ("client_added", shipping),
            ("client_token", billing),
            ("client_refused", shipping),
            ("client_refused", None),
            ("token_revoked", billing),
            ("login", None),
            ("token_revoked", billing),
            ("client_credential_changed", billing),
            ("client_disabled", billing),
            ("client_enabled", billing),
            ("client_removed", billing),
        ]
    );
    let ended = &events[9];
    assert_eq!(ended.session_id.as_deref(), grant.json["session_id"].as_str());
    assert!(ended.user_id.is_some());
}

#[tokio::test]
async fn invalid_client_is_not_added() {
    use portcullis_issuer::Error;

    let home = Home::new();
    let issuer = home.open().await;
    issuer.add_client(NewClient::new("billing")).await.unwrap();
    let taken = issuer.add_client(NewClient::new("billing")).await.unwrap_err();
    assert!(matches!(taken, Error::ClientExists { .. }), "{taken:?}");
    let good = NewClient::new("good");
    for bad in [
        NewClient::new(""),
        NewClient::new("two words"),
        NewClient::new("a:b"),
        NewClient::new("\u{e4}"),
        NewClient::new("a".repeat(129)),
        NewClient::new("0123456789abcdef0123456789ABCDEF"),
        NewClient::new("identsphere-first-party"),
        good.clone().scopes(["two scopes"]),
        good.clone().audiences([""]),
        good.clone().audiences(["https://a.example https://b.example"]),
        good.clone().resource_servers(["https://a.example https://b.example"]),
        good.clone().resource_servers([ISSUER]),
        good.clone().scopes((0..100).map(|n| format!("resource-{n}:read-write"))),
        good.clone().resource_servers((0..100).map(|n| format!("https://a{n}.example.com"))),
    ] {
        let error = issuer.add_client(bad.clone()).await.unwrap_err();
        assert!(matches!(error, Error::InvalidClient(_)), "{bad:?}");
    }
    let key = TestKey::generate("k", Algorithm::Es256);
    let mut private = key.jwk();
    private["d"] = json!("AAAA");
    for (jwks, problem) in [
        ("<html>".to_owned(), "it is HTML or XML, not JSON"),
        (key.jwk().to_string(), "`keys` is absent"),
        (json!({ "keys": [] }).to_string(), "the key set has no keys"),
        (json!({ "keys": [private] }).to_string(), "the key \"k\": a private key"),
        (json!({ "keys": [key.jwk(), { "kty": "oct", "k": "AAAA" }] }).to_string(), "symmetric"),
    ] {
        let error = issuer.add_client(good.clone().keys(&jwks)).await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        let error = issuer.set_client_keys("billing", &jwks).await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    for missing in [
        issuer.rotate_client_secret("unknown").await.map(drop),
        issuer.disable_client("unknown").await,
        issuer.enable_client("unknown").await,
        issuer.remove_client("unknown").await,
    ] {
        assert!(matches!(missing.unwrap_err(), Error::NoSuchClient { .. }));
    }
    assert_eq!(issuer.clients().await.unwrap().len(), 1);
}

/// As at a login, a failed store is reported as an error of the issuer, not of the client.
#[tokio::test]
async fn failed_store_is_503_as_an_oauth_error() {
    let home = Home::new();
    let (issuer, billing, _) = open(&home).await;
    let of_client = token(&issuer, &billing).await;
    let url = format!("sqlite://{}", home.database().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("DROP TABLE clients").execute(&pool).await.unwrap();
    for (path, body) in [
        (TOKEN, CLIENT_CREDENTIALS.to_owned()),
        (INTROSPECT, format!("token={of_client}")),
        (REVOKE, format!("token={of_client}")),
    ] {
        let answer = form(&issuer, path, &billing, &body).await;
        refused(&answer, 503, "temporarily_unavailable");
        assert!(!answer.json.to_string().contains("table"), "{answer:?}");
    }
}

#[tokio::test]
async fn client_secrets_are_not_stored_or_logged_in_the_clear() {
    let home = Home::new();
    let issuer = home.open().await;
    let secret = issuer.add_client(NewClient::new("billing")).await.unwrap().unwrap();
    assert_eq!(secret.len(), 43, "256 bits");
    let mut stored = std::fs::read(home.database()).unwrap();
    stored.extend(std::fs::read(home.path().join("identsphere.db-wal")).unwrap());
    let holds = |needle: &[u8]| stored.windows(needle.len()).any(|window| window == needle);
    assert!(holds(b"billing"), "the search itself works");
    assert!(!holds(secret.as_bytes()));
    let debug = format!("{:?}", issuer.clients().await.unwrap());
    assert!(debug.contains("Secret(redacted)"), "{debug}");
}

#[test]
fn clients_are_managed_on_the_command_line() {
    let home = Home::new();
    let command = |arguments: &[&str]| {
        let arguments: Vec<_> = ["clients"].iter().chain(arguments).copied().collect();
        let output = run(home.path(), &[], &arguments, "");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (done, _, complaint) = command(&["list"]);
    assert!(!done && complaint.contains("there is no database"), "{complaint}");
    let (done, added, _) = command(&["add", "billing", "--scope", "a:read", "--audience", API]);
    assert!(done && added.starts_with("added billing to "), "{added}");
    let secret = |told: &str| told.split_once("secret: ").unwrap().1.trim().to_owned();
    let first = secret(&added);
    let (_, rotated, _) = command(&["rotate-secret", "billing", "--overlap-secs", "60"]);
    assert!(rotated.contains("the old one is valid for 60 s more"), "{rotated}");
    let (_, rotated, _) = command(&["rotate-secret", "billing"]);
    let (done, updated, complaint) = command(&["update", "billing", "--no-audiences"]);
    assert!(done && updated.starts_with("updated billing"), "{updated}{complaint}");
    let (done, _, complaint) =
        command(&["update", "billing", "--audience", API, "--right", "introspect-all"]);
    assert!(done, "{complaint}");
    let (done, _, complaint) = command(&["update", "billing", "--right", "everything"]);
    assert!(!done && complaint.contains("a client's right must be introspect-all"), "{complaint}");
    assert_ne!(first, secret(&rotated));
    let keys = home.path().join("keys.json");
    let key = TestKey::generate("k", Algorithm::Es256);
    std::fs::write(&keys, TestKey::jwks([&key]).to_string()).unwrap();
    let (done, added, complaint) = command(&["add", "keyed", "--jwks", "keys.json"]);
    assert!(done && !added.contains("secret"), "{added}{complaint}");
    let (_, disabled, _) = command(&["disable", "billing"]);
    assert!(disabled.contains("up to 900 s"), "{disabled}");
    let (_, list, _) = command(&["list"]);
    let lines: Vec<_> = list.lines().collect();
    assert!(lines[0].starts_with("billing\tdisabled at 20"), "{list}");
    assert!(
        lines[0].ends_with(
            "client_secret_basic\taudiences=https://api.example.com\tscope=a:read\t\
             rights=introspect-all"
        ),
        "{list}"
    );
    assert!(
        lines[1].ends_with("private_key_jwt\taudiences=IDENTSPHERE_AUDIENCES\tscope="),
        "{list}"
    );
    assert!(!list.contains(&first));
    assert!(command(&["enable", "billing"]).0);
    assert!(command(&["set-keys", "billing", "keys.json"]).0);
    assert!(command(&["remove", "keyed"]).0);
    let (done, _, complaint) = command(&["remove", "keyed"]);
    assert!(!done && complaint.contains("there is no client \"keyed\""), "{complaint}");
    let (done, _, complaint) = command(&["set-keys", "billing", "missing.json"]);
    assert!(!done && complaint.contains("cannot read missing.json"), "{complaint}");
    let (_, list, _) = command(&["list"]);
    assert!(list.contains("billing\tsince") && list.contains("private_key_jwt"), "{list}");
    assert_eq!(list.lines().count(), 1);
}
