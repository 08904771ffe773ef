//! Serving connections, with limits on their number and on the time that clients take.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The timeout for the head of a request, and for an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the requests in progress may take when the sidecar stops.
const GRACE: Duration = Duration::from_secs(10);

/// Serves with `answer` until `shutdown` is ready. Then accepts no more connections, and finishes
/// the requests in progress.
pub(crate) async fn serve<A, F>(
    answer: A,
    connections: usize,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) where
    A: Fn(SocketAddr, Request<Body>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(connections));
    let (stop, stopping) = watch::channel(());
    // If this future is dropped, the set is dropped, too, which closes all connections.
    let mut open = JoinSet::new();
    let accept_all = async {
        // Beyond the limit, clients wait in the backlog of the operating system. The semaphore is
        // never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let (stream, peer) = accept(&listener).await;
            while open.try_join_next().is_some() {}
            let connection = serve_connection(stream, peer, answer.clone(), stopping.clone());
            open.spawn(async move {
                connection.await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accept_all => {}
        () = shutdown => {}
    }
    drop((listener, stop));
    let all = async { while open.join_next().await.is_some() {} };
    if timeout(GRACE, all).await.is_err() {
        let connections = open.len();
        tracing::warn!(connections, "connections closed after the grace period of 10 s");
        open.shutdown().await;
    }
}

/// Returns the next connection. An error is not fatal: a client caused it, or too many files are
/// open at the moment.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(client) => return client,
            Err(error) => match error.kind() {
                ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset => {}
                _ => {
                    tracing::error!(%error, "cannot accept a connection");
                    sleep(Duration::from_secs(1)).await;
                }
            },
        }
    }
}

/// Serves one connection, of HTTP/1.1 or HTTP/2, until it is closed.
async fn serve_connection<A, F>(
    stream: TcpStream,
    peer: SocketAddr,
    answer: A,
    mut stopping: watch::Receiver<()>,
) where
    A: Fn(SocketAddr, Request<Body>) -> F,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // Each part of a streamed response is sent at once.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(peer, request.map(Body::new));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        // No value is ever sent: the sender is dropped when the sidecar stops.
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
