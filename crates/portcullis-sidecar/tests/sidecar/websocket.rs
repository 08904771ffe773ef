//! WebSocket upgrades.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::app::{App, PATIENCE, serve, settings, start};
use portcullis_sidecar::{Config, Sidecar};
use portcullis_testing::TestIssuer;

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13";

/// An app that accepts every handshake and then echoes.
async fn echoing_app() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let head = head_of(&mut stream).await.to_lowercase();
                assert!(
                    head.contains("upgrade: websocket") && head.contains("x-auth-subject: alice"),
                    "{head}"
                );
                assert!(!head.contains("authorization"), "{head}");
                let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
                stream.write_all(answer.as_bytes()).await.unwrap();
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    at
}

async fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = timeout(PATIENCE, stream.read_u8()).await.unwrap();
        let Ok(byte) = read else { break };
        head.push(byte);
    }
    String::from_utf8(head).unwrap()
}

async fn handshake(at: SocketAddr, lines: &str) -> (TcpStream, String) {
    let mut client = TcpStream::connect(at).await.unwrap();
    let head = format!("GET /socket HTTP/1.1\r\nHost: api.example\r\n{lines}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    let answer = head_of(&mut client).await;
    (client, answer)
}

#[tokio::test]
async fn websocket_is_a_tunnel_in_both_directions_until_its_token_expires() {
    let issuer = TestIssuer::start().await;
    let settings = settings(&issuer, echoing_app().await, "") + "leeway_secs = 0\n";
    let settings = Config::parse(&settings).unwrap();
    let sidecar = Sidecar::start(&settings).await.unwrap();
    let at = serve(sidecar.clone()).await;
    let bearer =
        |secs: u64| format!("Authorization: {}", issuer.token("alice").lifetime(secs).bearer());
    let (mut client, answer) = handshake(at, &format!("{}\r\n{UPGRADE}", bearer(900))).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    let mut echoed = [0; 5];
    for message in [b"hello", b"again"] {
        client.write_all(message).await.unwrap();
        timeout(PATIENCE, client.read_exact(&mut echoed)).await.unwrap().unwrap();
        assert_eq!(&echoed, message);
    }
    let (mut short, answer) = handshake(at, &format!("{}\r\n{UPGRADE}", bearer(5))).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    // A reload ends no WebSocket, and the token still does.
    sidecar.reload(&settings).await.unwrap();
    let mut rest = Vec::new();
    let end = timeout(Duration::from_secs(30), short.read_to_end(&mut rest)).await.unwrap();
    assert!(end.is_err() || rest.is_empty(), "{rest:?}");
    // The other one is still open.
    client.write_all(b"still").await.unwrap();
    timeout(PATIENCE, client.read_exact(&mut echoed)).await.unwrap().unwrap();
    assert_eq!(&echoed, b"still");
}

#[tokio::test]
async fn handshake_without_a_token_does_not_reach_the_app() {
    let issuer = TestIssuer::start().await;
    let app = App::start().await;
    let at = start(&settings(&issuer, app.at, "")).await;
    let (_, answer) = handshake(at, &format!("{UPGRADE}\r\nX-Auth-Subject: alice")).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(app.take().is_empty());
}

#[tokio::test]
async fn open_websocket_is_one_of_the_connections_that_may_be_open() {
    let issuer = TestIssuer::start().await;
    let at = start(&settings(&issuer, echoing_app().await, "max_connections = 1\n[tokens]")).await;
    let bearer = format!("Authorization: {}", issuer.token("alice").bearer());
    let (socket, answer) = handshake(at, &format!("{bearer}\r\n{UPGRADE}")).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    let mut other = tokio::spawn(async move { crate::app::ask(at, "GET /").await });
    assert!(timeout(Duration::from_secs(1), &mut other).await.is_err(), "the limit is 1");
    drop(socket);
    assert_eq!(timeout(PATIENCE, other).await.unwrap().unwrap().status, 401);
}

/// A client could send requests past the sidecar through a connection that was upgraded to
/// something else, or that only the sidecar takes for upgraded.
#[tokio::test]
async fn only_websockets_that_the_app_accepts_are_tunnels() {
    let issuer = TestIssuer::start().await;
    let open = "[[route]]\nprefix = '/'\ntoken = 'none'";
    let app = App::start().await;
    let at = start(&settings(&issuer, app.at, open)).await;
    let h2c =
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__";
    let (_, answer) = handshake(at, h2c).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let seen = app.take().concat().to_lowercase();
    assert!(!seen.contains("h2c") && !seen.contains("http2-settings"), "{seen}");

    // The app refuses the handshake, so the connection still carries requests.
    let (mut client, answer) = handshake(at, UPGRADE).await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("upgrade"), "{answer}");
    app.take();
    let mut body = [0; 7];
    client.read_exact(&mut body).await.unwrap();
    client.write_all(b"GET //x HTTP/1.1\r\nHost: api.example\r\n\r\n").await.unwrap();
    let answer = head_of(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(app.take().is_empty());

    // An app that switches protocols unasked.
    for upgrade in ["websocket", "h2c"] {
        let answer: &'static str = match upgrade {
            "websocket" => {
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
            }
            _ => "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        };
        let app = App::answering(answer).await;
        let at = start(&settings(&issuer, app.at, open)).await;
        let asked = if upgrade == "websocket" { "X: y" } else { UPGRADE };
        let (_, answer) = handshake(at, asked).await;
        assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    }
}
