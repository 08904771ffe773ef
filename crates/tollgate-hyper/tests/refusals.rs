//! The table of refusals, byte for byte, from a hyper service over a real socket: what
//! `tests/tests/refusals.rs` asks of every adapter.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tollgate::testing::{ManualClock, TestKey};
use tollgate::{Algorithm, Authenticator, Policy, SharedKeySet};
use tollgate_hyper::{AuthService, RequireService};

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
    let empty = service_fn(async |_: Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let root = AuthService::new(auth.clone(), empty);
    let unprotected = RequireService::new(Policy::scopes(["read"]), empty);
    let scope = AuthService::new(auth.clone(), unprotected.clone());
    let role = AuthService::new(auth, RequireService::new(Policy::roles(["clerk"]), empty));
    let app = service_fn(move |request: Request<Incoming>| {
        let (root, unprotected, scope, role) =
            (root.clone(), unprotected.clone(), scope.clone(), role.clone());
        async move {
            match request.uri().path() {
                "/unprotected" => unprotected.call(request).await,
                "/scope" => scope.call(request).await,
                "/role" => role.call(request).await,
                _ => root.call(request).await,
            }
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let app = app.clone();
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(stream), app).await.unwrap();
            });
        }
    });
    address
}

/// The whole answer to these lines of a request's head, but for its date.
async fn exchange(address: &str, head: &[Vec<u8>]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&head.join(&b"\r\n"[..])).await.unwrap();
    let end = format!("\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(end.as_bytes()).await.unwrap();
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
    let line = |line: &str| line.as_bytes().to_vec();
    let bearer = |token: &str| format!("authorization: Bearer {token}").into_bytes();
    let with = |changes: Value| bearer(&token(&key, &changes));
    let cookie = format!("cookie: __Host-tollgate-access={}", token(&key, &json!({})));
    let cookie = cookie.into_bytes();
    let forged = TestKey::generate("k", Algorithm::Es256);
    let unknown = TestKey::generate("other", Algorithm::Es256);
    let get = || line("GET / HTTP/1.1");

    for (case, request, status, challenge) in [
        ("nothing", vec![get()], "401 Unauthorized", Some(REALM)),
        (
            "another scheme",
            vec![get(), line("authorization: Basic YTpi")],
            "401 Unauthorized",
            Some(REALM),
        ),
        (
            "no token behind the scheme",
            vec![get(), line("authorization: Bearer")],
            "400 Bad Request",
            Some(MALFORMED_REQUEST),
        ),
        (
            "what is not even text",
            vec![get(), b"authorization: Bearer \xff".to_vec()],
            "400 Bad Request",
            Some(MALFORMED_REQUEST),
        ),
        (
            "twice",
            vec![get(), with(json!({})), with(json!({}))],
            "400 Bad Request",
            Some(MALFORMED_REQUEST),
        ),
        ("not a JWT", vec![get(), bearer("opaque")], "401 Unauthorized", Some(MALFORMED)),
        ("expired", vec![get(), with(json!({"exp": NOW - 10}))], "401 Unauthorized", Some(EXPIRED)),
        (
            "another audience",
            vec![get(), with(json!({"aud": "https://other.example"}))],
            "401 Unauthorized",
            Some(INVALID),
        ),
        (
            "forged",
            vec![get(), bearer(&token(&forged, &json!({})))],
            "401 Unauthorized",
            Some(INVALID),
        ),
        (
            "unknown key",
            vec![get(), bearer(&token(&unknown, &json!({})))],
            "401 Unauthorized",
            Some(INVALID),
        ),
        (
            "bound to a key",
            vec![get(), with(json!({"cnf": {"jkt": "x"}}))],
            "401 Unauthorized",
            Some(INVALID),
        ),
        (
            "no scope",
            vec![line("GET /scope HTTP/1.1"), with(json!({"scope": "write"}))],
            "403 Forbidden",
            Some(SCOPE),
        ),
        (
            "no role",
            vec![line("GET /role HTTP/1.1"), with(json!({"roles": ["x"]}))],
            "403 Forbidden",
            None,
        ),
        (
            "a cookie in an unsafe request from nobody knows where",
            vec![line("POST / HTTP/1.1"), cookie.clone()],
            "403 Forbidden",
            None,
        ),
        (
            "a policy without authentication",
            vec![line("GET /unprotected HTTP/1.1"), with(json!({}))],
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
        ("a good token", vec![get(), with(json!({}))]),
        ("in the cookie", vec![get(), cookie.clone()]),
        ("in the second line of cookies", vec![get(), line("cookie: a=b"), cookie.clone()]),
        (
            "in the cookie, from a page of ours",
            vec![line("POST / HTTP/1.1"), cookie, line("sec-fetch-site: same-origin")],
        ),
    ] {
        let answer = exchange(&address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\n"), "{case}: {answer}");
    }
}

/// A cookie may come from a page of the host that the request was sent to, and the client does not
/// get to say which that is.
#[tokio::test]
async fn the_authority_is_the_host_and_not_what_a_proxys_header_says() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let address = service(&key).await;
    let cookie = format!("cookie: __Host-tollgate-access={}", token(&key, &json!({})));
    for (case, target, lines, status) in [
        ("own", "/", vec![format!("origin: http://{address}")], "200"),
        ("another", "/", vec!["origin: http://evil.example".to_owned()], "403"),
        (
            "claimed",
            "/",
            vec![
                "origin: http://evil.example".to_owned(),
                "x-forwarded-host: evil.example".to_owned(),
                "forwarded: host=evil.example".to_owned(),
            ],
            "403",
        ),
        (
            "in the target",
            "http://api.example/",
            vec!["origin: https://api.example".to_owned()],
            "200",
        ),
    ] {
        let mut head = vec![format!("POST {target} HTTP/1.1").into_bytes()];
        head.push(cookie.clone().into_bytes());
        head.extend(lines.into_iter().map(String::into_bytes));
        let answer = exchange(&address, &head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{case}: {answer}");
    }
}

/// RFC 9113 §8.3.1: there need not be a `Host` at all.
#[tokio::test]
async fn over_http_2_the_authority_stands_in_the_target() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let address = service(&key).await;
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let cookie = format!("__Host-tollgate-access={}", token(&key, &json!({})));
    for (origin, status) in [(format!("http://{address}"), 200), ("http://x".to_owned(), 403)] {
        let request = client.post(format!("http://{address}/")).header("cookie", &cookie);
        let response = request.header("origin", origin).send().await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(response.status(), status);
    }
    let response = client.get(format!("http://{address}/")).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], REALM);
    assert_eq!(response.text().await.unwrap(), "");
}

/// The status line and the headers, these in alphabetical order.
fn sorted(answer: &str) -> Vec<&str> {
    let (status, headers) = answer.split_once('\n').unwrap_or_else(|| panic!("{answer}"));
    let mut headers: Vec<_> = headers.lines().collect();
    headers.sort_unstable();
    [vec![status], headers].concat()
}
