//! Bodies, time-outs and unavailable upstreams.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::app::{App, PATIENCE, ask, settings, start};
use portcullis_testing::TestIssuer;

const OPEN: &str = "response_timeout_secs = 1\n[[route]]\nprefix = '/'\ntoken = 'none'";

async fn sidecar_for(app: std::net::SocketAddr) -> (std::net::SocketAddr, TestIssuer) {
    let issuer = TestIssuer::start().await;
    (start(&settings(&issuer, app, OPEN)).await, issuer)
}

async fn until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&read).contains(text) {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "{read:?}");
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    String::from_utf8(read).unwrap()
}

/// Each part must arrive while the rest has not been sent yet.
#[tokio::test]
async fn bodies_are_streamed_in_both_directions() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, _issuer) = sidecar_for(listener.local_addr().unwrap()).await;
    let mut client = TcpStream::connect(at).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let (mut app, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    until(&mut app, "first").await;
    // The response begins before the request ends.
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\n\r\n3\r\none\r\n";
    app.write_all(head.as_bytes()).await.unwrap();
    let got = until(&mut client, "one").await;
    assert!(!got.to_lowercase().contains("keep-alive"), "{got}");
    client.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
    until(&mut app, "second").await;
    app.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    until(&mut client, "two").await;
}

#[tokio::test]
async fn slow_upload_is_not_a_slow_response() {
    let app = App::start().await;
    let (at, _issuer) = sidecar_for(app.at).await;
    let mut client = TcpStream::connect(at).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n").await.unwrap();
    // In total longer than the time-out.
    for byte in [b"a", b"b", b"c", b"d", b"e"] {
        tokio::time::sleep(Duration::from_millis(400)).await;
        client.write_all(byte).await.unwrap();
    }
    let got = until(&mut client, "the app").await;
    assert!(got.starts_with("HTTP/1.1 200"), "{got}");
    assert!(app.take()[0].ends_with("\r\n\r\nabcde"));
}

#[tokio::test]
async fn upstream_that_does_not_answer_is_504_and_one_that_is_away_502() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap();
    let (at, issuer) = sidecar_for(silent).await;
    let answer = ask(at, "GET /").await;
    assert_eq!(answer.status, 504);
    assert!(answer.head.contains("cache-control: no-store"), "{answer:?}");
    drop(listener);
    assert_eq!(ask(at, "GET /").await.status, 502);
    let broken = App::answering("no HTTP\r\n\r\n").await;
    let at = start(&settings(&issuer, broken.at, OPEN)).await;
    assert_eq!(ask(at, "GET /").await.status, 502);
}

#[tokio::test]
async fn client_that_disconnects_ends_the_request_to_the_upstream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, _issuer) = sidecar_for(listener.local_addr().unwrap()).await;
    let (ended, end) = oneshot::channel();
    tokio::spawn(async move {
        let (mut app, _) = listener.accept().await.unwrap();
        app.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart").await.unwrap();
        let mut rest = Vec::new();
        let _ = app.read_to_end(&mut rest).await;
        ended.send(()).unwrap();
    });
    let mut client = TcpStream::connect(at).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    until(&mut client, "part").await;
    drop(client);
    timeout(PATIENCE, end).await.unwrap().unwrap();
}

/// Some servers answer a POST without a length with 411.
#[tokio::test]
async fn length_of_an_empty_body_is_kept() {
    let app = App::start().await;
    let (at, _issuer) = sidecar_for(app.at).await;
    assert_eq!(ask(at, "POST /\r\nContent-Length: 0").await.status, 200);
    assert!(app.take()[0].contains("\r\ncontent-length: 0\r\n"));
    assert_eq!(ask(at, "GET /").await.status, 200);
    assert!(!app.take()[0].contains("content-length"));
}
