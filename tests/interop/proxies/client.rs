//! Sends requests exactly as written, including repeated headers.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
}

impl Answer {
    /// All lines of a header, joined; empty if the header is absent.
    pub(crate) fn header(&self, name: &str) -> String {
        let lines = self.headers.get_all(name).iter();
        lines.map(|line| line.to_str().unwrap()).collect::<Vec<_>>().join(" | ")
    }
}

/// Sends the path as it is, without normalization by a URL library.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request =
        Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if method == "POST" { Bytes::from_static(BODY) } else { Bytes::new() };
    let exchange = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        body.collect().await.unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers }
    };
    timeout(Duration::from_secs(30), exchange).await.expect("no response within 30 s")
}

/// The body of a POST.
pub(crate) const BODY: &[u8] = b"{\"order\":17}";

/// Waits until `look` returns a value.
pub(crate) async fn eventually<T>(look: impl Fn() -> Option<T>) -> T {
    let found = async {
        loop {
            match look() {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(Duration::from_secs(20), found).await.expect("not found within 20 s")
}
