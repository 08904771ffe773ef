//! The services on hyper, over real sockets, with HTTP/1.1 and HTTP/2.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use portcullis::testing::{Scene, TestKey};
use portcullis::{Algorithm, Authenticated, Policy, Refusal, refusal::RefusalKind};
use portcullis_hyper::{AuthService, RequireService, caller, maybe_caller};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const BOTH: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

fn token(scene: &Scene, extra: &Value) -> String {
    scene.token("alice").scopes(["a"]).roles(["clerk"]).claims(extra).sign()
}

/// Returns a token like the issuer's, signed with a key that is not the issuer's.
fn forged(scene: &Scene) -> String {
    let key = TestKey::generate("k", Algorithm::Es256);
    scene.token("alice").signed_with(Arc::new(key)).sign()
}

type Reply = Response<Full<Bytes>>;

/// Serves `service` and returns its address.
async fn serve<S>(service: S) -> String
where
    S: Service<Request<Incoming>, Response = Reply> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service.clone();
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                builder.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    address
}

async fn ask(version: Version, address: &str, token: Option<&str>) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy();
    let client = if version == Version::HTTP_2 {
        client.http2_prior_knowledge()
    } else {
        client.http1_only()
    };
    let mut request = client.build().unwrap().post(format!("http://{address}/")).body("a body");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.version(), version);
    response
}

/// Responds with the caller and the request's body.
async fn echo(request: Request<Incoming>) -> Result<Reply, Infallible> {
    let who = request.extensions().get::<Authenticated>();
    let who = format!("{:?}", who.and_then(Authenticated::subject));
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Ok(Response::new(Full::from(format!("{who}: {body}"))))
}

/// A handler that uses the functions of the crate.
macro_rules! handler {
    ($handle:expr) => {
        service_fn(async |request: Request<Incoming>| {
            let handle: fn(&Request<Incoming>) -> Result<String, Refusal> = $handle;
            let reply = handle(&request).map(|text| Response::new(Full::from(text)));
            Ok::<Reply, Infallible>(reply.unwrap_or_else(Refusal::into_response))
        })
    };
}

#[derive(Deserialize)]
struct User {
    sub: String,
    tenant: u64,
}

#[tokio::test]
async fn handler_receives_claims_as_its_own_type() {
    let scene = Scene::warm().await;
    let whoami = handler!(|request| {
        let user: User = caller(request)?.claims()?;
        Ok(format!("{} of {}", user.sub, user.tenant))
    });
    let address = serve(AuthService::new(scene.auth.clone(), whoami)).await;
    for version in BOTH {
        let good = token(&scene, &json!({"tenant": 7}));
        let response = ask(version, &address, Some(&good)).await;
        assert_eq!(response.text().await.unwrap(), "alice of 7");
        for extra in [json!({}), json!({"tenant": "seven"})] {
            let response = ask(version, &address, Some(&token(&scene, &extra))).await;
            assert_eq!(response.status(), 403);
            // There is no challenge, because a refreshed token would not fit either.
            assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
        }
    }
}

#[tokio::test]
async fn handler_without_an_auth_service_is_500() {
    let scene = Scene::warm().await;
    let a = || Policy::scopes(["a"]);
    let good = token(&scene, &json!({}));
    let must = serve(handler!(|request| caller(request).map(|_| "reached".to_owned()))).await;
    let may = serve(handler!(|request| maybe_caller(request).map(|_| "reached".to_owned()))).await;
    let required = serve(RequireService::new(a(), service_fn(echo))).await;
    let inside_out = AuthService::new(scene.auth.clone(), service_fn(echo));
    let inside_out = serve(RequireService::new(a(), inside_out)).await;
    for (case, address) in
        [("caller", must), ("maybe", may), ("required", required), ("inside out", inside_out)]
    {
        for version in BOTH {
            for token in [None, Some(good.as_str())] {
                let response = ask(version, &address, token).await;
                assert_eq!(response.status(), 500, "{case}");
                assert_eq!(response.text().await.unwrap(), "", "{case}");
            }
        }
    }
}

#[tokio::test]
async fn optional_caller_is_none_or_valid() {
    let scene = Scene::warm().await;
    let greet = handler!(|request| {
        let user: Option<User> = maybe_caller(request)?.map(Authenticated::claims).transpose()?;
        Ok(user.map_or_else(|| "stranger".to_owned(), |user| user.sub))
    });
    let open = serve(AuthService::new(scene.auth.clone(), greet).optional()).await;
    let named = handler!(|request| caller(request).map(|_| "reached".to_owned()));
    let named = serve(AuthService::new(scene.auth.clone(), named).optional()).await;
    let required = RequireService::new(Policy::scopes(["a"]), service_fn(echo));
    let required = serve(AuthService::new(scene.auth.clone(), required).optional()).await;
    let good = token(&scene, &json!({"tenant": 7}));
    for version in BOTH {
        assert_eq!(ask(version, &open, None).await.text().await.unwrap(), "stranger");
        assert_eq!(ask(version, &open, Some(&good)).await.text().await.unwrap(), "alice");
        assert_eq!(ask(version, &open, Some("a.b.c")).await.status(), 401);
        // Claims that do not fit are rejected, and are not treated as absent.
        assert_eq!(ask(version, &open, Some(&token(&scene, &json!({})))).await.status(), 403);
        // Behind an optional service, a handler that requires a caller rejects a request without a
        // token.
        for address in [&named, &required] {
            let response = ask(version, address, None).await;
            assert_eq!(response.status(), 401);
            assert_eq!(response.headers()[WWW_AUTHENTICATE], r#"Bearer realm="api""#);
        }
    }
}

#[tokio::test]
async fn optional_service_removes_the_caller_of_an_outer_one() {
    let scene = Scene::warm().await;
    let mut headers = http::HeaderMap::new();
    let good = format!("Bearer {}", token(&scene, &json!({})));
    headers.insert(AUTHORIZATION, good.parse().unwrap());
    let alice = scene.auth.authenticate(&headers).await.unwrap();
    let inner = AuthService::new(scene.auth.clone(), service_fn(echo)).optional();
    let outer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(alice.clone());
        inner.call(request)
    });
    let address = serve(outer).await;
    assert_eq!(ask(BOTH[0], &address, None).await.text().await.unwrap(), "None: a body");
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
        let service = RequireService::new(policy.clone(), service_fn(echo));
        let address = serve(AuthService::new(scene.auth.clone(), service)).await;
        for version in BOTH {
            let response = ask(version, &address, Some(&token(&scene, &json!({})))).await;
            assert_eq!(response.status(), status, "{policy:?}");
            let header = response.headers().get(WWW_AUTHENTICATE);
            assert_eq!(header.map(|value| value.to_str().unwrap()), challenge, "{policy:?}");
        }
    }
}

