//! The sidecar as the authority behind each proxy, with the configurations in `deploy/sidecar`.

use std::sync::Arc;

use http::HeaderMap;
use portcullis::Algorithm;
use portcullis::testing::{AUDIENCE, TestKey};
use portcullis_sidecar::{Config, Sidecar};
use portcullis_testing::TestIssuer;
use tokio::net::TcpListener;

use crate::behind_each_proxy;
use crate::client::{Answer, ask};
use crate::proxy::{Kind, Proxy};
use crate::servers::{Recorder, unused_address};

behind_each_proxy!(
    planted_identity_header_never_reaches_the_app,
    header_that_overrides_the_path_or_the_method_never_reaches_the_app,
    sidecar_decides_by_the_clients_method_and_path,
    ambiguous_path_is_400_and_does_not_reach_the_app,
    refusal_of_the_sidecar_keeps_status_challenge_and_retry_after,
    sidecar_without_keys_is_503_with_retry_after,
    sidecar_that_is_away_lets_nothing_through,
);

const NGINX: &str = include_str!("../../../deploy/sidecar/nginx.conf");
const CADDY: &str = include_str!("../../../deploy/sidecar/Caddyfile");
const ENVOY: &str = include_str!("../../../deploy/sidecar/envoy.yaml");
const SETTINGS: &str = include_str!("../../../deploy/sidecar/forward-auth.toml");

/// Names under which a client may send a forged identity.
const PLANTED: [&str; 11] = [
    "x-auth-subject",
    "X-AUTH-SUBJECT",
    "x_auth_subject",
    "X-Auth_Subject",
    "x_auth-subject",
    "x-auth-scopes",
    "x_auth_scopes",
    "X_Auth-Scopes",
    "X.Auth.Subject",
    "x.auth-scopes",
    "x-auth.subject",
];

/// Headers by which frameworks choose another path or method.
const OVERRIDES: [&str; 7] = [
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X_HTTP_Method_Override",
    "X_Original_URL",
];

struct Setup {
    issuer: TestIssuer,
    app: Recorder,
    proxy: Proxy,
}

async fn set_up(kind: Kind) -> Setup {
    set_up_with(kind, TestIssuer::start().await, "").await
}

/// `more` is further text of the table `[[issuer]]`.
async fn set_up_with(kind: Kind, issuer: TestIssuer, more: &str) -> Setup {
    let app = Recorder::app().await;
    let mut settings = SETTINGS.to_owned();
    let mut changes = vec![
        ("https://auth.example.com".to_owned(), issuer.url()),
        ("\"https://api.example.com\"".to_owned(), format!("\"{AUDIENCE}\"\n{more}")),
    ];
    if kind == Kind::Caddy {
        changes.push(("\"X-Original-URI\"".to_owned(), "\"X-Forwarded-Uri\"".to_owned()));
        changes.push(("\"X-Original-Method\"".to_owned(), "\"X-Forwarded-Method\"".to_owned()));
    }
    for (from, to) in changes {
        assert!(settings.contains(&from), "there is no {from}");
        settings = settings.replace(&from, &to);
    }
    let sidecar = Sidecar::start(&Config::parse(&settings).unwrap()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap();
    tokio::spawn(async move { sidecar.serve(listener, std::future::pending()).await });
    let proxy = Proxy::with_recipe(kind, recipe(kind), authority, "/authorize", app.address);
    Setup { issuer, app, proxy }
}

fn recipe(kind: Kind) -> &'static str {
    match kind {
        Kind::Nginx => NGINX,
        Kind::Caddy => CADDY,
        Kind::Envoy => ENVOY,
    }
}

impl Setup {
    fn bearer(&self, subject: &str) -> String {
        self.issuer.token(subject).scopes(["orders:read"]).bearer()
    }

    /// Sends a request, and returns the answer and the identities that reached the app. Asserts
    /// that the token did not reach the app.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (Answer, Vec<String>) {
        let answer = ask(self.proxy.address, method, path, headers).await;
        let seen = self.app.take();
        let has_token =
            seen.iter().any(|(request, _)| request.headers.contains_key("authorization"));
        assert!(!has_token, "{path}: the token reached the app");
        let told = seen.iter().map(|(request, _)| identity(&request.headers));
        (answer, told.collect())
    }
}

