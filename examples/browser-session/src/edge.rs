//! Terminates TLS and routes requests by host, as a load balancer does.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::certificates::Authority;

/// Timeout of the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The router of each host.
pub(crate) type Hosts = HashMap<String, Router>;

pub(crate) async fn serve(
    listener: TcpListener,
    authority: &Authority,
    hosts: Hosts,
) -> Result<(), Box<dyn Error>> {
    let config = authority.server(hosts.keys().cloned().collect())?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let router = Router::new().fallback(by_host).layer(Extension(Arc::new(hosts)));
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(converse(acceptor.clone(), stream, peer, router.clone()));
    }
}

/// Serves a connection. Errors of a connection are ignored.
async fn converse(acceptor: TlsAcceptor, stream: TcpStream, peer: SocketAddr, router: Router) {
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let service = TowerToHyperService::new(router.layer(Extension(ConnectInfo(peer))));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn by_host(Extension(hosts): Extension<Arc<Hosts>>, request: Request) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let Some(router) = hosts.get(name) else {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    };
    let Ok(response) = router.clone().oneshot(request).await;
    response
}
