//! Key rotation in real time, while verifiers validate tokens continuously: no valid token is
//! rejected. On SQLite there is one issuer process. On PostgreSQL there are two, and one of them is
//! killed in the middle of each rotation.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::Request;
use portcullis::Authenticator;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::common::{API, Home, PASSWORD, part};
use crate::process::{HttpClient, Server, how_many};

/// A key set may be cached for 2 s and clocks may differ by 1 s, so a key signs 3 s after it was
/// published. Tokens live for 4 s.
const SETTINGS: [(&str, &str); 5] = [
    ("IDENTSPHERE_REFRESHES_PER_SESSION", "0"),
    ("IDENTSPHERE_JWKS_MAX_AGE_SECS", "2"),
    ("IDENTSPHERE_CLOCK_SKEW_SECS", "1"),
    ("IDENTSPHERE_ACCESS_EXPIRY_SECS", "4"),
    ("IDENTSPHERE_REFRESH_GRACE_SECS", "60"),
];

/// The issued tokens, each with the time of its request, the newest last.
#[derive(Default)]
struct Tokens(Mutex<VecDeque<(Instant, String)>>);

impl Tokens {
    /// Returns the tokens that do not expire within the next second.
    fn live(&self) -> Vec<String> {
        let mut tokens = self.0.lock().unwrap();
        tokens.retain(|(issued, _)| issued.elapsed() < Duration::from_millis(2500));
        tokens.iter().map(|(_, token)| token.clone()).collect()
    }
}

#[derive(Default)]
struct Fire {
    tokens: Tokens,
    validated: AtomicU64,
    stop: AtomicBool,
}

