//! `kill -9` while clients log in, refresh and log out: no acknowledged change is lost, and no
//! refresh token ever has two successors.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Home, PASSWORD, on_every_store};
use crate::process::{HttpClient, Server, how_many};

on_every_store!(acknowledged_changes_survive_and_no_token_has_two_successors);

/// The operations that the issuer has acknowledged.
#[derive(Default)]
struct Acknowledged {
    successors: Mutex<HashMap<String, String>>,
    logged_out: Mutex<Vec<String>>,
    operations: AtomicU32,
    repeated: AtomicU32,
}

async fn acknowledged_changes_survive_and_no_token_has_two_successors(home: Home) {
    let kills = how_many("PORTCULLIS_SOAK_KILLS", 10);
    // A busy machine may need more than the default grace period of 10 s to restart the program.
    let grace = [("IDENTSPHERE_REFRESH_GRACE_SECS", "60")];
    let mut server = Server::new(&home, None, &grace);
    server.command(&["users", "add", "alice", "--password-stdin"], &format!("{PASSWORD}\n"));
    server.start();
    let acknowledged = Arc::new(Acknowledged::default());
    let stop = Arc::new(AtomicBool::new(false));
    // With this number of clients, several changes share a commit.
    let clients: Vec<_> = (0..16)
        .map(|n| {
            let client = HttpClient::of(&server.url());
            tokio::spawn(live(n, client, Arc::clone(&acknowledged), Arc::clone(&stop)))
        })
        .collect();
    for kill in 0..kills {
        // The kill follows after 0 to 30 more operations, at any moment of the next operation.
        let enough = acknowledged.operations.load(Ordering::Relaxed) + kill * 7919 % 31;
        while acknowledged.operations.load(Ordering::Relaxed) < enough {
            let refused = clients.iter().any(|client| client.is_finished());
            assert!(!refused, "a client was rejected; see above");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(u64::from(kill * 104_729 % 9001))).await;
        server.kill();
        server.start();
    }
    stop.store(true, Ordering::Relaxed);
    let mut current = Vec::new();
    for client in clients {
        current.push(client.await.unwrap());
    }
    let client = HttpClient::of(&server.url());
    for token in &current {
        let (status, body) = client.refresh(token).await.unwrap();
        assert_eq!(status, 200, "an acknowledged refresh is lost: {body}");
    }
    let logged_out = std::mem::take(&mut *acknowledged.logged_out.lock().unwrap());
    for token in &logged_out {
        let (status, body) = client.refresh(token).await.unwrap();
        assert_eq!(status, 401, "an acknowledged logout is lost: {body}");
    }
    server.kill();
    let ended = "SELECT count(*) FROM events WHERE kind IN ('refresh_reused', \
                    'refresh_diverged')";
    assert_eq!(home.count(ended).await, 0, "a valid client's session was ended");
    let successors = acknowledged.successors.lock().unwrap();
    let distinct: HashSet<_> = successors.values().collect();
    assert_eq!(distinct.len(), successors.len());
    println!(
        "{kills} kills during {} acknowledged logins, refreshes and logouts, of which {} \
         needed a retry",
        acknowledged.operations.load(Ordering::Relaxed),
        acknowledged.repeated.load(Ordering::Relaxed),
    );
}

/// Logs in, refreshes and logs out repeatedly, and returns the current token when `stop` is set.
/// Requests without a response are retried.
async fn live(
    n: u32,
    client: HttpClient,
    acknowledged: Arc<Acknowledged>,
    stop: Arc<AtomicBool>,
) -> String {
    loop {
        let login = insist(&acknowledged, || client.login()).await;
        let mut token = text(&login, "refresh_token");
        for _ in 0..20 + n {
            if stop.load(Ordering::Relaxed) {
                return token;
            }
            let answer = insist(&acknowledged, || client.refresh(&token)).await;
            let successor = text(&answer, "refresh_token");
            let mut successors = acknowledged.successors.lock().unwrap();
            let before = successors.insert(token, successor.clone());
            assert!(before.is_none_or(|before| before == successor), "two successors");
            token = successor;
        }
        let body = json!({ "refresh_token": token });
        insist(&acknowledged, || client.post("/v1/auth/logout", &body)).await;
        acknowledged.logged_out.lock().unwrap().push(token);
    }
}

async fn insist<F: Future<Output = Option<(u16, Value)>>>(
    acknowledged: &Acknowledged,
    ask: impl Fn() -> F,
) -> Value {
    let mut asked = 0;
    loop {
        asked += 1;
        match ask().await {
            // A 503, too, means that the client must retry.
            None | Some((503, _)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Some((200 | 204, body)) => {
                acknowledged.operations.fetch_add(1, Ordering::Relaxed);
                acknowledged.repeated.fetch_add(u32::from(asked > 1), Ordering::Relaxed);
                return body;
            }
            Some(other) => panic!("rejected after {asked} attempts: {other:?}"),
        }
    }
}

fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("no {field} in {body}")).to_owned()
}
