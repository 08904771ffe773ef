//! The number of allocations per request: exact on any machine under any load.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::borrow::Cow;
use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use actix_web::dev::Service as _;
use actix_web::{App, HttpMessage as _, HttpResponse, web};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::service::{Service as _, service_fn};
use portcullis::testing::{
    AUDIENCE, ISSUER, ManualClock, NOW, TestKey, attempt_now, bearer, verdict_now,
};
use portcullis::{
    Algorithm, Authenticator, Gate, IssuerSettings, RequestView,
    config::IssuerResolver,
    dangerous,
    keys::{KeySet, SharedKeySet},
};
use portcullis_axum::AuthLayer;
use serde_json::json;

const CACHE: usize = 1 << 20;

/// Returns the number of allocations of a run in one thread. It is the rounded mean of a thousand
/// runs, because frameworks fill pools occasionally.
fn allocations(run: impl Fn()) -> u64 {
    // One-time work is not counted.
    (0..200).for_each(|_| run());
    let counted = allocation_counter::measure(|| (0..1000).for_each(|_| run())).count_total;
    (counted + 500) / 1000
}

fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the future is pending"),
    }
}

fn claims() -> String {
    json!({
        "iss": ISSUER, "sub": "8f3a1f6e-6c1b-4f0e-9d0a-0e5c2b7d9a11",
        "aud": [ISSUER, AUDIENCE],
        "exp": NOW + 900, "iat": NOW, "nbf": NOW, "jti": "0b7c9d5e8f6a4c3b2a1908f7e6d5c4b3",
        "client_id": "identsphere-first-party", "scope": "orders:read orders:write profile",
        "sid": "b1946ac92492d2347c6235b4d2611184", "roles": ["customer", "clerk", "auditor"],
    })
    .to_string()
}

fn authenticator(keys: KeySet, algorithm: Algorithm, token_cache: usize) -> Authenticator {
    let build = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(keys))
        .algorithms([algorithm])
        .clock(ManualClock::at(NOW))
        .token_cache_bytes(token_cache)
        .build();
    at_once(build).unwrap()
}

/// An ES256 token, and authenticators without and with a token cache.
fn es256() -> (String, Authenticator, Authenticator) {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.sign(r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#, &claims());
    let auth = |bytes| authenticator(TestKey::key_set([&key]), Algorithm::Es256, bytes);
    (token, auth(0), auth(CACHE))
}

fn validated(auth: &Authenticator, headers: &HeaderMap) {
    match attempt_now(auth, headers) {
        Ok(Ok(Some(who))) => drop(black_box(who)),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn validation_allocates_twice_and_a_cache_hit_never() {
    let (token, cold, warm) = es256();
    let headers = bearer(&token);
    // The two allocations are the payload and the shared pointer.
    assert_eq!(allocations(|| validated(&cold, &headers)), 2);
    assert_eq!(allocations(|| validated(&warm, &headers)), 0);
    assert_eq!(allocations(|| drop(at_once(warm.authenticate(&headers)).unwrap())), 0);
}

/// A resolver with a rule set for each issuer, or for each host.
struct Tenants {
    keys: SharedKeySet,
    by_host: bool,
}

impl IssuerResolver for Tenants {
    fn select<'a>(&'a self, issuer: &'a str, request: &'a dyn RequestView) -> Option<Cow<'a, str>> {
        if self.by_host { request.host() } else { Some(Cow::Borrowed(issuer)) }
    }

    fn resolve(&self, _: &str) -> Option<IssuerSettings> {
        Some(IssuerSettings::new(ISSUER, AUDIENCE).key_source(self.keys.clone()))
    }
}

#[test]
fn cache_hit_with_rule_set_selection_allocates_nothing() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.sign(r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#, &claims());
    let mut headers = bearer(&token);
    headers.insert("host", "a.example:8443".parse().unwrap());
    for by_host in [false, true] {
        let keys = SharedKeySet::new(TestKey::key_set([&key]));
        let builder = Authenticator::builder_with_resolver(Tenants { keys, by_host });
        let warm = at_once(builder.clock(ManualClock::at(NOW)).build()).unwrap();
        assert_eq!(allocations(|| validated(&warm, &headers)), 0, "by host: {by_host}");
    }
}

#[test]
fn cache_hit_behind_a_gate_that_passes_foreign_allocates_nothing() {
    let (token, _, auth) = es256();
    let headers = bearer(&token);
    for gate in [Gate::new(auth.clone()), Gate::new(auth).pass_foreign()] {
        let enter = || match verdict_now(&gate, &headers) {
            Ok(Ok(visitor)) => drop(black_box(visitor)),
            other => unreachable!("{other:?}"),
        };
        assert_eq!(allocations(enter), 0);
    }
}

#[test]
fn validation_with_every_algorithm_allocates_at_most_eight_times() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Ed25519] {
        let key = TestKey::generate("k", algorithm);
        let header = json!({"alg": algorithm.as_str(), "typ": "at+jwt", "kid": "k"}).to_string();
        let headers = bearer(&key.sign(&header, &claims()));
        let cold = authenticator(TestKey::key_set([&key]), algorithm, 0);
        assert!(allocations(|| validated(&cold, &headers)) <= 8, "{algorithm}");
    }
    let secret = [7; 32];
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let input = format!("{}.{}", part(r#"{"alg":"HS256","kid":"k"}"#), part(&claims()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), input.as_bytes());
    let headers = bearer(&format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag)));
    let key = || dangerous::hmac_key(Some("k"), Algorithm::Hs256, &secret).unwrap();
    let cold = authenticator(KeySet::from_iter([key()]), Algorithm::Hs256, 0);
    assert!(allocations(|| validated(&cold, &headers)) <= 8);
}

