//! Services over loopback. The server is a process with one thread and shares one core with the
//! sender. The server's processor time is measured, because processor time does not include
//! waiting.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::get;

use crate::measure::Measured;

const CONNECTIONS: usize = 16;

/// Serves `router` on a port that the system chooses and that is printed to standard output, until
/// the standard input ends.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
pub fn serve(router: Router) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        axum::serve(listener, router).await.unwrap();
    });
}

/// The service without a layer.
pub fn bare() -> Router {
    Router::new().route("/", get(|| async { "fine" }))
}

/// Serves the key set of `jwk` over loopback, in a thread, for as long as the program runs. Returns
/// its URL.
#[must_use]
pub fn serve_keys(jwk: &serde_json::Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let keys = serde_json::json!({"keys": [jwk]}).to_string();
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{keys}",
        keys.len()
    );
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            // The request's head, which all clients send at once.
            let read = connection.read(&mut [0; 4096]);
            let _ = read.and_then(|_| connection.write_all(response.as_bytes()));
        }
    });
    url
}

/// A server of the kind `mode`: this program, started with other arguments.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts a server. `argument` is passed to it.
    #[must_use]
    pub fn start(mode: &str, argument: &str) -> Self {
        // The server and the sender run on one core. Without taskset, the figures vary more, but
        // are not wrong.
        let program = std::env::current_exe().unwrap();
        let pinned = Command::new("taskset").arg("-V").stdout(Stdio::null()).status().is_ok();
        let mut command = if pinned {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        command.args(["serve", mode, argument]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        Self { child, address: line.trim().to_owned() }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The processor time of all its threads, in nanoseconds.
    fn cpu(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|stat| stat.split(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Sends `number` requests over some connections. On each connection, a request follows the
    /// response to the previous one.
    fn load(&self, request: &[u8], number: usize) {
        let mut connections: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let connection = TcpStream::connect(&self.address).unwrap();
                connection.set_nodelay(true).unwrap();
                connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                connection
            })
            .collect();
        let mut answer = [0; 1024];
        for _ in 0..number / CONNECTIONS {
            for connection in &mut connections {
                connection.write_all(request).unwrap();
            }
            for connection in &mut connections {
                let length = connection.read(&mut answer).unwrap();
                assert!(answer.get(..length).unwrap().starts_with(b"HTTP/1.1 200"), "refused");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process exits when its standard input ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The server's processor time per request in each of `modes`, in nanoseconds, with the same
/// requests for all. `argument` is passed to the server.
#[must_use]
pub fn compare(modes: &[&str], token: &str, argument: &str, rounds: usize) -> Vec<Measured> {
    const REQUESTS: usize = 4_000;
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
    let servers: Vec<Server> = modes.iter().map(|mode| Server::start(mode, argument)).collect();
    let mut measured: Vec<Measured> = modes.iter().map(|mode| Measured::new(*mode)).collect();
    for server in &servers {
        server.load(request.as_bytes(), REQUESTS / 4);
    }
    for _ in 0..rounds {
        for (server, measured) in servers.iter().zip(&mut measured) {
            let before = server.cpu();
            server.load(request.as_bytes(), REQUESTS);
            #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
            measured.rounds.push((server.cpu() - before) / REQUESTS as f64);
        }
    }
    measured
}