impl Fire {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_tokens_are_accepted_during_key_rotations() {
    let home = Home::new();
    let mut server = Server::new(&home, None, &SETTINGS);
    server.command(&["users", "add", "alice", "--password-stdin"], &format!("{PASSWORD}\n"));
    server.start();
    let url = server.url();
    rotate_under_fire(&url, &mut [server], how_many("PORTCULLIS_SOAK_ROTATIONS", 3)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: run cargo xtask test"]
async fn valid_tokens_are_accepted_if_processes_are_killed_during_rotations() {
    let home = Home::on_postgres().await;
    let balancer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", balancer.local_addr().unwrap());
    let mut servers = [0, 1].map(|_| Server::new(&home, Some(&url), &SETTINGS));
    servers[0].command(&["users", "add", "alice", "--password-stdin"], &format!("{PASSWORD}\n"));
    let backends = servers.each_ref().map(|server| server.address.clone());
    let balancer = tokio::spawn(balance(balancer, backends));
    servers[0].start();
    servers[1].start();
    rotate_under_fire(&url, &mut servers, how_many("PORTCULLIS_SOAK_ROTATIONS", 3)).await;
    balancer.abort();
}

/// Forwards each connection to a backend that accepts it.
async fn balance(listener: TcpListener, backends: [String; 2]) {
    for turn in 0.. {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut order = backends.clone();
        order.rotate_left(turn % 2);
        tokio::spawn(async move {
            for backend in order {
                if let Ok(mut server) = TcpStream::connect(backend).await {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    return;
                }
            }
        });
    }
}

async fn rotate_under_fire(url: &str, servers: &mut [Server], rotations: u32) {
    let fire = Arc::new(Fire::default());
    let clients: Vec<_> = (0..3)
        .map(|_| tokio::spawn(keep_refreshing(HttpClient::of(url), Arc::clone(&fire))))
        .collect();
    let mut verifiers = Vec::new();
    for _ in 0..2 {
        verifiers.push(tokio::spawn(keep_validating(
            // On a busy machine, a fetch may be slow after a process was killed.
            verifier(url, Duration::from_secs(30)).await,
            Arc::clone(&fire),
        )));
    }
    for rotation in 0..rotations {
        let refused = clients.iter().chain(&verifiers).any(|task| task.is_finished());
        assert!(!refused, "a client or a token was rejected; see above");
        let [first, others @ ..] = &mut *servers else { unreachable!() };
        let told = first.command(&["keys", "rotate"], "");
        let next = told.split(' ').next().unwrap().to_owned();
        if !others.is_empty() {
            // The kill is around the moment when the next key begins to sign. The processes are
            // killed in turn, so that the leader is killed, too.
            let moment = 2600 + u64::from(rotation % 3) * 300;
            tokio::time::sleep(Duration::from_millis(moment)).await;
            let victim = usize::try_from(rotation).unwrap() % servers.len();
            servers[victim].kill();
            wait_until_signing(&fire, &next).await;
            servers[victim].start();
        }
        wait_until_signing(&fire, &next).await;
    }
    let validated = fire.validated.load(Ordering::Relaxed);
    assert!(validated > 1000, "{validated}");
    println!("{rotations} rotations, {validated} validations, none rejected");
    fire.stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    for verifier in verifiers {
        verifier.await.unwrap();
    }
    withdrawn_within_the_stated_bound(url, &servers[0]).await;
}

/// Waits until the clients get tokens of this key.
async fn wait_until_signing(fire: &Fire, kid: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let newest = fire.tokens.live().pop();
        if newest.is_some_and(|token| part(&token, 0)["kid"] == kid) {
            return;
        }
        assert!(Instant::now() < deadline, "the next key never signs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn verifier(url: &str, fetch_timeout: Duration) -> Authenticator {
    Authenticator::builder(url, API)
        .jwks_ttl(Duration::from_secs(2))
        .fetch_timeout(fetch_timeout)
        // No fetch for an unknown `kid`, since other verifiers may fetch by time only.
        .cooldown(Duration::from_secs(3600))
        .build()
        .await
        .unwrap()
}

async fn accepts(verifier: &Authenticator, token: &str) -> Result<(), String> {
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let verdict = verifier.authenticate(&request.body(()).unwrap()).await;
    verdict.map(drop).map_err(|refusal| format!("{:?}: {refusal}", refusal.kind()))
}

/// Keeps refreshing a session, and passes its access tokens to the verifiers.
async fn keep_refreshing(client: HttpClient, fire: Arc<Fire>) {
    let mut session: Option<Value> = None;
    while !fire.stopped() {
        let asked = Instant::now();
        let answer = match &session {
            Some(grant) => client.refresh(grant["refresh_token"].as_str().unwrap()).await,
            None => client.login().await,
        };
        match answer {
            Some((200, grant)) => {
                let token = grant["access_token"].as_str().unwrap().to_owned();
                fire.tokens.0.lock().unwrap().push_back((asked, token));
                session = Some(grant);
            }
            // The process was killed, or its database is unavailable: the client retries.
            None | Some((503, _)) => {}
            Some(other) => panic!("a valid client was rejected: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn keep_validating(verifier: Authenticator, fire: Arc<Fire>) {
    while !fire.stopped() {
        for token in fire.tokens.live() {
            if let Err(why) = accepts(&verifier, &token).await {
                panic!("a valid token was rejected: {why}, {}", part(&token, 1));
            }
            fire.validated.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Checks that the tokens of a withdrawn key are rejected within the stated bound.
async fn withdrawn_within_the_stated_bound(url: &str, server: &Server) {
    // The bound is 7 s. The token expires much later, because of the verifier's leeway.
    let verifier = verifier(url, Duration::from_secs(5)).await;
    let client = HttpClient::of(url);
    let (_, grant) = client.login().await.unwrap();
    let token = grant["access_token"].as_str().unwrap().to_owned();
    accepts(&verifier, &token).await.unwrap();
    let kid = part(&token, 0)["kid"].as_str().unwrap().to_owned();
    server.command(&["keys", "withdraw", &kid, "--now"], "");
    let withdrawn = Instant::now();
    let bound = verifier.status()[0].keys.as_ref().unwrap().withdrawal_bound;
    while let Ok(()) = accepts(&verifier, &token).await {
        assert!(withdrawn.elapsed() < bound, "still accepted after {bound:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