/// A value in the extensions of a request, to measure their cost.
#[derive(Clone)]
struct Pointer(#[expect(dead_code, reason = "it is only passed on")] std::sync::Arc<()>);

#[test]
fn axum_layer_allocates_as_much_as_inserting_a_pointer() {
    let (token, _, warm) = es256();
    let headers = bearer(&token);
    let bare = axum::Router::new().route("/", axum::routing::get(|| async { "fine" }));
    let pointer = Pointer(std::sync::Arc::default());
    let inserting = bare.clone().layer(axum::Extension(pointer));
    let identity =
        bare.clone().layer(tower::layer::layer_fn(std::convert::identity::<axum::routing::Route>));
    let warm = bare.clone().layer(AuthLayer::new(warm));
    let count = |router: &axum::Router| {
        allocations(|| {
            let mut request = Request::new(axum::body::Body::empty());
            request.headers_mut().clone_from(&headers);
            let response = at_once(tower::ServiceExt::oneshot(router.clone(), request)).unwrap();
            assert_eq!(response.status(), 200);
        })
    };
    assert_eq!(count(&warm), count(&inserting), "without a layer: {}", count(&bare));
    assert!(count(&warm) <= count(&identity) + 2, "an identity layer: {}", count(&identity));
}

#[test]
fn hyper_service_allocates_as_much_as_inserting_a_pointer() {
    let (token, _, warm) = es256();
    let headers = bearer(&token);
    let service = || {
        service_fn(|request: Request<Full<Bytes>>| {
            black_box(request);
            std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
        })
    };
    let pointer = Pointer(std::sync::Arc::default());
    let inserting = service_fn(|mut request: Request<Full<Bytes>>| {
        request.extensions_mut().insert(pointer.clone());
        service().call(request)
    });
    let request = || {
        let mut request = Request::new(Full::default());
        request.headers_mut().clone_from(&headers);
        request
    };
    let warm = portcullis_hyper::AuthService::new(warm, std::sync::Arc::new(service()));
    let warm = allocations(|| {
        assert_eq!(at_once(warm.call(request())).unwrap().status(), 200);
    });
    let inserting = allocations(|| drop(at_once(inserting.call(request())).unwrap()));
    assert_eq!(warm, inserting);
}

#[test]
fn actix_middleware_allocates_as_much_as_inserting_a_pointer() {
    let (token, _, warm) = es256();
    let value = format!("Bearer {token}");
    actix_web::rt::System::new().block_on(async {
        let app = || App::new().route("/", web::get().to(HttpResponse::Ok));
        let pointer = Pointer(std::sync::Arc::default());
        // A middleware that waits would box its future. This middleware does not wait, so nothing
        // is boxed.
        let inserting = app().wrap_fn(move |request, inner| {
            request.extensions_mut().insert(pointer.clone());
            inner.call(request)
        });
        let inserting = actix_web::test::init_service(inserting).await;
        let warm =
            actix_web::test::init_service(app().wrap(portcullis_actix::Auth::new(warm))).await;
        let request = || {
            let request = actix_web::test::TestRequest::get();
            request.insert_header(("authorization", value.as_str())).to_request()
        };
        let warm = allocations(|| {
            assert!(at_once(warm.call(request())).unwrap().status().is_success());
        });
        let inserting = allocations(|| drop(at_once(inserting.call(request())).unwrap()));
        assert_eq!(warm, inserting);
        let identity = app().wrap_fn(|request, inner| inner.call(request));
        let identity = actix_web::test::init_service(identity).await;
        let identity = allocations(|| drop(at_once(identity.call(request())).unwrap()));
        assert!(warm <= identity + 2, "an identity layer: {identity}");
    });
}
