//! The load on the issuer. Each session has its own connection, and sends a refresh when its last
//! refresh is answered.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use portcullis_bench_issuer::PASSWORD;

/// A session: its refresh token.
pub(crate) struct Session(String);

/// The durations of the refreshes.
pub(crate) struct Load {
    pub(crate) millis: Vec<f64>,
}

/// Logs in this many sessions.
pub(crate) async fn log_in(address: &str, sessions: usize) -> Vec<Session> {
    let mut connection = Connection::open(address).await;
    let body = format!(r#"{{"username":"alice","password":"{PASSWORD}"}}"#);
    let mut all = Vec::new();
    for _ in 0..sessions {
        all.push(Session(connection.post("/v1/auth/login", &body).await));
    }
    all
}

/// Refreshes all sessions repeatedly, for this time.
pub(crate) async fn run(address: &str, sessions: &mut [Session], length: Duration) -> Load {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for (at, session) in sessions.iter().enumerate() {
        let (address, mut token) = (address.to_owned(), session.0.clone());
        tasks.spawn(async move {
            let mut connection = Connection::open(&address).await;
            let mut millis = Vec::new();
            while begun.elapsed() < length {
                let asked = Instant::now();
                let body = format!(r#"{{"refresh_token":"{token}"}}"#);
                token = connection.post("/v1/auth/refresh", &body).await;
                millis.push(asked.elapsed().as_secs_f64() * 1e3);
            }
            (at, token, millis)
        });
    }
    let mut load = Load { millis: Vec::new() };
    for (at, token, millis) in tasks.join_all().await {
        sessions[at].0 = token;
        load.millis.extend(millis);
    }
    load
}

/// A connection that implements only the part of HTTP that these responses need.
struct Connection {
    stream: TcpStream,
    address: String,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, address: address.to_owned(), buffer: Vec::new() }
    }

    /// Returns the refresh token of the response.
    async fn post(&mut self, path: &str, body: &str) -> String {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len(),
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.buffer.clear();
        loop {
            assert_ne!(self.stream.read_buf(&mut self.buffer).await.unwrap(), 0, "closed");
            let text = std::str::from_utf8(&self.buffer).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = after(head, "content-length: ").unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            if body.len() == length {
                assert!(head.starts_with("HTTP/1.1 200"), "{text}");
                let token = after(body, r#""refresh_token":""#).unwrap();
                return token.split('"').next().unwrap().to_owned();
            }
        }
    }
}

fn after<'t>(text: &'t str, what: &str) -> Option<&'t str> {
    text.split_once(what).map(|(_, rest)| rest)
}
