//! WebSockets and server-sent events over real sockets: they end with their session.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use futures_util::{Stream, StreamExt as _, stream};
use portcullis_axum::portcullis::Policy;
use portcullis_axum::portcullis::testing::Scene;
use portcullis_axum::{Caller, EndingSocket, RequireLayer, ending_events, protect};
use portcullis_test_support::websocket::{closed, connect, say};
use tokio::net::TcpListener;

/// Answers each message, and renews the token with a message `token …`.
async fn echo(Caller(who): Caller, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let stream = who.open_stream();
        let mut socket = EndingSocket::new(socket, &stream);
        while let Some(Ok(message)) = socket.recv().await {
            let text = message.to_text().unwrap_or_default();
            let answer = match text.strip_prefix("token ") {
                Some(token) => match stream.renew(token).await {
                    Ok(()) => "renewed".to_owned(),
                    Err(error) => error.to_string(),
                },
                None => text.to_owned(),
            };
            if socket.send(Message::text(answer)).await.is_err() {
                break;
            }
        }
    })
}

/// A handler that only sends, and sets a close code of its own.
async fn pushed(Caller(who): Caller, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let mut socket = EndingSocket::new(socket, &who.open_stream()).close_code(4900);
        socket.closed().await;
        assert!(socket.send(Message::text("too late")).await.is_err());
        assert!(socket.recv().await.is_none());
    })
}

async fn events(Caller(who): Caller) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let first = stream::iter([Ok(Event::default().id("7").data("first"))]);
    Sse::new(ending_events(first.chain(stream::pending()), &who.open_stream()))
}

/// Serves the routes, and returns the address.
async fn serve(scene: &Scene) -> String {
    let routes = Router::new()
        .route("/echo", get(echo).route_layer(RequireLayer::new(Policy::scopes(["chat"]))))
        .route("/pushed", get(pushed))
        .route("/events", get(events));
    let app: Router = protect(scene.auth.clone(), routes).into_router();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn websocket_is_renewed_and_closes_with_its_session() {
    let scene = Scene::new().await;
    let address = serve(&scene).await;
    let token = |subject: &str| scene.token(subject).scopes(["chat"]);
    let mut socket = connect(&address, "/echo", &token("alice")).await;
    assert_eq!(say(&mut socket, "hello".to_owned()).await, "hello");
    for _ in 0..3 {
        scene.advance(800);
        let renewal = format!("token {}", token("alice").sign());
        assert_eq!(say(&mut socket, renewal).await, "renewed");
    }
    let other = say(&mut socket, format!("token {}", token("mallory").sign())).await;
    assert!(other.contains("another subject"), "{other}");
    // The policy of the route's layer applies to renewals.
    let without = say(&mut socket, format!("token {}", scene.token("alice").sign())).await;
    assert_eq!(without, "the new token is refused");
    scene.advance(1000);
    assert_eq!(closed(&mut socket).await, (4401, "expired".to_owned()));
    let end = tokio::time::timeout(Duration::from_secs(3), socket.next()).await.unwrap();
    assert!(end.is_none() || end.unwrap().is_err(), "the connection is closed");
}

#[tokio::test]
async fn websocket_closes_when_its_key_is_withdrawn() {
    let scene = Scene::new().await;
    let address = serve(&scene).await;
    let mut socket = connect(&address, "/pushed", &scene.token("alice")).await;
    scene.keys.replace(Default::default());
    assert_eq!(closed(&mut socket).await, (4900, "key_withdrawn".to_owned()));
}

#[tokio::test]
async fn event_stream_ends_with_a_last_event() {
    let scene = Scene::new().await;
    let address = serve(&scene).await;
    let ask = async || {
        let request = reqwest::Client::new().get(format!("http://{address}/events"));
        request.header("authorization", scene.token("alice").bearer()).send().await.unwrap()
    };
    let response = ask().await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    scene.advance(2000);
    let whole = tokio::time::timeout(Duration::from_secs(3), response.text()).await;
    assert_eq!(
        whole.unwrap().unwrap(),
        "id: 7\ndata: first\n\nevent: session-ended\ndata: expired\n\n"
    );
    // The page connects again with its new token.
    assert_eq!(ask().await.status(), 200);
}
