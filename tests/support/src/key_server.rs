//! An HTTP/1.1 server on a loopback socket that misbehaves as scripted, and counts requests.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;

/// All servers run on this runtime, so they continue while the runtimes under test stall or end.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});

/// The response at a path.
#[derive(Debug, Clone)]
pub enum Answer {
    /// 200 with this document; the connection stays open, like an issuer's.
    Document(String),
    /// 200 with this document, delayed by this duration.
    Late(Duration, String),
    /// Exactly these bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// Bytes that are created for each request, then the end of the connection.
    Made(fn() -> Vec<u8>),
    /// These bytes, then silence.
    Hang(Vec<u8>),
    /// These bytes slowly, one at a time, and the last one forever.
    Drip(Vec<u8>),
    /// The first bytes once, the others forever.
    Endless(Vec<u8>, Vec<u8>),
    /// No response, and a TCP reset.
    Reset,
}

/// The server; it lives as long as the process.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: Mutex<HashMap<String, Answer>>,
    requests: Mutex<Vec<(String, Instant)>>,
    connections: AtomicUsize,
    answering: AtomicUsize,
    peak: AtomicUsize,
    sent: AtomicUsize,
}

impl Server {
    /// Starts the server; every path responds with 404 until [`Server::set`] sets another response.
    #[must_use]
    pub fn start() -> Self {
        let state = Arc::<State>::default();
        let _entered = RUNTIME.enter();
        let socket = TcpSocket::new_v4().unwrap();
        // With a small buffer, the number of bytes sent is close to what the client has read.
        socket.set_send_buffer_size(16 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(2048).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = state.clone();
        RUNTIME.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                RUNTIME.spawn(serve(stream, shared.clone()));
            }
        });
        Self { address, state }
    }

    /// The URL of `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Makes `path` respond with `answer` from now on.
    pub fn set(&self, path: &str, answer: Answer) {
        self.state.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// The times of the requests for `path`, in order.
    #[must_use]
    pub fn requests(&self, path: &str) -> Vec<Instant> {
        let requests = self.state.requests.lock().unwrap();
        requests.iter().filter(|(asked, _)| asked == path).map(|&(_, at)| at).collect()
    }

    /// The number of connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The maximum number of concurrent requests.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.state.peak.load(Ordering::SeqCst)
    }

    /// Waits until the clients have disconnected from every endless response.
    pub async fn until_idle(&self) {
        let idle = async {
            while self.state.answering.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), idle).await;
        assert!(waited.is_ok(), "a client holds on to an answer");
    }

    /// The number of bytes that were sent to clients.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.state.sent.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    state.connections.fetch_add(1, Ordering::SeqCst);
    // The client usually ends the connection.
    while let Ok(Some(path)) = read_head(&mut stream).await {
        let answering = state.answering.fetch_add(1, Ordering::SeqCst) + 1;
        state.peak.fetch_max(answering, Ordering::SeqCst);
        let answered = answer(&mut stream, &state, path).await;
        // The count is lowered before the client's next request can be read, because the runtime
        // has one thread.
        state.answering.fetch_sub(1, Ordering::SeqCst);
        if !matches!(answered, Ok(ControlFlow::Continue(()))) {
            break;
        }
    }
}

/// Sends a response, and returns whether the connection stays open.
async fn answer(
    stream: &mut TcpStream,
    state: &State,
    path: String,
) -> io::Result<ControlFlow<()>> {
    let answer = state.answers.lock().unwrap().get(&path).cloned();
    state.requests.lock().unwrap().push((path, Instant::now()));
    match answer.unwrap_or_else(|| Answer::Bytes(response("404 Not Found", "", ""))) {
        Answer::Document(document) => {
            send(stream, state, &response("200 OK", "", &document)).await?;
            return Ok(ControlFlow::Continue(()));
        }
        Answer::Late(delay, document) => {
            tokio::time::sleep(delay).await;
            send(stream, state, &response("200 OK", "", &document)).await?;
            return Ok(ControlFlow::Continue(()));
        }
        Answer::Bytes(bytes) => send(stream, state, &bytes).await?,
        Answer::Made(bytes) => send(stream, state, &bytes()).await?,
        Answer::Hang(bytes) => {
            send(stream, state, &bytes).await?;
            until_closed(stream).await?;
        }
        Answer::Drip(bytes) => {
            let last = *bytes.last().unwrap();
            for byte in bytes.into_iter().chain(std::iter::repeat(last)) {
                send(stream, state, &[byte]).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Answer::Endless(first, again) => {
            send(stream, state, &first).await?;
            // The server pauses after each piece. Otherwise a client built without optimisation
            // would parse for a whole second before it checks anything else, and the test would not
            // measure its deadline.
            loop {
                send(stream, state, &again).await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Answer::Reset => stream.set_zero_linger()?,
    }
    Ok(ControlFlow::Break(()))
}

/// The path of the next request; `None` at the end of the connection.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head);
    Ok(head.split(' ').nth(1).map(str::to_owned))
}

async fn send(stream: &mut TcpStream, state: &State, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let taken = stream.write(bytes).await?;
        state.sent.fetch_add(taken, Ordering::SeqCst);
        bytes = &bytes[taken..];
    }
    Ok(())
}

async fn until_closed(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// A complete response. `headers` are lines, each with its line end.
#[must_use]
pub fn response(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}
