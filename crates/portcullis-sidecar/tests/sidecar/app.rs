//! An app that records its requests as bytes, a client that sends bytes, and a sidecar between them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_sidecar::{Config, Sidecar};
use portcullis_testing::TestIssuer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An app that answers each request with a text, and closes the connection.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) at: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::answering("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nthe app")
            .await
    }

    pub(crate) async fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app = Self { at: listener.local_addr().unwrap(), seen: Arc::default() };
        let recorder = app.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(recorder.clone().serve(stream, answer));
            }
        });
        app
    }

    async fn serve(self, mut stream: TcpStream, answer: &str) {
        let request = read_message(&mut stream).await;
        self.seen.lock().unwrap().push(request);
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    /// The requests since the last call, as they were received.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// Reads one message: its head, and its body by the framing that the head names.
async fn read_message(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let is_complete = if head.contains("transfer-encoding: chunked") {
                body.ends_with("0\r\n\r\n")
            } else {
                body.len() >= length.map_or(0, |length| length.parse().unwrap())
            };
            if is_complete {
                return String::from_utf8_lossy(&read).into_owned();
            }
        }
        if stream.read_buf(&mut read).await.unwrap() == 0 {
            return String::from_utf8_lossy(&read).into_owned();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ str| line.starts_with(&format!("{name}: "));
        self.head.lines().find(|text| line(text)).map(|line| &line[name.len() + 2..])
    }
}

/// Sends bytes, and returns everything that is received until the connection is closed.
pub(crate) async fn send(at: SocketAddr, request: &str) -> Answer {
    let exchange = async {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A connection that the sidecar closes early may cause an error.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    let answer = timeout(PATIENCE, exchange).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// Sends a request without a body. `head` is the method, the target and further header lines.
pub(crate) async fn ask(at: SocketAddr, head: &str) -> Answer {
    let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
    send(at, &format!("{line} HTTP/1.1\r\nHost: api.example\r\n{headers}Connection: close\r\n\r\n"))
        .await
}

/// The settings of a sidecar in front of `app`, for the tokens of `issuer`.
pub(crate) fn settings(issuer: &TestIssuer, app: SocketAddr, more: &str) -> String {
    format!("upstream = 'http://{app}'\n{}", with_issuer(issuer, more))
}

pub(crate) fn with_issuer(issuer: &TestIssuer, more: &str) -> String {
    let (url, audience) = (issuer.url(), portcullis_testing::AUDIENCE);
    format!("{more}\n[[issuer]]\nissuer = '{url}'\naudience = '{audience}'\n")
}

/// A sidecar with these settings.
pub(crate) async fn start(settings: &str) -> SocketAddr {
    let sidecar = Sidecar::start(&Config::parse(settings).unwrap()).await.unwrap();
    serve(sidecar).await
}

pub(crate) async fn serve(sidecar: Sidecar) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { sidecar.serve(listener, std::future::pending()).await });
    at
}

/// An issuer, an app and a sidecar between them.
pub(crate) struct World {
    pub(crate) issuer: TestIssuer,
    pub(crate) app: App,
    pub(crate) at: SocketAddr,
}

impl World {
    /// `more` is further text of the settings file, before its tables.
    pub(crate) async fn start(more: &str) -> Self {
        let (issuer, app) = (TestIssuer::start().await, App::start().await);
        let at = start(&settings(&issuer, app.at, more)).await;
        Self { issuer, app, at }
    }

    pub(crate) async fn ask(&self, head: &str) -> Answer {
        ask(self.at, head).await
    }

    /// The line of a header with a token.
    pub(crate) fn bearer(&self, subject: &str) -> String {
        format!("Authorization: {}", self.issuer.token(subject).scopes(["orders:read"]).bearer())
    }
}

/// The lines of a recorded request's head, sorted, without the request line.
pub(crate) fn lines(request: &str) -> Vec<&str> {
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    let mut lines: Vec<&str> = head.lines().skip(1).collect();
    lines.sort_unstable();
    lines
}
