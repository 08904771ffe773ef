//! An instance of a service behind a socket, and requests to it.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use portcullis::Gate;
use portcullis::feed::LogoutReceiver;
use portcullis_axum::{logout_route, protect};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Serves a protected route and the receiver of logout tokens. Returns the address.
pub(super) async fn serve(gate: Gate, receiver: LogoutReceiver) -> SocketAddr {
    let app = Router::new()
        .merge(logout_route("/logout", receiver))
        .merge(protect(gate, Router::new().route("/", get(async || "orders"))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// A connection to each instance.
pub(super) struct Connections(Vec<TcpStream>);

impl Connections {
    pub(super) async fn open(addresses: &[SocketAddr]) -> Self {
        let mut streams = Vec::new();
        for address in addresses {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            streams.push(stream);
        }
        Self(streams)
    }

    /// Returns the status of the protected route of an instance.
    pub(super) async fn call(&mut self, instance: usize, token: &str) -> u16 {
        let head = format!("GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
        self.send(instance, &head).await
    }

    /// Posts a logout token to an instance, as an issuer does.
    pub(super) async fn log_out(&mut self, instance: usize, token: &str) -> u16 {
        let body = format!("logout_token={token}");
        let request = format!(
            "POST /logout HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(instance, &request).await
    }

    async fn send(&mut self, instance: usize, request: &str) -> u16 {
        let stream = &mut self.0[instance];
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        loop {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the connection ended");
            let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return head["http/1.1 ".len()..][..3].parse().unwrap();
            }
        }
    }
}
