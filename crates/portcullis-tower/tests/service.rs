//! The layers in a tower stack.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, Response};
use portcullis::testing::{Scene, TestKey};
use portcullis::{Algorithm, Authenticated, Policy, Refusal, refusal::RefusalKind};
use portcullis_tower::{AuthLayer, RequireLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

fn request(token: Option<&str>) -> Request<()> {
    let mut request = Request::builder();
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(()).unwrap()
}

fn token(scene: &Scene) -> String {
    scene.token("alice").scopes(["a"]).roles(["clerk"]).sign()
}

/// Responds with the caller, like the services behind the layers.
fn echo(request: &Request<()>) -> Response<String> {
    let who = request.extensions().get::<Authenticated>();
    Response::new(format!("{:?}", who.and_then(Authenticated::subject)))
}

async fn echo_service(request: Request<()>) -> Result<Response<String>, Infallible> {
    Ok(echo(&request))
}

/// A service that enforces tower's contract: it must be polled ready before a call, and a clone of
/// it is not ready.
#[derive(Debug)]
struct Strict {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false, calls: self.calls.clone() }
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without poll_ready");
        self.calls.fetch_add(1, Ordering::SeqCst);
        ready(Ok(echo(&request)))
    }
}

#[tokio::test]
async fn only_the_ready_service_is_called() {
    for scene in [Scene::unpublished().await, Scene::warm().await] {
        scene.publish([&*scene.key]);
        let calls = Arc::new(AtomicUsize::new(0));
        let strict = Strict { ready: false, calls: calls.clone() };
        let mut service = AuthLayer::new(scene.auth.clone()).layer(strict);
        for _ in 0..3 {
            let request = request(Some(&token(&scene)));
            let response = service.ready().await.unwrap().call(request).await.unwrap();
            assert_eq!(response.body(), "Some(\"alice\")");
        }
        assert_eq!(calls.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test]
async fn refused_request_does_not_reach_the_service() {
    let scene = Scene::warm().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let strict = Strict { ready: false, calls: calls.clone() };
    let mut service = AuthLayer::new(scene.auth.clone()).layer(strict);
    for token in [None, Some("x"), Some("a.b.c")] {
        let response = service.ready().await.unwrap().call(request(token)).await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(response.headers().contains_key(WWW_AUTHENTICATE));
        // An outer layer that counts or logs finds the refusal in the extensions.
        assert!(response.extensions().get::<Refusal>().is_some());
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn bad_token_that_waited_for_a_key_does_not_reach_the_service() {
    let forger = Arc::new(TestKey::generate("k", Algorithm::Es256));
    for optional in [false, true] {
        let scene = Scene::unpublished().await;
        scene.publish([&*scene.key]);
        let layer = AuthLayer::new(scene.auth.clone());
        let layer = if optional { layer.optional() } else { layer };
        let calls = Arc::new(AtomicUsize::new(0));
        let mut service = layer.layer(Strict { ready: false, calls: calls.clone() });
        let request = request(Some(&scene.token("alice").signed_with(forger.clone()).sign()));
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(calls.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn request_without_keys_is_503_until_they_are_fetched() {
    let scene = Scene::unpublished().await;
    let service = AuthLayer::new(scene.auth.clone()).layer(tower::service_fn(echo_service));
    let good = token(&scene);
    let response = service.clone().oneshot(request(Some(&good))).await.unwrap();
    assert_eq!(response.status(), 503);
    // The first back-off is 1 s plus up to a tenth, in whole seconds.
    assert_eq!(response.headers()[RETRY_AFTER], "2");
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    // A malformed token is rejected without a wait for the keys.
    let response = service.clone().oneshot(request(Some("a.b.c"))).await.unwrap();
    assert_eq!(response.status(), 401);
    scene.publish([&*scene.key]);
    assert_eq!(service.oneshot(request(Some(&good))).await.unwrap().status(), 200);
}

#[tokio::test]
async fn optional_layer_accepts_no_token_and_rejects_a_bad_one() {
    let scene = Scene::warm().await;
    let layer = AuthLayer::new(scene.auth.clone()).optional();
    let service = layer.layer(tower::service_fn(echo_service));
    let ask = |token: Option<&str>| service.clone().oneshot(request(token));
    assert_eq!(ask(None).await.unwrap().body(), "None");
    assert_eq!(ask(Some(&token(&scene))).await.unwrap().body(), "Some(\"alice\")");
    assert_eq!(ask(Some("a.b.c")).await.unwrap().status(), 401);
    // This layer ignores the caller that another layer set.
    let mut request = request(None);
    request
        .extensions_mut()
        .insert(scene.auth.authenticate(&self::request(Some(&token(&scene)))).await.unwrap());
    assert_eq!(service.oneshot(request).await.unwrap().body(), "None");
}

#[tokio::test]
async fn unmet_policy_is_403_and_met_policy_passes() {
    let scene = Scene::warm().await;
    for (policy, status, challenge) in [
        (Policy::scopes(["a"]), 200, None),
        (
            Policy::scopes(["a", "b"]),
            403,
            Some(
                r#"Bearer realm="api", error="insufficient_scope", error_description="The access token lacks the required scope", scope="a b""#,
            ),
        ),
        (Policy::roles(["clerk"]), 200, None),
        (Policy::roles(["admin"]), 403, None),
    ] {
        let service = ServiceBuilder::new()
            .layer(AuthLayer::new(scene.auth.clone()))
            .layer(RequireLayer::new(policy.clone()))
            .service_fn(echo_service);
        let response = service.oneshot(request(Some(&token(&scene)))).await.unwrap();
        assert_eq!(response.status(), status, "{policy:?}");
        let header = response.headers().get(WWW_AUTHENTICATE);
        assert_eq!(header.map(|value| value.to_str().unwrap()), challenge, "{policy:?}");
    }
}

#[tokio::test]
async fn policy_without_authentication_is_500() {
    let service = RequireLayer::new(Policy::scopes([""; 0])).layer(tower::service_fn(echo_service));
    let response = service.oneshot(request(None)).await.unwrap();
    assert_eq!(response.status(), 500);
    let refusal = response.extensions().get::<Refusal>().unwrap();
    assert_eq!(refusal.kind(), RefusalKind::Misconfigured);
}

#[tokio::test]
async fn open_path_matches_exactly_and_ignores_tokens() {
    let scene = Scene::warm().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let strict = Strict { ready: false, calls: calls.clone() };
    let mut service =
        AuthLayer::new(scene.auth.clone()).open_path("/health").open_path("/ready").layer(strict);
    let mut ask = async |method: &str, path: &str, token: Option<&str>| {
        let mut request = request(token);
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = path.parse().unwrap();
        service.ready().await.unwrap().call(request).await.unwrap()
    };
    for path in ["/health", "/ready", "/health?x=1", "http://a.example/health"] {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            for token in [None, Some("bad"), Some(token(&scene).as_str())] {
                assert_eq!(ask(method, path, token).await.body(), "None", "{method} {path}");
            }
        }
    }
    let open = calls.swap(0, Ordering::SeqCst);
    assert_eq!(open, 4 * 4 * 3);
    for path in ["/", "/health/", "//health", "/%68ealth", "/Health", "/a/health", "/healthz", "*"]
    {
        assert_eq!(ask("GET", path, None).await.status(), 401, "{path}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}