/// What an app could read about the caller: each line, sorted. An empty value names no caller.
fn identity(headers: &HeaderMap) -> String {
    let alike = |name: &str| name.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "-");
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| (alike(name.as_str()), value.to_str().unwrap()))
        .filter(|(name, value)| name.starts_with("x-auth-") && !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.sort();
    lines.join(" | ")
}

const ALICE: &str = "x-auth-scopes: orders:read | x-auth-subject: alice";

async fn planted_identity_header_never_reaches_the_app(kind: Kind) {
    let setup = set_up(kind).await;
    let bearer = setup.bearer("alice");
    for planted in PLANTED {
        // On a route with a token, and on an open one.
        let headers = [("authorization", bearer.as_str()), (planted, "root")];
        let (answer, told) = setup.ask("GET", "/orders", &headers).await;
        assert_eq!((answer.status, told), (200, vec![ALICE.to_owned()]), "{planted}");
        let (answer, told) = setup.ask("GET", "/health", &headers[1..]).await;
        assert_eq!((answer.status, told), (200, vec![String::new()]), "{planted}");
    }
    // A header that `Connection` names applies to the next hop only (RFC 9110 section 7.6.1).
    for connection in ["x-auth-subject", "close, X-Auth-Subject, X-Auth-Scopes"] {
        let headers = [("authorization", bearer.as_str()), ("connection", connection)];
        let (answer, told) = setup.ask("GET", "/orders", &headers).await;
        assert_eq!((answer.status, told), (200, vec![ALICE.to_owned()]), "{connection}");
    }
    // Nor does a token that names such a subject or scope.
    for subject in ["alice\r\nx-auth-scopes: all", "{http.reverse_proxy.header.X}", "älice, root"]
    {
        let bearer = setup.bearer(subject);
        let (answer, told) = setup.ask("GET", "/orders", &[("authorization", &bearer)]).await;
        let told = told.concat();
        let encoded = told.strip_prefix("x-auth-scopes: orders:read | x-auth-subject: ").unwrap();
        assert_eq!(answer.status, 200);
        assert!(encoded.contains('%') && !encoded.contains([' ', ',', '{', '|']), "{encoded}");
    }
}

async fn header_that_overrides_the_path_or_the_method_never_reaches_the_app(kind: Kind) {
    let setup = set_up(kind).await;
    for name in OVERRIDES {
        let headers = [(name, "root"), ("x-own", "stays")];
        let answer = ask(setup.proxy.address, "GET", "/health", &headers).await;
        assert_eq!(answer.status, 200, "{name}");
        for (request, _) in setup.app.take() {
            assert_eq!(request.headers["x-own"], "stays");
            assert!(!request.headers.values().any(|value| value == "root"), "{name}");
        }
    }
}

async fn sidecar_decides_by_the_clients_method_and_path(kind: Kind) {
    let setup = set_up(kind).await;
    let bearer = setup.bearer("alice");
    // What a client says about its own request.
    let lies = [
        ("authorization", bearer.as_str()),
        ("x-original-uri", "/health"),
        ("x-original-method", "GET"),
        ("x-forwarded-uri", "/health"),
        ("x-forwarded-method", "GET"),
    ];
    for (method, path, headers, status) in [
        ("GET", "/health", &lies[..0], 200),
        ("GET", "/health?x=/orders", &lies[..0], 200),
        ("GET", "/orders/17", &lies[..1], 200),
        ("HEAD", "/orders/17", &lies[..1], 200),
        ("GET", "/elsewhere", &lies[..1], 404),
        ("GET", "/health", &lies[..1], 200),
        ("POST", "/orders/17", &lies[..1], 403),
        ("POST", "/orders/17", &lies, 403),
        ("GET", "/orders/17", &lies[1..], 401),
        ("GET", "/health/", &lies[..0], 400),
        ("GET", "/healthy", &lies[..0], 401),
        ("GET", "/elsewhere", &lies[1..], 401),
        ("OPTIONS", "/elsewhere", &lies[..0], 401),
        ("GET", "/authorize", &lies[..0], 401),
    ] {
        let (answer, told) = setup.ask(method, path, headers).await;
        let reached = usize::from(status == 200);
        assert_eq!((answer.status, told.len()), (status, reached), "{method} {path} {headers:?}");
    }
}

