//! Serving connections, with limits on their number and on the time that clients take.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The timeout for the head of a request, for the first request of a connection, and for a
/// connection without a request in progress.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an idle connection may take to close after the timeout.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How often a client of HTTP/2 must show that it is there, also during a long response.
const PING_EVERY: Duration = Duration::from_secs(20);

/// How long the requests in progress may take when the sidecar stops.
const GRACE: Duration = Duration::from_secs(10);

/// One of the connections that may be open, until the last clone is dropped. Each request has it in
/// its extensions, for a connection that continues as a WebSocket.
#[derive(Debug, Clone)]
pub(crate) struct Place(#[expect(dead_code, reason = "it is held")] Arc<OwnedSemaphorePermit>);

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
            let place = Place(Arc::new(place));
            open.spawn(serve_connection(stream, peer, place, answer.clone(), stopping.clone()));
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

/// The requests in progress on a connection.
#[derive(Clone)]
struct Activity(Arc<Mutex<Requests>>);

struct Requests {
    open: usize,
    /// When the last one ended, or the connection began.
    since: Instant,
}

/// A request until its response has been sent.
struct InProgress(Activity);

/// A body with a request that is in progress while it is sent.
struct Sending {
    body: Body,
    _request: InProgress,
}

impl Activity {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Requests { open: 0, since: Instant::now() })))
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> InProgress {
        self.requests().open += 1;
        InProgress(self.clone())
    }

    /// Waits until the connection has been idle for this long.
    async fn idle_for(&self, time: Duration) {
        loop {
            let deadline = match *self.requests() {
                Requests { open: 0, since } => since + time,
                _ => Instant::now() + time,
            };
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut requests = self.0.requests();
        requests.open -= 1;
        requests.since = Instant::now();
    }
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    // Without the length, hyper would send every body in chunks.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Serves one connection, of HTTP/1.1 or HTTP/2, until it is closed.
async fn serve_connection<A, F>(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    answer: A,
    mut stopping: watch::Receiver<()>,
) where
    A: Fn(SocketAddr, Request<Body>) -> F,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // Each part of a streamed response is sent at once.
    let _ = stream.set_nodelay(true);
    let activity = Activity::new();
    let begun = activity.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let in_progress = begun.begin();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(place.clone());
        let answer = answer(peer, request);
        async move {
            let answer = answer.await;
            Ok::<_, Infallible>(answer.map(|body| Sending { body, _request: in_progress }))
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        // No value is ever sent: the sender is dropped when the sidecar stops.
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
        // hyper has no timeout for a client that has not sent the first bytes of a request, which
        // show the version, nor for one of HTTP/2 that sends none.
        () = activity.idle_for(HEAD_TIMEOUT) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                _ = connection.as_mut() => {}
                // A request that began meanwhile is finished.
                () = activity.idle_for(HEAD_TIMEOUT + LAST_WORDS) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LATEST: Duration = Duration::from_secs(60);

    async fn server(places: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let answer = async |_: SocketAddr, request: Request<Body>| {
            if request.uri() == "/slow" {
                sleep(HEAD_TIMEOUT * 4).await;
            }
            Response::new(Body::from("fine"))
        };
        let answer = move |peer, request| Box::pin(answer(peer, request));
        tokio::spawn(serve(answer, places, listener, pending()));
        at
    }

    /// Sends bytes, and returns everything that is received until the connection is closed.
    async fn answer(stream: &mut TcpStream, sent: &[u8]) -> String {
        let mut answer = Vec::new();
        stream.write_all(sent).await.unwrap();
        // A connection that the sidecar closes may cause an error.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The preface of HTTP/2 with empty settings.
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

    #[tokio::test(start_paused = true)]
    async fn silent_connections_are_closed_and_make_room_for_others() {
        for sent in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", PREFACE, b"GET / HTTP/1.1\r\nHost:"] {
            let at = server(1).await;
            let mut silent = TcpStream::connect(at).await.unwrap();
            silent.write_all(sent).await.unwrap();
            let start = Instant::now();
            let mut other = TcpStream::connect(at).await.unwrap();
            let other = answer(&mut other, b"GET / HTTP/1.0\r\n\r\n");
            let fine = timeout(LATEST, other).await.unwrap_or_default();
            assert!(fine.ends_with("fine"), "{sent:?}: {fine}");
            assert!(start.elapsed() >= HEAD_TIMEOUT, "{sent:?}: the other was served at once");
        }
    }

    /// A client that answers pings is there, but needs no connection.
    #[tokio::test(start_paused = true)]
    async fn idle_connection_of_http2_is_closed_although_it_answers_pings() {
        let at = server(1).await;
        let mut idle = TcpStream::connect(at).await.unwrap();
        idle.write_all(PREFACE).await.unwrap();
        let answering = async {
            let mut head = [0; 9];
            while idle.read_exact(&mut head).await.is_ok() {
                let [_, high, low, kind, flags, ..] = head;
                let mut payload = vec![0; usize::from(high) << 8 | usize::from(low)];
                idle.read_exact(&mut payload).await.unwrap();
                if (kind, flags) == (6, 0) {
                    let pong = [&[0, 0, 8, 6, 1, 0, 0, 0, 0], &*payload].concat();
                    if idle.write_all(&pong).await.is_err() {
                        break;
                    }
                }
            }
        };
        let start = Instant::now();
        timeout(LATEST, answering).await.unwrap();
        assert!(start.elapsed() >= HEAD_TIMEOUT, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn long_request_is_not_an_idle_connection() {
        let at = server(1).await;
        let mut client = TcpStream::connect(at).await.unwrap();
        let slow = answer(&mut client, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(slow.ends_with("fine"), "{slow}");
    }
}
