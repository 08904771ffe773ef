//! The issuer's HTTP server, on a port of loopback that the system chooses.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What is served, shared with who changes it.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) jwks: Value,
    pub(crate) away: bool,
    /// How often the keys were asked for.
    pub(crate) fetches: usize,
}

/// Serves until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(published: Arc<Mutex<Published>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let published = published.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let response = answer(&published, address, request.uri().path());
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                // A client that hangs up is its own affair.
                tokio::spawn(async move { connection.await.ok() });
            }
        });
        Self { address, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(published: &Mutex<Published>, address: SocketAddr, path: &str) -> Response<Full<Bytes>> {
    let mut published = published.lock().unwrap();
    let (status, body) = match path {
        _ if published.away => (StatusCode::SERVICE_UNAVAILABLE, json!({})),
        "/jwks.json" => {
            published.fetches += 1;
            (StatusCode::OK, published.jwks.clone())
        }
        "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => {
            let issuer = format!("http://{address}");
            (StatusCode::OK, json!({ "jwks_uri": format!("{issuer}/jwks.json"), "issuer": issuer }))
        }
        _ => (StatusCode::NOT_FOUND, json!({})),
    };
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response
}