async fn ambiguous_path_is_400_and_does_not_reach_the_app(kind: Kind) {
    let setup = set_up(kind).await;
    let bearer = setup.bearer("alice");
    for path in [
        "//orders",
        "/health/../orders",
        "/health/..%2Forders",
        "/health/%2e%2e/orders",
        "/health/..;/orders",
        "/orders/./17",
        "/orders%2F17",
        "/orders%5C17",
        "/%6frders",
        "/orders/%252e%252e",
        "/orders%00",
    ] {
        let (answer, told) = setup.ask("GET", path, &[("authorization", &bearer)]).await;
        assert_eq!((answer.status, told.len()), (400, 0), "{path}");
        let (answer, told) = setup.ask("GET", path, &[]).await;
        assert_eq!((answer.status, told.len()), (400, 0), "{path}, no token");
    }
}

async fn refusal_of_the_sidecar_keeps_status_challenge_and_retry_after(kind: Kind) {
    let setup = set_up(kind).await;
    let read = setup.bearer("alice");
    let refused = async |method: &str, path: &str, headers: &[(&str, &str)]| {
        let (answer, told) = setup.ask(method, path, headers).await;
        assert!(told.is_empty(), "{method} {path}: it reached the app");
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
        let retry_after = answer.header("retry-after");
        (answer.status, answer.header("www-authenticate"), retry_after)
    };
    let none = String::new;
    for method in ["GET", "POST"] {
        let missing = refused(method, "/orders", &[]).await;
        assert_eq!(missing, (401, "Bearer realm=\"api\"".to_owned(), none()), "{method}");
    }
    let (status, challenge, _) = refused("GET", "/orders", &[("authorization", "Bearer")]).await;
    assert!(
        status == 400 && challenge.contains("error=\"invalid_request\""),
        "{status} {challenge}"
    );
    let (status, challenge, _) = refused("POST", "/orders", &[("authorization", &read)]).await;
    assert!(status == 403 && challenge.contains("scope=\"orders:write\""), "{status} {challenge}");
    let (status, challenge, _) =
        refused("GET", "/orders", &[("authorization", "Bearer a.b.c")]).await;
    assert!(status == 401 && challenge.contains("error=\"invalid_token\""), "{status} {challenge}");

    // Unknown keys use up the budget for fetches.
    let mut last = (0, none(), none());
    for number in 0..10 {
        let key = Arc::new(TestKey::generate(&format!("unknown-{number}"), Algorithm::Es256));
        let bearer = setup.issuer.token("alice").signed_with(key).bearer();
        last = refused("GET", "/orders", &[("authorization", &bearer)]).await;
    }
    let (status, challenge, retry_after) = last;
    assert_eq!((status, challenge), (429, none()));
    assert!(retry_after.parse::<u64>().unwrap() > 0, "{retry_after}");
}

async fn sidecar_without_keys_is_503_with_retry_after(kind: Kind) {
    let issuer = TestIssuer::start().await;
    issuer.begin_outage();
    let setup = set_up_with(kind, issuer, "start_without_keys = true\n").await;
    let bearer = setup.bearer("alice");
    let (answer, told) = setup.ask("GET", "/orders", &[("authorization", &bearer)]).await;
    assert_eq!((answer.status, told.len()), (503, 0));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0, "{answer:?}");
    // An open route needs no key.
    assert_eq!(setup.ask("GET", "/health", &[]).await.0.status, 200);
}

async fn sidecar_that_is_away_lets_nothing_through(kind: Kind) {
    let app = Recorder::app().await;
    let proxy = Proxy::with_recipe(kind, recipe(kind), unused_address(), "/authorize", app.address);
    for path in ["/health", "/orders"] {
        let answer = ask(proxy.address, "GET", path, &[]).await;
        let unreachable = if kind == Kind::Caddy { 502 } else { 503 };
        assert_eq!(answer.status, unreachable, "{answer:?}");
    }
    assert!(app.take().is_empty());
}
