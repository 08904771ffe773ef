//! WebSockets and streamed bodies over real sockets: they end with their session.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use actix_ws::Message;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use portcullis_actix::portcullis::Policy;
use portcullis_actix::portcullis::streams::EndingStream;
use portcullis_actix::portcullis::testing::Scene;
use portcullis_actix::{Auth, Caller, EndingSocket, Require};
use portcullis_test_support::websocket::{closed, connect, say};

/// Answers each message, and renews the token with a message `token …`.
async fn echo(
    Caller(who): Caller,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    let (response, mut session, messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        let stream = who.open_stream();
        let mut socket = EndingSocket::new(session.clone(), messages, &stream);
        while let Some(Ok(message)) = socket.recv().await {
            let Message::Text(text) = message else { continue };
            let answer = match text.strip_prefix("token ") {
                Some(token) => match stream.renew(token).await {
                    Ok(()) => "renewed".to_owned(),
                    Err(error) => error.to_string(),
                },
                None => text.to_string(),
            };
            if session.text(answer).await.is_err() {
                break;
            }
        }
    });
    Ok(response)
}

/// Only sends, under its own close code.
async fn pushed(
    Caller(who): Caller,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, actix_web::Error> {
    let (response, session, messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        let stream = who.open_stream();
        let mut socket = EndingSocket::new(session, messages, &stream).close_code(4900);
        socket.closed().await;
        assert!(socket.recv().await.is_none());
    });
    Ok(response)
}

async fn streamed(Caller(who): Caller) -> HttpResponse {
    let items = stream::iter([Ok::<_, Infallible>(Bytes::from("first "))]).chain(stream::pending());
    let items = EndingStream::new(items, &who.open_stream())
        .last(|reason| Some(Ok(Bytes::from(reason.as_str()))));
    HttpResponse::Ok().streaming(items)
}

/// Serves the routes, and returns the address.
fn serve(scene: &Scene) -> String {
    let auth = scene.auth.clone();
    let server = HttpServer::new(move || {
        let chat = web::resource("/echo").wrap(Require::new(Policy::scopes(["chat"])));
        App::new().service(
            web::scope("")
                .wrap(Auth::new(auth.clone()))
                .service(chat.route(web::get().to(echo)))
                .route("/pushed", web::get().to(pushed))
                .route("/streamed", web::get().to(streamed)),
        )
    });
    let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0].to_string();
    rt::spawn(server.run());
    address
}

#[actix_web::test]
async fn websocket_is_renewed_and_closes_with_its_session() {
    let scene = Scene::new().await;
    let address = serve(&scene);
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
    // The policy of the route's middleware applies to renewals.
    let without = say(&mut socket, format!("token {}", scene.token("alice").sign())).await;
    assert_eq!(without, "the new token is refused");
    scene.advance(1000);
    assert_eq!(closed(&mut socket).await, (4401, "expired".to_owned()));
}

#[actix_web::test]
async fn websocket_closes_when_its_key_is_withdrawn() {
    let scene = Scene::new().await;
    let address = serve(&scene);
    let mut socket = connect(&address, "/pushed", &scene.token("alice")).await;
    scene.keys.replace(Default::default());
    assert_eq!(closed(&mut socket).await, (4900, "key_withdrawn".to_owned()));
}

#[actix_web::test]
async fn streamed_body_ends_with_its_session() {
    let scene = Scene::new().await;
    let address = serve(&scene);
    let request = reqwest::Client::new().get(format!("http://{address}/streamed"));
    let request = request.header("authorization", scene.token("alice").bearer());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    scene.advance(2000);
    let whole = tokio::time::timeout(Duration::from_secs(3), response.text()).await;
    assert_eq!(whole.unwrap().unwrap(), "first expired");
}
