//! An open route is open for the requests that axum's router matches to it, whatever the text of
//! their path.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use axum::extract::State;
use axum::routing::{MethodRouter, any, get, post, put};
use axum::{Json, Router};
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderName, VARY};
use portcullis::{Gate, Policy};
use portcullis_axum::{AuthLayer, Caller, RequireLayer, protect};
use serde_json::{Value, json};

use support::{gate_and_bearer, send};

const NO_HEADERS: [(HeaderName, &str); 0] = [];

fn says(text: &'static str) -> MethodRouter {
    any(async move || text)
}

/// Returns spellings of paths close to `/health` below `prefix`.
fn spellings(prefix: &str) -> Vec<String> {
    let encoded = prefix.replace('v', "%76");
    [
        format!("{prefix}//health"),
        format!("{prefix}/./health"),
        format!("{prefix}/../health"),
        format!("{prefix}/x/../health"),
        format!("{prefix}/%68ealth"),
        format!("{prefix}/%2Fhealth"),
        format!("{prefix}%2Fhealth"),
        format!("{prefix}/health/"),
        format!("{prefix}/health//"),
        format!("{prefix}/health/."),
        format!("{prefix}/health;x"),
        format!("{prefix}/health%00"),
        format!("{prefix}/health%20"),
        format!("{prefix}/Health"),
        format!("{prefix}/healthz"),
        format!("{prefix}/health/health"),
        format!("{prefix}{prefix}/health"),
        format!("/{prefix}/health"),
        format!("{encoded}/health"),
        prefix.to_owned(),
        format!("{prefix}/"),
        "/health".to_owned(),
        "//health".to_owned(),
        "/".to_owned(),
        format!("http://api.example{prefix}//health"),
    ]
    .into_iter()
    // Without a prefix, some of these spellings are the path of the route itself, or are not valid
    // request targets.
    .filter(|spelling| *spelling != format!("{prefix}/health"))
    .filter(|spelling| spelling.parse::<http::Uri>().is_ok_and(|uri| !uri.path().is_empty()))
    .collect()
}

/// Checks that `/health` is open in `app` below `prefix`, and that nothing else runs without a
/// token.
async fn only_the_route_is_open(case: &str, app: &Router, prefix: &str) {
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"] {
        for path in spellings(prefix) {
            let (status, headers, body) = send(app, method, &path, &NO_HEADERS).await;
            assert!(matches!(status, 401 | 404), "{case}: {method} {path}: {status}");
            assert_eq!(body, "", "{case}: {method} {path}");
            assert!(!headers.contains_key("x-reached"), "{case}: {method} {path}");
        }
        for open in [format!("{prefix}/health"), format!("{prefix}/health?x=//y")] {
            let (status, _, body) = send(app, method, &open, &NO_HEADERS).await;
            let expected = match method {
                "GET" => (200, "fine"),
                "HEAD" => (200, ""),
                _ => (405, ""),
            };
            assert_eq!((status, body.as_str()), expected, "{case}: {method} {open}");
        }
    }
}

/// Returns a handler that reports that it was reached: in the body, and in a header, which a
/// response to `HEAD` also has.
fn reached() -> MethodRouter {
    any(async || ([("x-reached", "")], "reached"))
}

fn health() -> MethodRouter {
    get(async || "fine")
}

#[tokio::test]
async fn other_spellings_of_an_open_route_are_rejected() {
    let (gate, _) = gate_and_bearer().await;
    let fallback = || Router::new().fallback(async || ([("x-reached", "")], "fallback"));
    let open = |routes| protect(gate.clone(), routes).open_route("/health", health()).into_router();
    let wildcard = || Router::new().route("/{*rest}", reached());
    let nested = |path, inner| Router::new().nest(path, inner);
    for (case, app, prefix) in [
        ("alone", open(fallback()), ""),
        ("nested", nested("/v1", open(fallback())), "/v1"),
        ("nested, a wildcard", nested("/v1", open(wildcard())), "/v1"),
        ("nested twice", nested("/a", nested("/v1", open(fallback()))), "/a/v1"),
        ("nested twice, a wildcard", nested("/a", nested("/v1", open(wildcard()))), "/a/v1"),
        ("merged, then nested", nested("/v1", Router::new().merge(open(fallback()))), "/v1"),
        ("fallback inside a nested one", open(Router::new().nest("/v1", fallback())), ""),
        ("as a fallback", Router::new().fallback_service(open(fallback())), ""),
        (
            "fallback outside",
            nested(
                "/v1",
                protect(gate.clone(), Router::new()).open_route("/health", health()).into(),
            )
            .fallback_service(protect(gate.clone(), fallback()).into_router()),
            "/v1",
        ),
        (
            "two of them",
            Router::new()
                .merge(open(Router::new().route("/a", reached())))
                .merge(protect(gate.clone(), fallback().route("/b", reached()))),
            "",
        ),
    ] {
        only_the_route_is_open(case, &app, prefix).await;
    }
}

