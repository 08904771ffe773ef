//! Connections: how many, and how long a client may keep one waiting.

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

/// Below the 1024 files that a process may usually open, and above what one issuer has to do.
const MAX_CONNECTIONS: usize = 896;

/// How long the head of a request may take, and a connection be idle before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is used: then it ends after the answer that is under way, so that a
/// client that does not read its answers cannot stay.
const MAX_AGE: Duration = Duration::from_secs(120);

/// How long the answer that is under way then may take.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// How long all that is under way may take when the issuer stops.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until `shutdown` is ready; then accepts no more and finishes what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_at_most(MAX_CONNECTIONS, listener, router, shutdown).await;
    Ok(())
}

async fn serve_at_most(
    connections: usize,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(connections));
    let (stop, stopping) = watch::channel(());
    // Dropping it ends all connections, should this future be dropped.
    let mut open = JoinSet::new();
    let accept_all = async {
        // Beyond the limit clients wait in the system's queue. The semaphore is never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let (stream, peer) = accept(&listener).await;
            while open.try_join_next().is_some() {}
            let connection = converse(stream, peer, router.clone(), stopping.clone());
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
        let clients = open.len();
        tracing::warn!(clients, "stopping; clients that took longer than 5 s are cut off");
        open.shutdown().await;
    }
}

/// The next client. What goes wrong is the client's, or that there are too many open files, which
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

/// Serves one client to the end. How it ends is the client's affair.
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
        // Nothing is ever sent: the sender goes when the issuer stops, and waits for us.
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
        let server = tokio::spawn(serve_at_most(2, listener, router(), pending()));
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
    async fn a_connection_does_not_last_for_ever() {
        let (listener, address) = listener().await;
        let server = tokio::spawn(serve_at_most(2, listener, router(), pending()));
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
        let server = tokio::spawn(serve_at_most(2, listener, router(), shutdown));
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
