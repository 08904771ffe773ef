//! A WebSocket client that sends a bearer token.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use portcullis::testing::TestToken;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest as _};

/// The client's side of the connection.
pub type Socket = WebSocketStream<TcpStream>;

/// Opens a WebSocket with the token in the `Authorization` header.
pub async fn connect(address: &str, path: &str, token: &TestToken) -> Socket {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    request.headers_mut().insert("authorization", token.bearer().parse().unwrap());
    let socket = TcpStream::connect(address).await.unwrap();
    tokio_tungstenite::client_async(request, socket).await.unwrap().0
}

/// Sends a text, and returns the answer.
pub async fn say(socket: &mut Socket, text: String) -> String {
    socket.send(tungstenite::Message::text(text)).await.unwrap();
    socket.next().await.unwrap().unwrap().into_text().unwrap().to_string()
}

/// The code and the reason of the close frame, within 3 s.
pub async fn closed(socket: &mut Socket) -> (u16, String) {
    let message = tokio::time::timeout(Duration::from_secs(3), socket.next()).await;
    let tungstenite::Message::Close(frame) = message.unwrap().unwrap().unwrap() else {
        unreachable!("a message before the close frame")
    };
    let frame = frame.unwrap();
    (frame.code.into(), frame.reason.to_string())
}
