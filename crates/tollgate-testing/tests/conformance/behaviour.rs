//! Panics, slow handlers, clients that hang up and backpressure are as they would be without a
//! layer.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tollgate::Authenticator;
use tollgate_axum::protect;
use tollgate_testing::TestIssuer;
use tollgate_tower::AuthLayer;
use tower::{Service, ServiceBuilder, service_fn};

async fn issuer_and_auth() -> (TestIssuer, Authenticator) {
    let issuer = TestIssuer::start().await;
    let auth = issuer.authenticator().build().await.unwrap();
    (issuer, auth)
}

fn request(issuer: &TestIssuer) -> Request<()> {
    let bearer = issuer.token("alice").bearer();
    Request::get("/").header("authorization", bearer).body(()).unwrap()
}

#[tokio::test]
async fn a_panic_goes_through_and_the_service_goes_on() {
    let (issuer, auth) = issuer_and_auth().await;
    let service = service_fn(async |request: Request<()>| {
        assert_ne!(request.uri().path(), "/panic", "as it was told to");
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let service = ServiceBuilder::new().layer(AuthLayer::new(auth)).service(service);
    let mut panicking = request(&issuer);
    *panicking.uri_mut() = "/panic".parse().unwrap();
    let mut call = service.clone();
    let outcome = tokio::spawn(async move { call.call(panicking).await }).await;
    assert!(outcome.unwrap_err().is_panic());
    let mut call = service;
    assert_eq!(call.call(request(&issuer)).await.unwrap().status(), 200);
}

/// Set off when it is dropped.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn a_slow_handler_keeps_nobody_waiting_and_ends_when_its_client_hangs_up() {
    let (issuer, auth) = issuer_and_auth().await;
    let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, ended) = (begun.clone(), ended.clone());
        async move || {
            let _ended = OnDrop(ended);
            begun.notify_one();
            pending::<()>().await;
        }
    };
    let api = axum::Router::new()
        .route("/slow", axum::routing::get(slow))
        .route("/fast", axum::routing::get(async || "fast"));
    let app: axum::Router = protect(auth, api).into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let head = |path: &str| {
        let bearer = issuer.token("alice").bearer();
        format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: {bearer}\r\n\r\n"
        )
    };
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(head("/slow").as_bytes()).await.unwrap();
    begun.notified().await;

    let mut fast = TcpStream::connect(address).await.unwrap();
    fast.write_all(head("/fast").as_bytes()).await.unwrap();
    let mut answer = String::new();
    fast.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    drop(slow);
    tokio::time::timeout(Duration::from_secs(60), ended.notified()).await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_not_ready_is_not_called() {
    let (issuer, auth) = issuer_and_auth().await;
    let service =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let permits = Arc::new(Semaphore::new(1));
    let mut service = ServiceBuilder::new()
        .layer(AuthLayer::new(auth))
        .layer(tower::limit::GlobalConcurrencyLimitLayer::with_semaphore(permits.clone()))
        .service(service);
    let taken = permits.clone().acquire_owned().await.unwrap();
    let ready = poll_fn(|context| std::task::Poll::Ready(service.poll_ready(context).is_ready()));
    assert!(!ready.await, "the layer must say what the service within says");
    drop(taken);
    poll_fn(|context| service.poll_ready(context)).await.unwrap();
    assert_eq!(service.call(request(&issuer)).await.unwrap().status(), 200);
}
