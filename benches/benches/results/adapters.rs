//! Measures the same service with each adapter and without one.

use actix_web::test::TestRequest;
use actix_web::{App, HttpResponse, web};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::service::{Service, service_fn};
use portcullis::{
    Authenticator,
    keys::{KeySet, SharedKeySet},
};
use portcullis_axum::AuthLayer;
use portcullis_benches::measure::{Case, measure, note, report};
use portcullis_benches::scenario::{AUDIENCE, CACHE, ISSUER, Signer, at_once, bearer};
use portcullis_benches::service;
use std::convert::Infallible;
use std::hint::black_box;
use tower::ServiceExt as _;

/// `cargo bench … serve <mode> <jwk>` runs a server for the parent process.
pub(crate) fn serve(mode: &str, jwk: &str) {
    let auth = |bytes| {
        let keys = KeySet::from_json(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap();
        let builder = Authenticator::builder(ISSUER, AUDIENCE).key_source(SharedKeySet::new(keys));
        at_once(builder.token_cache_bytes(bytes).build()).unwrap()
    };
    service::serve(match mode {
        "warm" => service::bare().layer(AuthLayer::new(auth(CACHE))),
        "cold" => service::bare().layer(AuthLayer::new(auth(0))),
        _ => service::bare(),
    });
}

fn request(headers: &HeaderMap) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    request.headers_mut().clone_from(headers);
    request
}

pub(crate) fn added(rounds: usize) {
    for algorithm in ["RS256", "ES256"] {
        let signer = Signer::new(algorithm);
        let token = signer.token(0);
        let headers = bearer(&token);
        let (warm, cold) = (signer.authenticator(CACHE), signer.authenticator(0));
        axum_layer(algorithm, &headers, &warm, &cold, rounds);
        hyper_service(algorithm, &headers, &warm, &cold, rounds);
        actix_middleware(algorithm, &token, &warm, &cold, rounds);
    }
}

fn axum_layer(
    algorithm: &str,
    headers: &HeaderMap,
    warm: &Authenticator,
    cold: &Authenticator,
    rounds: usize,
) {
    let call = |router: &Router| {
        let response = at_once(router.clone().oneshot(request(headers))).unwrap();
        assert_eq!(response.status(), 200);
        drop(black_box(response));
    };
    let bare = Router::new().route("/", get(|| async { "fine" }));
    let identity =
        bare.clone().layer(tower::layer::layer_fn(std::convert::identity::<axum::routing::Route>));
    let warm = bare.clone().layer(AuthLayer::new(warm.clone()));
    let cold = bare.clone().layer(AuthLayer::new(cold.clone()));
    let cases = vec![
        Case::new("without", || call(&bare)),
        Case::new("identity layer", || call(&identity)),
        Case::new("warm", || call(&warm)),
        Case::new("cold", || call(&cold)),
    ];
    report(&format!("axum {algorithm}"), &measure(cases, rounds));
}

fn hyper_service(
    algorithm: &str,
    headers: &HeaderMap,
    warm: &Authenticator,
    cold: &Authenticator,
    rounds: usize,
) {
    let plain = || {
        service_fn(|request: Request<Full<Bytes>>| {
            black_box(request);
            std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
        })
    };
    let request = || {
        let mut request = Request::new(Full::default());
        request.headers_mut().clone_from(headers);
        request
    };
    let without = plain();
    // This service shows the cost of any layer that calls another service.
    let inner = std::sync::Arc::new(plain());
    let identity = service_fn(|request: Request<Full<Bytes>>| inner.call(request));
    let warm = portcullis_hyper::AuthService::new(warm.clone(), std::sync::Arc::new(plain()));
    let cold = portcullis_hyper::AuthService::new(cold.clone(), std::sync::Arc::new(plain()));
    let cases = vec![
        Case::new("without", || drop(black_box(at_once(without.call(request())).unwrap()))),
        Case::new("identity layer", || {
            drop(black_box(at_once(identity.call(request())).unwrap()));
        }),
        Case::new("warm", || {
            assert_eq!(at_once(warm.call(request())).unwrap().status(), 200);
        }),
        Case::new("cold", || {
            assert_eq!(at_once(cold.call(request())).unwrap().status(), 200);
        }),
    ];
    let group = format!("hyper {algorithm}");
    report(&group, &measure(cases, rounds));
    note(
        &group,
        "A request of hyper's has no extensions yet: the first one that is put in makes `http::Extensions` allocate its map, and the \
         map its table, besides the entry itself. Frameworks have put in their own before.",
    );
}

fn actix_middleware(
    algorithm: &str,
    token: &str,
    warm: &Authenticator,
    cold: &Authenticator,
    rounds: usize,
) {
    use actix_web::dev::Service as _;
    let system = actix_web::rt::System::new();
    let value = format!("Bearer {token}");
    let request =
        || TestRequest::get().insert_header(("authorization", value.as_str())).to_request();
    system.block_on(async {
        let app = || App::new().route("/", web::get().to(HttpResponse::Ok));
        let auth = portcullis_actix::Auth::new;
        let without = actix_web::test::init_service(app()).await;
        let identity =
            actix_web::test::init_service(app().wrap_fn(|request, inner| inner.call(request)))
                .await;
        let warm = actix_web::test::init_service(app().wrap(auth(warm.clone()))).await;
        let cold = actix_web::test::init_service(app().wrap(auth(cold.clone()))).await;
        let cases = vec![
            Case::new("without", || drop(black_box(at_once(without.call(request())).unwrap()))),
            Case::new("identity layer", || {
                drop(black_box(at_once(identity.call(request())).unwrap()));
            }),
            Case::new("warm", || {
                assert!(at_once(warm.call(request())).unwrap().status().is_success());
            }),
            Case::new("cold", || {
                assert!(at_once(cold.call(request())).unwrap().status().is_success());
            }),
        ];
        report(&format!("actix {algorithm}"), &measure(cases, rounds));
    });
}
