//! Serving connections, with limits on their number and on the time that clients take.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connections::Connections;
use crate::config::{IssuerConfig, MAX_CONNECTIONS};
use crate::metrics;

/// The number of connections of the listener for health probes.
const MAX_PROBES: u32 = 32;

/// The timeout for the head of a request, and for an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum age of a connection, after which only the response in progress is finished. So a
/// client that does not read its responses cannot keep the connection.
const MAX_AGE: Duration = Duration::from_secs(120);

/// How long the response in progress may take after [`MAX_AGE`].
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// How long the requests in progress may take when the issuer stops.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until `shutdown` is ready. Then accepts no more connections, and finishes the requests in
/// progress.
pub(crate) async fn serve(
    config: &IssuerConfig,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let per_address = Connections::new(config);
    serve_at_most(MAX_CONNECTIONS, per_address, listener, router, shutdown).await;
}

/// Serves a listener that only health probes reach, without a limit per address.
pub(crate) async fn serve_probes(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let per_address = Connections::unlimited();
    serve_at_most(MAX_PROBES, per_address, listener, router, shutdown).await;
}

async fn serve_at_most(
    connections: u32,
    per_address: Arc<Connections>,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(connections as usize));
    let (stop, stopping) = watch::channel(());
    // If this future is dropped, the set is dropped, too, which closes all connections.
    let mut open = JoinSet::new();
    let accept_all = async {
        // Beyond the limit, clients wait in the backlog of the operating system. The semaphore is
        // never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let (stream, peer) = accept(&listener).await;
            while open.try_join_next().is_some() {}
            // The connection is closed at once: one address must not use up the connections of all
            // others.
            let Some(of_address) = per_address.admit(peer.ip()) else {
                metrics::connection_rejected();
                continue;
            };
            let connection = serve_connection(stream, peer, router.clone(), stopping.clone());
            open.spawn(async move {
                connection.await;
                drop((place, of_address));
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
        let clients = open.len();
        tracing::warn!(clients, "connections closed after the grace period of 5 s");
        open.shutdown().await;
    }
}

/// Returns the next connection. An error is not fatal: a client caused it, or too many files are
/// open at the moment.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    use io::ErrorKind as Kind;
    loop {
        match listener.accept().await {
            Ok(client) => return client,
            Err(error) => match error.kind() {
                Kind::ConnectionAborted | Kind::ConnectionRefused | Kind::ConnectionReset => {}
                _ => {
                    tracing::error!(%error, "cannot accept a connection");
                    sleep(Duration::from_secs(1)).await;
                }
            },
        }
    }
}

/// Serves one connection until it is closed.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    mut stopping: watch::Receiver<()>,
) {
    let router = router.layer(Extension(ConnectInfo(peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        // No value is ever sent: the sender is dropped when the issuer stops.
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
        () = sleep(MAX_AGE) => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(LAST_ANSWER, connection).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;

    async fn listener() -> (TcpListener, std::net::SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn router() -> Router {
        Router::new().route("/", get(async || "fine")).route("/never", get(pending::<()>))
    }

    /// Sends a request, and returns everything that is received until the connection is closed.
    async fn answer(stream: &mut TcpStream, request: &str) -> String {
        let mut answer = Vec::new();
        stream.write_all(request.as_bytes()).await.unwrap();
        // A connection that the issuer closes may cause an error.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connections_are_closed_and_make_room_for_others() {
        let (listener, address) = listener().await;
        let server =
            tokio::spawn(serve_at_most(2, Connections::unlimited(), listener, router(), pending()));
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
        let start = Instant::now();
        let mut third = TcpStream::connect(address).await.unwrap();
        let fine = answer(&mut third, "GET / HTTP/1.0\r\n\r\n").await;
        assert!(fine.ends_with("fine"), "{fine}");
        assert!(start.elapsed() >= HEAD_TIMEOUT, "a third connection was served at once");
        assert!(!answer(&mut silent, "").await.contains("200"));
        assert!(!answer(&mut half, "").await.contains("200"));
        let mut idle = TcpStream::connect(address).await.unwrap();
        let start = Instant::now();
        answer(&mut idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!((HEAD_TIMEOUT..MAX_AGE).contains(&start.elapsed()), "{:?}", start.elapsed());
        server.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn half_open_requests_of_one_address_leave_connections_for_others() {
        let (listener, address) = listener().await;
        let mut config = IssuerConfig::new("http://127.0.0.1:8080", "identsphere.db");
        config.connections_per_address = 3;
        let server = tokio::spawn(async move {
            serve(&config, listener, router(), pending()).await;
        });
        let mut attacker = Vec::new();
        for _ in 0..1400 {
            let mut half = TcpStream::connect(address).await.unwrap();
            // A connection that the issuer closes may cause an error.
            let _ = half.write_all(b"GET / HTTP/1.1\r\nHost:").await;
            attacker.push(half);
        }
        let start = Instant::now();
        let other = tokio::net::TcpSocket::new_v4().unwrap();
        other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut other = other.connect(address).await.unwrap();
        let fine = answer(&mut other, "GET / HTTP/1.0\r\n\r\n").await;
        assert!(fine.ends_with("fine"), "{fine}");
        assert!(start.elapsed() < HEAD_TIMEOUT, "{:?}", start.elapsed());
        server.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn connection_is_closed_after_its_maximum_age() {
        let (listener, address) = listener().await;
        let server =
            tokio::spawn(serve_at_most(2, Connections::unlimited(), listener, router(), pending()));
        let mut client = TcpStream::connect(address).await.unwrap();
        let start = Instant::now();
        assert_eq!(answer(&mut client, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await, "");
        assert!((MAX_AGE..MAX_AGE * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
        server.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn slow_client_does_not_delay_the_shutdown_beyond_the_grace_period() {
        let (listener, address) = listener().await;
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { drop(stopped.await) };
        let server =
            tokio::spawn(serve_at_most(2, Connections::unlimited(), listener, router(), shutdown));
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        // Long enough for the request to be in progress.
        sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        stop.send(()).unwrap();
        server.await.unwrap();
        assert!((GRACE..GRACE * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
}
