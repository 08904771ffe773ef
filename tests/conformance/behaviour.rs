//! A layer does not change how panics, slow handlers, disconnecting clients and backpressure
//! behave.

mod servers;

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use portcullis::Authenticator;
use portcullis_testing::TestIssuer;
use portcullis_tower::AuthLayer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tower::{Service, ServiceBuilder, service_fn};

/// The timeout of a step, far longer than any step takes on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// More bytes than the buffers of two sockets and of any server hold.
const UPLOAD: usize = 64 * 1024 * 1024;

async fn issuer_and_auth() -> (TestIssuer, Authenticator) {
    let issuer = TestIssuer::start().await;
    let auth = issuer.authenticator().build().await.unwrap();
    (issuer, auth)
}

/// The signals between the handlers and the test.
#[derive(Clone, Default)]
pub(crate) struct Probe {
    begun: Arc<Notify>,
    ended: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Probe {
    /// The handler of `/slow`: never responds, and ends only when it is dropped.
    pub(crate) async fn never(&self) {
        let _ended = OnDrop(self.ended.clone());
        self.begun.notify_one();
        pending::<()>().await;
    }

    /// Waits for the signal to go on. The handler of `/upload` reads nothing before this signal.
    pub(crate) async fn told_to_go_on(&self) {
        self.begun.notify_one();
        self.go_on.notified().await;
    }
}

/// Sends a signal when it is dropped.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// The responses of a service, as its clients see them.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    panic: String,
    after_the_panic: String,
    beside_a_slow_one: String,
    upload_was_held_back: bool,
    upload: String,
}

struct Client {
    address: SocketAddr,
    bearer: String,
}

impl Client {
    async fn begin(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let bearer = &self.bearer;
        let head =
            format!("{head}\r\nhost: a\r\nconnection: close\r\nauthorization: {bearer}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    /// Status line and body, or an empty text if the connection ended without a response.
    async fn end(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok();
        let status = answer.lines().next().unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        format!("{status} {body}")
    }

    async fn get(&self, path: &str) -> String {
        Self::end(self.begin(&format!("GET {path} HTTP/1.1")).await).await
    }

    async fn see(&self, probe: &Probe) -> Seen {
        let panic = self.get("/panic").await;
        let after_the_panic = self.get("/fast").await;

        let slow = self.begin("GET /slow HTTP/1.1").await;
        probe.begun.notified().await;
        let beside_a_slow_one = self.get("/fast").await;
        drop(slow);
        probe.ended.notified().await;

        let head = format!("POST /upload HTTP/1.1\r\ncontent-length: {UPLOAD}");
        let mut stream = self.begin(&head).await;
        let upload = tokio::spawn(async move {
            stream.write_all(&vec![0; UPLOAD]).await.unwrap();
            stream
        });
        probe.begun.notified().await;
        let upload_was_held_back = !upload.is_finished();
        probe.go_on.notify_one();
        let upload = Self::end(upload.await.unwrap()).await;
        Seen { panic, after_the_panic, beside_a_slow_one, upload_was_held_back, upload }
    }
}

/// Runs the check against the service without a layer, then with one.
macro_rules! same_as_without {
    ($($name:ident: $framework:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            let (issuer, auth) = issuer_and_auth().await;
            let seen = async |auth| {
                let probe = Probe::default();
                let address = servers::$framework(auth, probe.clone()).await;
                let client = Client { address, bearer: issuer.token("alice").bearer() };
                tokio::time::timeout(PATIENCE, client.see(&probe)).await.unwrap()
            };
            let without = seen(None).await;
            assert_eq!(without, Seen {
                panic: " ".to_owned(),
                after_the_panic: "HTTP/1.1 200 OK fast".to_owned(),
                beside_a_slow_one: "HTTP/1.1 200 OK fast".to_owned(),
                upload_was_held_back: true,
                upload: format!("HTTP/1.1 200 OK {UPLOAD}"),
            });
            assert_eq!(seen(Some(auth)).await, without);
        }
    )*};
}

same_as_without! {
    axum_behaves_as_without_the_layer: axum
    actix_behaves_as_without_the_middleware: actix
    hyper_behaves_as_without_the_service: hyper
}

fn request(issuer: &TestIssuer) -> Request<()> {
    let bearer = issuer.token("alice").bearer();
    Request::get("/").header("authorization", bearer).body(()).unwrap()
}

#[tokio::test]
async fn handler_panic_propagates_and_the_service_continues() {
    let (issuer, auth) = issuer_and_auth().await;
    let service = service_fn(async |request: Request<()>| {
        assert_ne!(request.uri().path(), "/panic", "a scripted panic");
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

#[tokio::test]
async fn tower_service_that_is_not_ready_is_not_called() {
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
    assert!(!ready.await, "the layer must return the readiness of the inner service");
    drop(taken);
    poll_fn(|context| service.poll_ready(context)).await.unwrap();
    assert_eq!(service.call(request(&issuer)).await.unwrap().status(), 200);
}
