//! A WebSocket and an `EventSource` of a browser, through three silent refreshes and a logout.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{Stream, stream};
use portcullis_axum::portcullis::feed::{LogoutReceiver, Revocations};
use portcullis_axum::portcullis::testing::Scene;
use portcullis_axum::portcullis::{Gate, Revocation};
use portcullis_axum::{Caller, EndingSocket, ending_events, logout_route, protect};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};

/// The interval between two events, whether or not a browser is connected.
const EVERY: Duration = Duration::from_millis(50);

/// The issuer and the service's clock, which the page controls.
struct Issuer {
    scene: Scene,
    address: String,
    http: reqwest::Client,
}

/// Issues an access token of the session: in a cookie for the `EventSource`, and to the page, which
/// sends it over the WebSocket.
async fn refresh(State(issuer): State<Arc<Issuer>>) -> impl IntoResponse {
    let token = issuer.scene.token("alice").claim("sid", "s-1").sign();
    let cookie = format!("access={token}; Path=/; HttpOnly; SameSite=Strict");
    ([("set-cookie", cookie)], token)
}

/// Advances the clock by 10 of the 15 minutes for which a token is valid.
async fn later(State(issuer): State<Arc<Issuer>>) {
    issuer.scene.advance(600);
}

/// Ends the session as if on another device: the service receives the issuer's logout token. Returns
/// when the service has acknowledged it.
async fn logout(State(issuer): State<Arc<Issuer>>) -> String {
    let token = issuer.scene.logout_token("web").claim("sid", "s-1").sign();
    let request = issuer.http.post(format!("http://{}/backchannel-logout", issuer.address));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(format!("logout_token={token}")).send().await.unwrap();
    response.status().as_str().to_owned()
}

async fn socket(Caller(who): Caller, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let stream = who.open_stream();
        let mut socket = EndingSocket::new(socket, &stream);
        while let Some(Ok(message)) = socket.recv().await {
            let answer = match message.to_text().ok().and_then(|text| text.strip_prefix("token ")) {
                Some(token) => stream.renew(token).await.map_or("refused", |()| "renewed"),
                None => "unknown message",
            };
            if socket.send(Message::text(answer)).await.is_err() {
                break;
            }
        }
    })
}

/// Continues after the last event that the browser has received.
fn events(
    start: Instant,
    request: &Request,
) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    stream::unfold(last.unwrap_or(0u32) + 1, move |number| async move {
        sleep_until(start + EVERY * number).await;
        let event = Event::default().id(number.to_string()).data(number.to_string());
        Some((Ok(event.retry(EVERY)), number + 1))
    })
}

#[tokio::test]
#[ignore = "needs Chromium and Node: run cargo xtask test"]
async fn browser_streams_survive_silent_refreshes_and_close_at_the_logout() {
    let scene = Scene::with(|builder| {
        builder
            .cookie("access")
            .max_token_lifetime(Duration::from_secs(900))
            .revocations(Revocations::in_memory())
            .logout_clients(["web"])
    })
    .await;
    let receiver = LogoutReceiver::new(&scene.auth).unwrap();
    let feed = Revocation::feed(Duration::from_secs(5));
    let gate = Gate::new(scene.auth.clone()).revocation(feed).unwrap();
    let start = Instant::now();
    let streams = Router::new().route("/socket", get(socket)).route(
        "/events",
        get(async move |Caller(who): Caller, request: Request| {
            Sse::new(ending_events(events(start, &request), &who.open_stream()))
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let issuer = Issuer { scene, address: address.clone(), http: reqwest::Client::new() };
    let routes: Router = Router::new()
        .route("/", get(async || Html("<title>streams</title>")))
        .route("/refresh", post(refresh))
        .route("/later", post(later))
        .route("/logout", post(logout))
        .with_state(Arc::new(issuer))
        .merge(logout_route("/backchannel-logout", receiver))
        .merge(protect(gate, streams));
    tokio::spawn(async move { axum::serve(listener, routes).await });

    // `cargo xtask test` sets the variable to the program that it found or installed.
    let named = |name, default: &str| std::env::var_os(name).unwrap_or_else(|| default.into());
    let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join("streams-profile");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/streams.mjs");
    let mut node = Command::new(named("PORTCULLIS_NODE", "node"));
    node.arg(script)
        .env("CHROMIUM", named("PORTCULLIS_CHROMIUM", "/usr/bin/chromium"))
        .env("PROFILE", &profile)
        .env("ADDRESS", &address);
    // The server runs on this thread meanwhile.
    let output = tokio::task::spawn_blocking(move || node.output().unwrap()).await.unwrap();
    let _ = std::fs::remove_dir_all(profile);
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), 5, "{said}");
}
