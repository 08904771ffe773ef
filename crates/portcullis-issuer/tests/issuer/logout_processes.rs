//! Back-channel logout with several processes, killed processes and commands, and with a service that
//! applies the logout tokens.

use std::time::{Duration, Instant};

use portcullis::feed::{LogoutReceiver, Revocations};
use portcullis::{Authenticator, Gate, Revocation};
use portcullis_axum::logout_route;
use portcullis_issuer::NewClient;
use tokio::net::TcpListener;

use crate::common::{API, Home, ISSUER, PASSWORD, login, on_every_store};
use crate::logouts::{Receiver, SILENT, by_id};
use crate::process::{HttpClient, Server};
use crate::status_lists::{ask, bearer};

on_every_store!(
    command_shows_sets_and_removes_the_uri,
    logout_is_delivered_after_a_kill,
    two_processes_send_each_logout_token_once,
    service_with_a_feed_rejects_the_tokens_of_an_ended_session,
);

fn server(home: &Home, url: Option<&str>) -> Server {
    Server::new(
        home,
        url,
        &[("IDENTSPHERE_PASSWORD_MEMORY_KIB", "7168"), ("IDENTSPHERE_PASSWORD_ITERATIONS", "5")],
    )
}

fn prepare(server: &Server, receiver: &Receiver) {
    server.command(&["users", "add", "alice", "--password-stdin"], &format!("{PASSWORD}\n"));
    let uri = format!("{}/web", receiver.url);
    server.command(&["clients", "add", "web", "--backchannel-logout-uri", &uri], "");
}

async fn command_shows_sets_and_removes_the_uri(home: Home) {
    let server = server(&home, None);
    tokio::task::block_in_place(|| {
        let uri = "https://app.example/logout";
        server.command(&["clients", "add", "web", "--backchannel-logout-uri", uri], "");
        let listed = || server.command(&["clients", "list"], "");
        assert!(listed().contains("\tbackchannel-logout-uri=https://app.example/logout"));
        let other = "https://app.example/other";
        server.command(&["clients", "update", "web", "--backchannel-logout-uri", other], "");
        assert!(listed().contains("\tbackchannel-logout-uri=https://app.example/other"));
        server.command(&["clients", "update", "web", "--no-backchannel-logout-uri"], "");
        assert!(!listed().contains("backchannel"), "{}", listed());
    });
}

async fn logout_is_delivered_after_a_kill(home: Home) {
    let receiver = Receiver::start().await;
    let mut server = server(&home, None);
    tokio::task::block_in_place(|| {
        prepare(&server, &receiver);
        server.start();
    });
    let client = HttpClient::of(&server.url());
    assert_eq!(client.login().await.unwrap().0, 200);
    // The session ends while no process serves, so nothing can be sent at that time.
    tokio::task::block_in_place(|| {
        server.kill();
        assert!(server.command(&["sessions", "end", "--all"], "").contains('1'));
    });
    assert!(receiver.all().is_empty(), "a command sends nothing");
    receiver.answers(SILENT);
    tokio::task::block_in_place(|| server.start());
    let first = receiver.wait_for(1).await.remove(0);
    // The attempt is in progress.
    tokio::task::block_in_place(|| server.kill());
    receiver.answers(200);
    tokio::task::block_in_place(|| server.start());
    let second = receiver.wait_for(2).await.remove(1);
    assert_eq!(first.claim("jti"), second.claim("jti"));
    assert_eq!(first.claim("sid"), second.claim("sid"));
}

async fn two_processes_send_each_logout_token_once(home: Home) {
    const SESSIONS: usize = 24;
    let receiver = Receiver::start().await;
    let mut one = server(&home, None);
    let mut two = server(&home, Some(&one.url()));
    tokio::task::block_in_place(|| {
        prepare(&one, &receiver);
        one.start();
        two.start();
    });
    let clients = [HttpClient::of(&one.url()), HttpClient::of(&two.url())];
    let mut tokens = Vec::new();
    for index in 0..SESSIONS {
        let (status, grant) = clients[index % 2].login().await.unwrap();
        assert_eq!(status, 200);
        tokens.push(grant["refresh_token"].clone());
    }
    for (index, token) in tokens.into_iter().enumerate() {
        let client = clients[index % 2].clone();
        tokio::spawn(async move {
            let body = serde_json::json!({ "refresh_token": token });
            client.post("/v1/auth/logout", &body).await.unwrap();
        });
    }
    let begun = Instant::now();
    receiver.wait_for(SESSIONS).await;
    println!("all arrived after {:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let received = receiver.all();
    assert!(by_id(&received).values().all(|count| *count == 1), "{received:?}");
    assert_eq!(received.len(), SESSIONS);

    // A command, which sends nothing itself, ends a session of the two processes.
    assert_eq!(clients[0].login().await.unwrap().0, 200);
    tokio::task::block_in_place(|| two.command(&["sessions", "end", "--all"], ""));
    let ended = Instant::now();
    receiver.wait_for(SESSIONS + 1).await;
    assert!(ended.elapsed() < Duration::from_secs(5), "{:?}", ended.elapsed());
}

async fn service_with_a_feed_rejects_the_tokens_of_an_ended_session(home: Home) {
    let issuer = home.open_with_alice().await;
    let auth = Authenticator::builder(ISSUER, API)
        .key_source(issuer.key_source())
        .clock(home.clock())
        .max_token_lifetime(Duration::from_secs(900))
        .logout_clients(["orders"])
        .revocations(Revocations::in_memory())
        .build()
        .await
        .unwrap();
    let receiver = LogoutReceiver::new(&auth).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/logout", listener.local_addr().unwrap());
    let app: axum::Router = logout_route("/logout", receiver);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    issuer.add_client(NewClient::new("orders").backchannel_logout_uri(uri)).await.unwrap();
    let gate = Gate::new(auth).revocation(Revocation::feed(Duration::from_secs(5))).unwrap();

    let (ended, other) = (login(&issuer).await.expect(200), login(&issuer).await.expect(200));
    for grant in [&ended, &other] {
        assert_eq!(ask(&gate, &bearer(grant)).await, "passes");
    }
    let logout = serde_json::json!({ "refresh_token": ended.text("refresh_token") });
    let acknowledged = Instant::now();
    crate::common::post(&issuer, "/v1/auth/logout", &logout).await.expect(204);
    while ask(&gate, &bearer(&ended)).await == "passes" {
        assert!(acknowledged.elapsed() < Duration::from_secs(10), "the token is accepted");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    println!("rejected {:?} after the logout", acknowledged.elapsed());
    assert_eq!(ask(&gate, &bearer(&ended)).await, "revoked");
    assert_eq!(ask(&gate, &bearer(&other)).await, "passes");
}