#[tokio::test]
async fn request_without_keys_is_503_until_they_are_fetched() {
    for version in BOTH {
        let scene = Scene::unpublished().await;
        let address = serve(AuthService::new(scene.auth.clone(), service_fn(echo))).await;
        let good = token(&scene, &json!({}));
        let response = ask(version, &address, Some(&good)).await;
        assert_eq!(response.status(), 503);
        let retry_after: u64 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=2).contains(&retry_after), "{retry_after}");
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
        // A malformed token is rejected without a wait for the keys.
        assert_eq!(ask(version, &address, Some("a.b.c")).await.status(), 401);
        let before = scene.fetch.requests().len();
        scene.publish([&*scene.key]);
        // A request that waited for a key is passed on complete.
        let response = ask(version, &address, Some(&good)).await;
        assert_eq!(response.text().await.unwrap(), "Some(\"alice\"): a body");
        assert_eq!(scene.fetch.requests().len(), before + 1);
    }
}

#[tokio::test]
async fn refused_request_does_not_reach_the_service() {
    for (version, optional) in
        BOTH.into_iter().flat_map(|version| [(version, false), (version, true)])
    {
        for scene in [Scene::published().await, Scene::warm().await] {
            let calls = Arc::new(AtomicUsize::new(0));
            let counter = calls.clone();
            let counting = service_fn(move |request| {
                counter.fetch_add(1, Ordering::SeqCst);
                echo(request)
            });
            let service = AuthService::new(scene.auth.clone(), Arc::new(counting));
            let service = if optional { service.optional() } else { service };
            let address = serve(service).await;
            let forged = forged(&scene);
            let anonymous = if optional { Some("x") } else { None };
            for token in [Some(forged.as_str()), anonymous, Some("x"), Some("a.b.c")] {
                let response = ask(version, &address, token).await;
                assert_eq!(response.status(), 401);
                assert!(response.headers().contains_key(WWW_AUTHENTICATE));
            }
            assert_eq!(calls.load(Ordering::SeqCst), 0);
            let good = token(&scene, &json!({}));
            assert_eq!(ask(version, &address, Some(&good)).await.status(), 200);
            assert_eq!(calls.load(Ordering::SeqCst), 1);
        }
    }
}

/// On a single-threaded runtime, neither the services nor their futures have to be `Send`.
#[tokio::test]
async fn outer_service_finds_the_refusal_in_the_response() {
    let scene = Scene::published().await;
    let nothing = Rc::new("reached");
    let inner = service_fn(move |_: Request<String>| {
        let nothing = nothing.clone();
        async move { Ok::<_, Infallible>(Response::new(nothing.to_string())) }
    });
    let write = RequireService::new(Policy::scopes(["write"]), Rc::new(inner));
    let service = AuthService::new(scene.auth.clone(), Rc::new(write));
    let forged = forged(&scene);
    for (token, kind) in [
        (Some(forged), RefusalKind::InvalidToken),
        (None, RefusalKind::MissingToken),
        (Some(token(&scene, &json!({}))), RefusalKind::InsufficientScope),
    ] {
        let mut request = Request::new(String::new());
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let response = service.call(request).await.unwrap();
        assert_eq!(response.extensions().get().map(Refusal::kind), Some(kind));
    }
}

#[tokio::test]
async fn open_path_matches_exactly_and_ignores_tokens() {
    let scene = Scene::warm().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let inner = service_fn(move |request: Request<String>| {
        counter.fetch_add(1, Ordering::SeqCst);
        let who = maybe_caller(&request).map(|who| format!("{:?}", who.map(|who| who.subject())));
        async move { who.map(Response::new) }
    });
    let service =
        AuthService::new(scene.auth.clone(), inner).open_path("/health").open_path("/ready");
    let ask = async |method: &str, path: &str, token: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        service.call(request.body(String::new()).unwrap()).await.unwrap()
    };
    let good = token(&scene, &json!({}));
    for path in ["/health", "/ready", "/health?x=1", "http://a.example/health"] {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            for token in [None, Some("bad"), Some(good.as_str())] {
                assert_eq!(ask(method, path, token).await.body(), "None", "{method} {path}");
            }
        }
    }
    assert_eq!(calls.swap(0, Ordering::SeqCst), 4 * 4 * 3);
    for path in ["/", "/health/", "//health", "/%68ealth", "/Health", "/a/health", "/healthz", "*"]
    {
        assert_eq!(ask("GET", path, None).await.status(), 401, "{path}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}
