//! The table that every adapter must pass, through the sidecar and an app that reads its headers.

use std::net::SocketAddr;

use axum::Router;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, Uri};
use portcullis_sidecar::{Config, Sidecar};
use portcullis_testing::conformance::{Protocol, Suite};
use tokio::net::TcpListener;

use crate::app::serve;

/// The routes of the table. A handler that requires something itself is a policy here.
const SETTINGS: &str = r#"
unmatched = "token"

[tokens]
token_places = [
    "authorization",
    "header:x-access-token",
    "websocket:bearer.",
    "websocket-pair:bearer",
    "websocket-base64url:base64url.bearer.authorization.k8s.io.",
]
cookie = "__Host-portcullis-access"

[[route]]
path = "/health"
token = "none"

[[route]]
path = "/optional"
token = "optional"

[[route]]
path = "/scope"
policy = { scopes = ["read"] }

[[route]]
path = "/method"
methods = ["POST"]
policy = { scopes = ["read"] }

[[route]]
path = "/role"
policy = { roles = ["clerk"] }

[[route]]
path = "/step-up"
policy = { and = [{ acr = ["urn:strong"] }, { max_auth_age_secs = 300 }] }

[[route]]
path = "/inside"
policy = { roles = ["clerk"] }

[[route]]
path = "/unfit"
policy = { claim = { name = "tenant", value = 7 } }

[[route]]
path = "/foreign"
token = "optional"
pass_foreign = true

[[route]]
path = "/foreign-maybe"
token = "optional"

[[route]]
path = "/foreign-scope"
token = "optional"
policy = { scopes = ["read"] }

[[route]]
path = "/optional-scope"
token = "optional"
policy = { scopes = ["read"] }
"#;

/// The cases of a service whose gate was forgotten. A sidecar always has one.
const WITHOUT_A_GATE: [&str; 3] = [
    "a policy without authentication",
    "an optional handler without authentication",
    "a handler without authentication",
];

const KIND: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "text/plain")];

/// An app that knows nothing of tokens.
async fn app() -> SocketAddr {
    let who = async |uri: Uri, headers: HeaderMap| {
        let subject = headers.get("x-auth-subject").and_then(|value| value.to_str().ok());
        let is_foreign = uri.path() == "/foreign" && headers.contains_key(AUTHORIZATION);
        (KIND, subject.unwrap_or(if is_foreign { "foreign" } else { "anonymous" }).to_owned())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let app = Router::new().fallback(who);
    tokio::spawn(async move { axum::serve(listener, app).await });
    at
}

#[tokio::test]
async fn every_case_that_a_sidecar_can_have_is_answered_like_by_an_adapter() {
    let settings = format!("upstream = 'http://{}'\n{SETTINGS}", app().await);
    let config = Config::parse(&settings).unwrap();
    for suite in [Suite::plain().await, Suite::with_bodies().await] {
        let at = serve(Sidecar::with_gate(&config, suite.strict.clone()).unwrap()).await;
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let mut report = suite.run("sidecar", at, protocol).await;
            let cases = report.cases;
            report.wrong.retain(|wrong| !WITHOUT_A_GATE.iter().any(|name| wrong.starts_with(name)));
            assert!(report.wrong.is_empty() && cases > 150, "{report}");
        }
    }
}

/// A comparison that cannot fail would show nothing.
#[tokio::test]
async fn sidecar_with_an_open_route_too_many_fails_the_table() {
    let open = "[[route]]\npath = '/'\ntoken = 'none'";
    let settings = format!("upstream = 'http://{}'\n{SETTINGS}{open}", app().await);
    let suite = Suite::plain().await;
    let config = Config::parse(&settings).unwrap();
    let at = serve(Sidecar::with_gate(&config, suite.strict.clone()).unwrap()).await;
    let report = suite.run("open", at, Protocol::Http1).await;
    assert!(report.wrong.iter().any(|wrong| wrong.starts_with("no token: ")), "{report}");
}
