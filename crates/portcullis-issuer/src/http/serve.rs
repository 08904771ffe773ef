//! Connections: their number, and how long a client may keep one waiting.

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

/// How long the head of a request may take, and a connection be idle before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is used. Then it ends after the response in progress, so that a client
/// that does not read its responses cannot stay.
const MAX_AGE: Duration = Duration::from_secs(120);

/// How long that response may take.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// How long the requests in progress may take when the issuer stops.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until `shutdown` is ready; then accepts no more, and finishes the requests in progress.
pub(crate) async fn serve(
    config: &IssuerConfig,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let per_address = Connections::new(config);
    serve_at_most(MAX_CONNECTIONS, per_address, listener, router, shutdown).await;
}

/// The same for a listener that only probes reach.
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
    // Dropping it ends all connections, should this future be dropped.
    let mut open = JoinSet::new();
    let accept_all = async {
        // Beyond the limit clients wait in the system's queue. The semaphore is never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let (stream, peer) = accept(&listener).await;
            while open.try_join_next().is_some() {}
            // Closed at once: an address with too many connections must not take those of others.
            let Some(of_address) = per_address.admit(peer.ip()) else {
                metrics::connection_rejected();
                continue;
            };
            let connection = converse(stream, peer, router.clone(), stopping.clone());
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
        tracing::warn!(clients, "stopping; clients that took longer than 5 s are cut off");
        open.shutdown().await;
    }
}

/// Returns the next client. Errors are the client's, or say that too many files are open, which
/// passes.
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

/// Serves one connection to its end, whichever way the client ends it.
async fn converse(
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

    /// Sends something, and waits for the end of the connection.
    async fn answer(stream: &mut TcpStream, request: &str) -> String {
        let mut answer = Vec::new();
        stream.write_all(request.as_bytes()).await.unwrap();
        // Being cut off may come as an error.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_the_issuer_waiting_makes_room_for_others() {
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
        assert!(start.elapsed() >= HEAD_TIMEOUT, "there was a third place");
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
            // Being cut off may come as an error.
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
    async fn a_connection_does_not_last_for_ever() {
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
    async fn a_slow_client_does_not_hold_up_the_end() {
        let (listener, address) = listener().await;
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { drop(stopped.await) };
        let server =
            tokio::spawn(serve_at_most(2, Connections::unlimited(), listener, router(), shutdown));
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        // Long enough for the request to be under way.
        sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        stop.send(()).unwrap();
        server.await.unwrap();
        assert!((GRACE..GRACE * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
}
