//! The delivery of logout tokens to clients while other clients are unreachable, slow or mistaken.

use std::time::{Duration, Instant};

use portcullis_issuer::{Event, Issuer};

use crate::common::{Home, call, login, on_every_store};
use crate::logouts::{Receiver, WAITING, add, recorded, sql, until_due, until_waiting};

on_every_store!(
    expired_logout_tokens_do_not_delay_the_others_or_fill_the_audit_log,
    process_without_routes_sends_logout_tokens,
    rejection_is_retried_until_the_client_can_have_the_signing_key,
    slow_clients_do_not_delay_the_others,
);

/// Creates a client with a receiver and a session. No process is left that could end the session.
async fn with_a_session(home: &Home) -> Receiver {
    let issuer = home.open_with_alice().await;
    let receiver = Receiver::start().await;
    add(&issuer, "web", &receiver).await;
    login(&issuer).await.expect(200);
    issuer.close().await;
    receiver
}

/// Adds messages for a client that are due in a day, and expire at `expires_at`.
async fn add_messages(home: &Home, client: &str, count: usize, expires_at: u64) {
    let (ended_at, next_at) = (home.now(), home.now() + 86_400);
    sql(
        home,
        &format!(
            "INSERT INTO logout_messages \
             (id, client_id, session_id, user_id, ended_at, next_at, expires_at) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             SELECT '{client}' || i, '{client}', 's' || i, 'u', {ended_at}, {next_at}, {expires_at} \
             FROM n"
        ),
    )
    .await;
}

async fn not_delivered(issuer: &Issuer) -> Vec<Event> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = issuer.events(after, 1000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.serial;
        all.extend(page);
    }
    all.retain(|event| event.kind == "logout_not_delivered");
    all
}

/// Returns the number of logout tokens that an event is about.
fn count_of(event: &Event) -> u64 {
    serde_json::to_value(event).unwrap()["count"].as_u64().unwrap_or(1)
}

async fn expired_logout_tokens_do_not_delay_the_others_or_fill_the_audit_log(home: Home) {
    const EXPIRED: usize = 60_000;
    let receiver = with_a_session(&home).await;
    for client in ["gone", "lost"] {
        add_messages(&home, client, EXPIRED, home.now() - 10_000).await;
    }
    let issuer = home.open().await;
    issuer.end_all_sessions().await.unwrap();
    // Starts the delivery.
    call(&issuer, "GET /healthz", &[]).await.expect(200);
    receiver.wait_for(1).await;
    let left = home.count(WAITING).await;
    assert!(left > 0, "the token is sent after all expired ones were dropped");
    until_waiting(&home, 0).await;
    let events = not_delivered(&issuer).await;
    assert!(events.len() <= 100, "{} events", events.len());
    for client in ["gone", "lost"] {
        let of_client = events.iter().filter(|event| event.client_id.as_deref() == Some(client));
        let count: u64 = of_client.map(count_of).sum();
        assert_eq!(count, EXPIRED as u64, "{client}");
    }
}

async fn process_without_routes_sends_logout_tokens(home: Home) {
    let receiver = with_a_session(&home).await;
    let issuer = home.open().await;
    assert_eq!(issuer.end_all_sessions().await.unwrap(), 1);
    receiver.wait_for(1).await;
}

async fn rejection_is_retried_until_the_client_can_have_the_signing_key(home: Home) {
    let issuer = home.open_with_alice().await;
    let receiver = Receiver::start().await;
    add(&issuer, "web", &receiver).await;
    // The key set may be cached for 300 s, and clocks may differ by 60 s.
    home.advance(361);
    for knows_it in [true, false] {
        let before = receiver.all().len();
        issuer.rotate_keys_now().await.unwrap();
        receiver.answers(400);
        login(&issuer).await.expect(200);
        issuer.end_all_sessions().await.unwrap();
        receiver.wait_for(before + 1).await;
        until_due(&home, 1).await;
        if knows_it {
            receiver.answers(200);
            home.advance(1);
            receiver.wait_for(before + 2).await;
            until_waiting(&home, 0).await;
            assert!(!recorded(&issuer).await);
        } else {
            home.advance(359);
            receiver.wait_for(before + 2).await;
            until_due(&home, 2).await;
            home.advance(2);
            receiver.wait_for(before + 3).await;
            until_waiting(&home, 0).await;
            assert!(recorded(&issuer).await, "the client has the key, so its answer is final");
        }
    }
}

async fn slow_clients_do_not_delay_the_others(home: Home) {
    const MESSAGES: usize = 12;
    let issuer = home.open_with_alice().await;
    let slow = Receiver::start_slow(Duration::from_millis(4500)).await;
    for id in ["slow-1", "slow-2", "slow-3", "slow-4", "slow-5", "slow-6"] {
        add(&issuer, id, &slow).await;
    }
    let quick = Receiver::start().await;
    add(&issuer, "quick", &quick).await;
    for _ in 0..MESSAGES {
        login(&issuer).await.expect(200);
    }
    let ended = Instant::now();
    issuer.end_all_sessions().await.unwrap();
    quick.wait_for(MESSAGES).await;
    assert!(ended.elapsed() < Duration::from_secs(3), "{:?}", ended.elapsed());
}
