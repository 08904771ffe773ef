//! The servers behind the proxy: an app that records its requests, and a scripted authority.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use tokio::net::TcpListener;

/// A server that responds to every request and records it.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<(Parts, Bytes)>>>,
}

impl Recorder {
    /// The app behind the proxy: responds with 200 to every request.
    pub(crate) async fn app() -> Self {
        Self::start(|_| Response::new(Body::from("the app"))).await
    }

    /// An authority that responds with the status that the client requests in `x-want`, and with
    /// the headers of a Portcullis service.
    pub(crate) async fn authority() -> Self {
        Self::start(|request| {
            let wanted = request.headers.get("x-want").and_then(|value| value.to_str().ok());
            let status = wanted.and_then(|status| status.parse().ok()).unwrap_or(StatusCode::OK);
            let mut response = Response::builder().status(status);
            if !status.is_success() {
                response = response.header("cache-control", "no-store");
            }
            if let 400 | 401 | 403 = status.as_u16() {
                response = response.header("www-authenticate", challenge(status.as_u16()));
            }
            if let 429 | 503 = status.as_u16() {
                response = response.header("retry-after", "7");
            }
            response.body(Body::empty()).unwrap()
        })
        .await
    }

    async fn start(answer: fn(&Parts) -> Response) -> Self {
        let seen = Arc::<Mutex<Vec<(Parts, Bytes)>>>::default();
        let shared = seen.clone();
        let record = async move |request: Request| {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, 1 << 20).await.unwrap();
            let response = answer(&parts);
            shared.lock().unwrap().push((parts, body));
            response
        };
        Self { address: serve(Router::new().fallback(record)).await, seen }
    }

    /// The requests since the last call.
    pub(crate) fn take(&self) -> Vec<(Parts, Bytes)> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// The challenge of [`Recorder::authority`].
pub(crate) fn challenge(status: u16) -> String {
    format!("Bearer realm=\"api\", error=\"the one of {status}\"")
}

/// Serves until the test ends.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// An address without a listener.
pub(crate) fn unused_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