/// `nest_service` also strips the slash after the prefix, so the inner router sees `/health` and
/// routes there. In any case only the open handler runs without a token.
#[tokio::test]
async fn nested_service_runs_only_its_open_route_without_a_token() {
    let (gate, _) = gate_and_bearer().await;
    let routes = Router::new().fallback(async || ([("x-reached", "")], "fallback"));
    let inner = protect(gate, routes).open_route("/health", health()).into_router();
    let app = Router::new().nest_service("/v1", inner);
    for path in spellings("/v1") {
        for method in ["GET", "POST", "OPTIONS"] {
            let (status, headers, body) = send(&app, method, &path, &NO_HEADERS).await;
            let open =
                (method, path.trim_start_matches("http://api.example")) == ("GET", "/v1//health");
            assert_eq!(body, if open { "fine" } else { "" }, "{method} {path}");
            assert_eq!(status == 200, open, "{method} {path}");
            assert!(!headers.contains_key("x-reached"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn unprotected_route_is_open() {
    let (gate, _) = gate_and_bearer().await;
    let protected = protect(gate, Router::new().route("/{*rest}", reached())).into_router();
    let api = Router::new().route("/health", health()).merge(protected);
    only_the_route_is_open("outside", &Router::new().nest("/v1", api), "/v1").await;
}

#[tokio::test]
async fn protected_methods_of_an_open_path_stay_protected() {
    let (gate, bearer) = gate_and_bearer().await;
    let routes = Router::new().route("/orders", put(async || "put"));
    let app = protect(gate, routes).open_route("/orders", get(async || "get")).into_router();
    let authorized = [(AUTHORIZATION, bearer.as_str())];
    for (method, without, with) in [
        ("GET", (200, "get"), (200, "get")),
        ("PUT", (401, ""), (200, "put")),
        // An undefined method is behind the gate, like every undefined route.
        ("POST", (401, ""), (405, "")),
    ] {
        let (status, _, body) = send(&app, method, "/orders", &NO_HEADERS).await;
        assert_eq!((status, body.as_str()), without, "{method}");
        let (status, headers, body) = send(&app, method, "/orders", &authorized).await;
        assert_eq!((status, body.as_str()), with, "{method}");
        if status == 405 {
            assert_eq!(headers[ALLOW], "GET,HEAD,PUT");
        }
    }
}

#[tokio::test]
async fn open_routes_inside_another_protected_router_are_protected() {
    let (outer, bearer) = gate_and_bearer().await;
    let (inner, _) = gate_and_bearer().await;
    let inner = || protect(inner.clone(), Router::new()).open_route("/health", health());
    let merged = protect(outer.clone(), Router::new()).merge(inner()).into_router();
    let nested = protect(outer, Router::new()).nest("/v1", inner().into()).into_router();
    for (app, path) in [(merged, "/health"), (nested, "/v1/health")] {
        assert_eq!(send(&app, "GET", path, &NO_HEADERS).await.0, 401);
        let authorized = [(AUTHORIZATION, bearer.as_str())];
        assert_eq!(send(&app, "GET", path, &authorized).await.2, "fine");
    }
}

#[tokio::test]
async fn caller_of_an_open_route_is_anonymous_with_any_token() {
    let (gate, bearer) = gate_and_bearer().await;
    let who =
        async |caller: Option<Caller>| if caller.is_some() { "a caller" } else { "no caller" };
    let must = async |Caller(_): Caller| "reached";
    let read = RequireLayer::new(Policy::scopes(["read"]));
    let app = |gate: Gate| {
        protect(gate, Router::new())
            .open_route("/who", get(who))
            .open_route("/must", post(must))
            .open_route("/read", says("reached").layer(read.clone()))
            .into_router()
    };
    let plain = app(gate.clone());
    for token in [bearer.as_str(), "Bearer bad", "Bearer", "Basic YTpi", ""] {
        let headers = [(AUTHORIZATION, token), (CONTENT_TYPE, "application/grpc")];
        let (status, headers_of, body) = send(&plain, "GET", "/who", &headers).await;
        assert_eq!((status, body.as_str()), (200, "no caller"), "{token}");
        assert!(!headers_of.contains_key(VARY));
        for (method, path) in [("POST", "/must"), ("GET", "/read")] {
            assert_eq!(send(&plain, method, path, &headers).await.0, 401, "{path} {token}");
        }
    }
    let grpc = app(gate.grpc());
    for (method, path) in [("POST", "/must"), ("GET", "/read")] {
        let (status, headers, _) = send(&grpc, method, path, &NO_HEADERS).await;
        assert_eq!((status, &headers["grpc-status"]), (200, &"16".parse().unwrap()), "{path}");
    }
}

/// An outer gate's caller does not apply to the open route.
#[tokio::test]
async fn caller_of_an_outer_layer_is_removed_on_an_open_route() {
    let (gate, bearer) = gate_and_bearer().await;
    let who = async |caller: Option<Caller>| caller.is_some().to_string();
    let app = protect(gate.clone(), Router::new()).open_route("/who", get(who)).into_router();
    let app = app.layer(AuthLayer::new(gate));
    let authorized = [(AUTHORIZATION, bearer.as_str())];
    assert_eq!(send(&app, "GET", "/who", &authorized).await.2, "false");
}

#[tokio::test]
async fn open_routes_share_the_state_of_the_router() {
    let (gate, _) = gate_and_bearer().await;
    let routes: Router<&'static str> = Router::new();
    let state = async |State(state): State<&'static str>| Json(json!(state));
    let app = protect(gate, routes).open_route("/state", get(state));
    let app: Router = app.into_router().with_state("shared");
    let (_, _, body) = send(&app, "GET", "/state", &NO_HEADERS).await;
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), "shared");
}
