//! Sends requests over a fixed number of connections. On each, a request follows the response to
//! the previous one.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

pub(crate) const CONNECTIONS: usize = 32;

/// A slice ends after this many requests, even if its time is not over.
const MOST: usize = 500_000;

/// A response that takes longer ends the benchmark.
const PATIENCE: Duration = Duration::from_secs(30);

/// The figures of one slice, in nanoseconds.
pub(crate) struct Slice {
    /// The slice's time, divided by the number of responses.
    pub(crate) time: f64,
    /// From a request to its response: the median.
    pub(crate) half: f64,
    /// The 99th percentile.
    pub(crate) most: f64,
}

pub(crate) struct Sender {
    connections: Vec<TcpStream>,
    requests: Rc<[Vec<u8>]>,
    /// The number of requests so far.
    sent: Rc<Cell<usize>>,
}

impl Sender {
    /// Connects to a server. Each request has the next token.
    pub(crate) async fn new(at: SocketAddr, tokens: &[String]) -> Self {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = TcpStream::connect(at).await.unwrap();
            connection.set_nodelay(true).unwrap();
            connections.push(connection);
        }
        let request = |token| {
            format!("GET / HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {token}\r\n\r\n")
                .into_bytes()
        };
        let requests = tokens.iter().map(request).collect();
        Self { connections, requests, sent: Rc::default() }
    }

    /// Sends requests for this long.
    pub(crate) async fn slice(&mut self, length: Duration) -> Slice {
        let tasks = LocalSet::new();
        let begun = Instant::now();
        let (until, last) = (begun + length, self.sent.get() + MOST);
        let running: Vec<_> = std::mem::take(&mut self.connections)
            .into_iter()
            .map(|mut connection| {
                let (requests, sent) = (self.requests.clone(), self.sent.clone());
                tasks.spawn_local(async move {
                    let mut times = Vec::new();
                    let mut now = Instant::now();
                    while now < until && sent.get() < last {
                        let number = sent.replace(sent.get() + 1);
                        exchange(&mut connection, &requests[number % requests.len()]).await;
                        let after = Instant::now();
                        times.push((after - now).as_secs_f64() * 1e9);
                        now = after;
                    }
                    (connection, times)
                })
            })
            .collect();
        tokio::time::timeout(length + PATIENCE, tasks).await.unwrap();
        let took = begun.elapsed().as_secs_f64() * 1e9;
        let mut times = Vec::new();
        for task in running {
            let (connection, of_connection) = task.await.unwrap();
            self.connections.push(connection);
            times.extend(of_connection);
        }
        times.sort_unstable_by(f64::total_cmp);
        let count = times.len();
        Slice { time: took / count as f64, half: times[count / 2], most: times[count * 99 / 100] }
    }
}

async fn exchange(connection: &mut TcpStream, request: &[u8]) {
    connection.write_all(request).await.unwrap();
    let mut response = [0; 2048];
    let mut length = 0;
    while !response[..length].ends_with(b"\r\n\r\nfine") {
        let more = connection.read(&mut response[length..]).await.unwrap();
        length += more;
        let is_accepted = more > 0 && response.starts_with(b"HTTP/1.1 200");
        assert!(is_accepted, "{}", String::from_utf8_lossy(&response[..length]));
    }
}
