//! The limit of connections per address, on a real socket.

use std::time::Duration;

use portcullis_issuer::Issuer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::common::Home;

#[tokio::test(flavor = "multi_thread")]
async fn connection_over_the_limit_of_its_address_is_closed() {
    let home = Home::new();
    let mut config = home.config();
    config.connections_per_address = 1;
    let issuer = Issuer::open(config).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { issuer.serve(listener, std::future::pending()).await });
    let mut first = TcpStream::connect(address).await.unwrap();
    let mut byte = [0];
    let mut ask = async |connection: &mut TcpStream| {
        let asked = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        let _ = connection.write_all(asked).await;
        let read = timeout(Duration::from_secs(10), connection.read(&mut byte)).await.unwrap();
        read.unwrap_or_default()
    };
    assert_eq!(ask(&mut first).await, 1);
    let mut second = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(&mut second).await, 0, "closed without an answer");
    server.abort();
}
