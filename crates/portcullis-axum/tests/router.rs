//! The adapter in an axum application.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response};
use portcullis::config::IssuerResolver;
use portcullis::keys::SharedKeySet;
use portcullis::testing::{AUDIENCE, ISSUER, ManualClock, NOW, Scene, TestKey, claims};
use portcullis::{Algorithm, Authenticator, IssuerSettings, Policy, RequestView};
use portcullis_axum::{Caller, Claims, Rejection, RequireLayer, protect};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

fn token(scene: &Scene, extra: &Value) -> String {
    scene.token("alice").scopes(["read"]).claims(extra).sign()
}

async fn ask(app: &Router, path: &str, token: Option<&str>) -> Response<Body> {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[derive(Deserialize)]
struct User {
    sub: String,
    tenant: u64,
}

async fn whoami(Claims(user): Claims<User>) -> String {
    format!("{} of {}", user.sub, user.tenant)
}

#[tokio::test]
async fn handler_receives_claims_as_its_own_type() {
    let scene = Scene::new().await;
    let app = protect(scene.auth.clone(), Router::new().route("/", get(whoami))).into_router();
    let good = token(&scene, &json!({"tenant": 7}));
    assert_eq!(text(ask(&app, "/", Some(&good)).await).await, "alice of 7");
    for extra in [json!({}), json!({"tenant": "seven"})] {
        let response = ask(&app, "/", Some(&token(&scene, &extra))).await;
        assert_eq!(response.status(), 403);
        // There is no challenge, because a refreshed token would not fit either.
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    }
}

#[tokio::test]
async fn protected_router_protects_routes_added_before_and_after() {
    let scene = Scene::new().await;
    let open = || get(async || "reached");
    let api =
        Router::new().route("/early", open()).nest("/nested", Router::new().route("/x", open()));
    let api = protect(scene.auth.clone(), api)
        .route("/late", open())
        .merge(Router::new().route("/merged", open()))
        .nest("/late-nested", Router::new().route("/x", open()))
        .map(|router| router.fallback(async || "fallback"));
    let app = Router::new().route("/health", open()).merge(api);

    let good = token(&scene, &json!({}));
    for path in ["/early", "/nested/x", "/late", "/merged", "/late-nested/x", "/nowhere"] {
        assert_eq!(ask(&app, path, None).await.status(), 401, "{path}");
        assert_eq!(ask(&app, path, Some(&good)).await.status(), 200, "{path}");
    }
    assert_eq!(ask(&app, "/health", None).await.status(), 200);
}

/// No gate is responsible for an unknown path, and a gate of another issuer would reject a valid
/// token.
#[tokio::test]
async fn unrouted_path_is_404_behind_any_number_of_gates() {
    let [scene, other] = [Scene::new().await, Scene::new().await];
    let (first, second) = (scene.auth.clone(), other.auth.clone());
    let router = |path: &str| Router::new().route(path, get(async || "reached"));
    let fallback = async || "fallback";
    let good = token(&scene, &json!({}));
    let two = || {
        let one = protect(first.clone(), router("/one"));
        Router::new().merge(one).merge(protect(second.clone(), router("/two")))
    };
    let one = protect(first.clone(), router("/one")).open_route("/open", get(async || "open"));
    for (case, app, nope) in [
        ("one gate", one.into_router(), [404, 404]),
        ("two gates", two(), [404, 404]),
        ("nested", two().nest("/n", protect(first.clone(), router("/three")).into()), [404, 404]),
        ("a fallback outside", two().fallback(fallback), [200, 200]),
        (
            "a fallback inside",
            two().merge(protect(first.clone(), Router::new().fallback(fallback))),
            [401, 200],
        ),
    ] {
        for path in ["/nope", "/one/", "/n/nope", "//one"] {
            let statuses = [ask(&app, path, None).await, ask(&app, path, Some(&good)).await]
                .map(|a| a.status());
            assert_eq!(statuses.map(|status| status.as_u16()), nope, "{case}: {path}");
        }
        assert_eq!(ask(&app, "/one", Some("bad")).await.status(), 401, "{case}");
        assert_eq!(ask(&app, "/one", Some(&good)).await.status(), 200, "{case}");
    }
}

#[tokio::test]
async fn handler_without_a_layer_is_500() {
    let required = get(async || "reached").route_layer(RequireLayer::new(Policy::scopes(["read"])));
    let app = Router::new()
        .route("/claims", get(whoami))
        .route("/caller", get(async |Caller(_): Caller| "reached"))
        .route("/optional", get(async |_: Option<Caller>| "reached"))
        .route("/optional-claims", get(async |_: Option<Claims<User>>| "reached"))
        .route("/required", required);
    for path in ["/claims", "/caller", "/optional", "/optional-claims", "/required"] {
        let response = ask(&app, path, None).await;
        assert_eq!(response.status(), 500, "{path}");
        assert_eq!(text(response).await, "", "{path}");
    }
}

#[tokio::test]
async fn optional_caller_is_none_or_valid() {
    let scene = Scene::new().await;
    let greet = async |claims: Option<Claims<User>>, caller: Option<Caller>| {
        assert_eq!(claims.is_some(), caller.is_some());
        claims.map_or_else(|| "stranger".to_owned(), |Claims(user)| user.sub)
    };
    let router = Router::new().route("/", get(greet));
    let app = protect(scene.auth.clone(), router).optional().into_router();
    assert_eq!(text(ask(&app, "/", None).await).await, "stranger");
    let good = token(&scene, &json!({"tenant": 7}));
    assert_eq!(text(ask(&app, "/", Some(&good)).await).await, "alice");
    assert_eq!(ask(&app, "/", Some("bad")).await.status(), 401);
    // Behind an optional gate, a route that requires a caller rejects requests without a token.
    let required = RequireLayer::new(Policy::scopes(["read"]));
    let router = Router::new()
        .route("/required", get(async || "reached").route_layer(required))
        .route("/claims", get(whoami))
        .route("/caller", get(async |Caller(_): Caller| "reached"));
    let mixed = protect(scene.auth.clone(), router).optional().into_router();
    for path in ["/required", "/claims", "/caller"] {
        let response = ask(&mixed, path, None).await;
        assert_eq!(response.status(), 401, "{path}");
        assert_eq!(response.headers()[WWW_AUTHENTICATE], r#"Bearer realm="api""#);
    }
    // Claims that do not fit are rejected, and are not treated as absent.
    assert_eq!(ask(&app, "/", Some(&token(&scene, &json!({})))).await.status(), 403);
}

#[tokio::test]
async fn policies_apply_at_routes_and_in_handlers() {
    let scene = Scene::new().await;
    let refund = async |Caller(who): Caller| -> Result<&'static str, Rejection> {
        who.require(&Policy::roles(["clerk"]))?;
        Ok("done")
    };
    let api = Router::new()
        .route(
            "/read",
            get(async || "read").route_layer(RequireLayer::new(Policy::scopes(["read"]))),
        )
        .route("/write", get(async || "").route_layer(RequireLayer::new(Policy::scopes(["write"]))))
        .route("/refund", get(refund));
    let app = protect(scene.auth.clone(), api).into_router();
    let (plain, clerk) = (token(&scene, &json!({})), token(&scene, &json!({"roles": ["clerk"]})));
    for (path, token, status) in [
        ("/read", &plain, 200),
        ("/write", &plain, 403),
        ("/refund", &plain, 403),
        ("/refund", &clerk, 200),
    ] {
        assert_eq!(ask(&app, path, Some(token)).await.status(), status, "{path}");
    }
}

/// Tenants with their own host and audience, all with one issuer.
struct Tenants(SharedKeySet);

impl IssuerResolver for Tenants {
    fn select<'a>(&'a self, _: &'a str, request: &'a dyn RequestView) -> Option<Cow<'a, str>> {
        request.host()
    }

    fn resolve(&self, host: &str) -> Option<IssuerSettings> {
        let audience = if host == "a.example" { AUDIENCE } else { "https://b.example" };
        Some(IssuerSettings::new(ISSUER, audience).key_source(self.0.clone()))
    }
}

