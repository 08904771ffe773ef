//! Forward-auth over a socket, without a proxy. `tests/interop/proxies` has the real ones.

use portcullis_testing::TestIssuer;

use crate::app::{Answer, ask, start, with_issuer};

const SETTINGS: &str = r#"
proxies = ["127.0.0.1"]

[forward_auth]
path = "/authorize"
uri_header = "X-Original-URI"
method_header = "X-Original-Method"

[tokens]
cookie = "session"

[[route]]
path = "/health"
token = "none"

[[route]]
prefix = "/public"
token = "optional"

[[route]]
path = "/x"

[[route]]
prefix = "/orders"
methods = ["GET"]
policy = { scopes = ["orders:read"] }
"#;

struct World {
    issuer: TestIssuer,
    at: std::net::SocketAddr,
}

impl World {
    async fn start() -> Self {
        let issuer = TestIssuer::start().await;
        let at = start(&with_issuer(&issuer, SETTINGS)).await;
        Self { issuer, at }
    }

    /// Asks like a proxy about a request.
    async fn about(&self, method: &str, target: &str, lines: &str) -> Answer {
        let head = format!(
            "GET /authorize\r\nX-Original-Method: {method}\r\nX-Original-URI: {target}{lines}"
        );
        ask(self.at, &head).await
    }
}

#[tokio::test]
async fn verdict_depends_on_the_original_method_and_path() {
    let world = World::start().await;
    let read = world.issuer.token("alice").scopes(["orders:read"]).bearer();
    let none = world.issuer.token("bob").bearer();
    let read = format!("\r\nAuthorization: {read}");
    let none = format!("\r\nAuthorization: {none}");
    for (method, target, lines, status) in [
        ("GET", "/health", "", 200),
        ("GET", "/health?x", "", 200),
        ("GET", "/health/", "", 400),
        ("GET", "/public/a", "", 200),
        ("GET", "/orders/17", "", 401),
        ("GET", "/orders/17", &*none, 403),
        ("GET", "/orders/17", &read, 200),
        ("GET", "/orders", &read, 200),
        // A method without a route is refused. Only a caller with a valid token learns that it has none.
        ("POST", "/orders/17", "", 401),
        ("POST", "/orders/17", &none, 404),
        ("GET", "/elsewhere", &read, 404),
        ("GET", "/elsewhere", "", 401),
        // Ambiguous.
        ("GET", "//orders", &read, 400),
        ("GET", "//health", "", 400),
        ("GET", "/public/../orders", "", 400),
        ("GET", "/public/..%2Forders", "", 400),
        ("GET", "/public/%2e%2e/orders", "", 400),
        ("GET", "/public\\..\\orders", "", 400),
        ("GET", "/public/..;/orders", "", 400),
        ("GET", "orders", "", 400),
        ("GET", "http://api.example/health", "", 400),
    ] {
        let answer = world.about(method, target, lines).await;
        assert_eq!(answer.status, status, "{method} {target} {lines}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        let told = answer.header("x-auth-subject");
        let expected = match (status, lines.is_empty()) {
            (200, true) => Some(""),
            (200, false) => Some(if lines == read { "alice" } else { "bob" }),
            _ => None,
        };
        assert_eq!(told, expected, "{answer:?}");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge.is_some(), matches!(status, 401 | 403), "{answer:?}");
    }
}

#[tokio::test]
async fn question_without_exactly_one_method_and_target_is_refused() {
    let world = World::start().await;
    for (lines, status) in [
        ("", 500),
        ("X-Original-Method: GET", 500),
        ("X-Original-URI: /health", 500),
        ("X-Original-Method: GET\r\nX_Original_URI: /health", 500),
        ("X-Original-Method: GET\r\nX-Original-URI: /health\r\nX-Original-URI: /health", 400),
        ("X-Original-Method: GET\r\nX-Original-Method: GET\r\nX-Original-URI: /health", 400),
    ] {
        let answer = ask(world.at, format!("GET /authorize\r\n{lines}").trim_end()).await;
        assert_eq!(answer.status, status, "{lines}");
    }
    // Only the configured path is answered, and it is answered for every method.
    let lines = "\r\nX-Original-Method: GET\r\nX-Original-URI: /health";
    assert_eq!(ask(world.at, &format!("GET /health{lines}")).await.status, 404);
    assert_eq!(ask(world.at, &format!("DELETE /authorize{lines}")).await.status, 200);
}

#[tokio::test]
async fn unknown_address_gets_no_verdict() {
    let issuer = TestIssuer::start().await;
    let settings = SETTINGS.replace("127.0.0.1", "10.0.0.0/8");
    let at = start(&with_issuer(&issuer, &settings)).await;
    let head = "GET /authorize\r\nX-Original-Method: GET\r\nX-Original-URI: /health";
    assert_eq!(ask(at, head).await.status, 403);
}

/// The proxy always asks with GET, so that the sidecar must apply the client's method.
#[tokio::test]
async fn cookie_of_another_sites_page_is_refused_by_the_original_method() {
    let world = World::start().await;
    let token = world.issuer.token("alice").sign();
    let cookie = format!("\r\nCookie: session={token}");
    let cross_site = format!("{cookie}\r\nSec-Fetch-Site: cross-site");
    let socket = "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    for (method, lines, status) in [
        ("GET", cookie.clone(), 200),
        ("GET", cross_site.clone(), 200),
        ("POST", cookie.clone(), 403),
        ("POST", cross_site.clone(), 403),
        ("POST", format!("{cookie}\r\nSec-Fetch-Site: same-origin"), 200),
        ("GET", format!("{cross_site}{socket}"), 403),
        ("GET", format!("{cookie}{socket}\r\nOrigin: http://api.example"), 200),
    ] {
        assert_eq!(world.about(method, "/x", &lines).await.status, status, "{method} {lines}");
    }
}
