//! The table of refusals, byte for byte, from an axum service over a real socket.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tollgate::testing::{ManualClock, TestKey};
use tollgate::{Algorithm, Authenticator, Policy, SharedKeySet};
use tollgate_axum::{RequireLayer, protect};

const NOW: u64 = 1_800_000_000;

const REALM: &str = r#"Bearer realm="api""#;
const MALFORMED_REQUEST: &str = r#"Bearer realm="api", error="invalid_request", error_description="The request's credentials are malformed""#;
const MALFORMED: &str = r#"Bearer realm="api", error="invalid_token", error_description="The access token is malformed""#;
const EXPIRED: &str =
    r#"Bearer realm="api", error="invalid_token", error_description="The access token expired""#;
const INVALID: &str =
    r#"Bearer realm="api", error="invalid_token", error_description="The access token is invalid""#;
const SCOPE: &str = r#"Bearer realm="api", error="insufficient_scope", error_description="The access token's scope does not suffice", scope="read""#;

async fn service(key: &TestKey) -> String {
    let auth = Authenticator::builder("https://issuer.example", "https://api.example")
        .key_source(SharedKeySet::new(TestKey::key_set([key])))
        .clock(ManualClock::at(NOW))
        .cookie("__Host-tollgate-access")
        .build()
        .await
        .unwrap();
    let layer = |policy| RequireLayer::new(policy);
    let api = Router::new()
        .route("/", get(async || "").merge(post(async || "")))
        .route("/scope", get(async || "").route_layer(layer(Policy::scopes(["read"]))))
        .route("/role", get(async || "").route_layer(layer(Policy::roles(["clerk"]))));
    let open = get(async || "").route_layer(layer(Policy::scopes(["read"])));
    let app = Router::new().route("/unprotected", open).merge(protect(auth, api));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// The whole answer to these lines of a request's head, but for its date.
async fn exchange(address: &str, head: &[String]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{}\r\nhost: {address}\r\nconnection: close\r\n\r\n", head.join("\r\n"));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let lines: Vec<_> = answer.lines().filter(|line| !line.starts_with("date: ")).collect();
    lines.join("\n")
}

fn token(key: &TestKey, changes: &Value) -> String {
    let mut claims = json!({
        "iss": "https://issuer.example", "aud": "https://api.example", "sub": "alice",
        "iat": NOW, "exp": NOW + 900,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    key.token(&claims)
}

#[tokio::test]
async fn each_refusal_is_answered_exactly_as_the_table_says() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let address = service(&key).await;
    let bearer = |token: &str| format!("authorization: Bearer {token}");
    let with = |changes: Value| bearer(&token(&key, &changes));
    let cookie = format!("cookie: __Host-tollgate-access={}", token(&key, &json!({})));
    let forged = TestKey::generate("k", Algorithm::Es256);
    let unknown = TestKey::generate("other", Algorithm::Es256);

    for (case, request, status, challenge) in [
        ("nothing", vec!["GET / HTTP/1.1".to_owned()], "401 Unauthorized", Some(REALM)),
        (
            "another scheme",
            vec!["GET / HTTP/1.1".to_owned(), "authorization: Basic YTpi".to_owned()],
            "401 Unauthorized",
            Some(REALM),
        ),
        (
            "no token behind the scheme",
            vec!["GET / HTTP/1.1".to_owned(), "authorization: Bearer".to_owned()],
            "400 Bad Request",
            Some(MALFORMED_REQUEST),
        ),
        (
            "twice",
            vec!["GET / HTTP/1.1".to_owned(), with(json!({})), with(json!({}))],
            "400 Bad Request",
            Some(MALFORMED_REQUEST),
        ),
        (
            "not a JWT",
            vec!["GET / HTTP/1.1".to_owned(), bearer("opaque")],
            "401 Unauthorized",
            Some(MALFORMED),
        ),
        (
            "expired",
            vec!["GET / HTTP/1.1".to_owned(), with(json!({"exp": NOW - 10}))],
            "401 Unauthorized",
            Some(EXPIRED),
        ),
        (
            "another audience",
            vec!["GET / HTTP/1.1".to_owned(), with(json!({"aud": "https://other.example"}))],
            "401 Unauthorized",
            Some(INVALID),
        ),
        (
            "forged",
            vec!["GET / HTTP/1.1".to_owned(), bearer(&token(&forged, &json!({})))],
            "401 Unauthorized",
            Some(INVALID),
        ),
        (
            "unknown key",
            vec!["GET / HTTP/1.1".to_owned(), bearer(&token(&unknown, &json!({})))],
            "401 Unauthorized",
            Some(INVALID),
        ),
        (
            "bound to a key",
            vec!["GET / HTTP/1.1".to_owned(), with(json!({"cnf": {"jkt": "x"}}))],
            "401 Unauthorized",
            Some(INVALID),
        ),
        (
            "no scope",
            vec!["GET /scope HTTP/1.1".to_owned(), with(json!({"scope": "write"}))],
            "403 Forbidden",
            Some(SCOPE),
        ),
        (
            "no role",
            vec!["GET /role HTTP/1.1".to_owned(), with(json!({"roles": ["x"]}))],
            "403 Forbidden",
            None,
        ),
        (
            "a cookie in an unsafe request from nobody knows where",
            vec!["POST / HTTP/1.1".to_owned(), cookie.clone()],
            "403 Forbidden",
            None,
        ),
        (
            "a policy without authentication",
            vec!["GET /unprotected HTTP/1.1".to_owned(), with(json!({}))],
            "500 Internal Server Error",
            None,
        ),
    ] {
        let mut expected = format!("HTTP/1.1 {status}");
        if let Some(challenge) = challenge {
            expected.push_str(&format!("\nwww-authenticate: {challenge}"));
        }
        expected.push_str("\ncache-control: no-store\nconnection: close\ncontent-length: 0\n");
        assert_eq!(sorted(&exchange(&address, &request).await), sorted(&expected), "{case}");
    }

    for (case, request) in [
        ("a good token", vec!["GET / HTTP/1.1".to_owned(), with(json!({}))]),
        ("in the cookie", vec!["GET / HTTP/1.1".to_owned(), cookie.clone()]),
        (
            "in the cookie, from a page of ours",
            vec!["POST / HTTP/1.1".to_owned(), cookie, "sec-fetch-site: same-origin".to_owned()],
        ),
    ] {
        let answer = exchange(&address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\n"), "{case}: {answer}");
    }
}

/// The status line and the headers, these in alphabetical order.
fn sorted(answer: &str) -> Vec<&str> {
    let (status, headers) = answer.split_once('\n').unwrap_or_else(|| panic!("{answer}"));
    let mut headers: Vec<_> = headers.lines().collect();
    headers.sort_unstable();
    [vec![status], headers].concat()
}