#[tokio::test]
async fn token_of_one_tenant_is_rejected_at_the_host_of_another() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let tenants = Tenants(SharedKeySet::new(TestKey::key_set([&key])));
    let builder = Authenticator::builder_with_resolver(tenants).clock(ManualClock::at(NOW));
    let router = || {
        let who = get(async |Caller(who): Caller| who.subject().unwrap_or_default().to_owned());
        Router::new().route("/", who.layer(RequireLayer::new(Policy::scopes([""; 0]))))
    };
    let auth = builder.build().await.unwrap();
    let token = key.token(&claims());
    for order in [["a.example", "b.example"], ["b.example", "a.example"]] {
        let app = protect(auth.clone(), router()).into_router();
        for host in order.into_iter().cycle().take(6) {
            // HTTP/1.1 sends the host in the `Host` line, and HTTP/2 in the authority.
            for (uri, line) in [("/".to_owned(), Some(host)), (format!("https://{host}/"), None)] {
                let mut request = Request::get(uri);
                if let Some(line) = line {
                    request = request.header("host", line);
                }
                let request = request.header(AUTHORIZATION, format!("Bearer {token}"));
                let request = request.body(Body::empty()).unwrap();
                let status = app.clone().oneshot(request).await.unwrap().status();
                assert_eq!(status, if host == "a.example" { 200 } else { 401 }, "{host}");
            }
        }
    }
}
