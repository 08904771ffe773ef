//! Messages to users: which users get none, and how many deliveries run at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::extract::ConnectInfo;
use axum::http::Request;
use portcullis_issuer::{Delivery, Issuer, Message, NewUser, Notifier};
use serde_json::json;
use tokio::time::sleep;

use crate::common::{Home, PASSWORD, execute, on_every_store, post, send, stranger};

on_every_store!(
    reset_of_an_unverified_or_invited_user_sends_no_message,
    guessed_tokens_are_limited_per_address,
);

const RESET: &str = "/v1/auth/password-reset";

/// A notifier whose deliveries never end. It counts the deliveries that have begun.
#[derive(Debug, Clone, Default)]
struct Stuck(Arc<AtomicUsize>);

impl Notifier for Stuck {
    fn deliver(&self, _: Message) -> Delivery<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::pending())
    }
}

impl Stuck {
    /// Waits for the number of deliveries, which must not grow further.
    async fn has_begun(&self, number: usize) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.0.load(Ordering::Relaxed) < number {
            assert!(Instant::now() < deadline, "{} of {number}", self.0.load(Ordering::Relaxed));
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(100)).await;
        assert_eq!(self.0.load(Ordering::Relaxed), number);
    }
}

async fn with_stuck(home: &Home) -> (Issuer, Stuck) {
    drop(home.open_with_alice().await);
    let stuck = Stuck::default();
    let mut config = home.config();
    config.notifier = Some(Arc::new(stuck.clone()));
    config.attempts_per_account = 0;
    let issuer = Issuer::open(config).await.unwrap();
    issuer.set_address("alice", "alice@example.com").await.unwrap();
    (issuer, stuck)
}

async fn reset_of_an_unverified_or_invited_user_sends_no_message(home: Home) {
    const UNPROVEN: &str = "UPDATE users SET address_verified_at = NULL";
    const INVITED: &str = "UPDATE users SET address_verified_at = 1, awaits = 'invitation'";
    const NEITHER: &str = "UPDATE users SET address_verified_at = 1, awaits = NULL";
    let (issuer, stuck) = with_stuck(&home).await;
    for (change, messages) in [(UNPROVEN, 0), (INVITED, 0), (NEITHER, 1)] {
        match home.postgres() {
            Some(_) => home.on_server(&[change]).await,
            None => execute(&mut stranger(&home).await, change).await,
        }
        post(&issuer, RESET, &json!({ "username": "alice" })).await.expect(202);
        stuck.has_begun(messages).await;
    }
}

async fn guessed_tokens_are_limited_per_address(home: Home) {
    drop(home.open_with_alice().await);
    let mut config = home.config();
    config.notifier = Some(Arc::new(Stuck::default()));
    config.attempts_per_address = 2;
    let issuer = Issuer::open(config).await.unwrap();
    let password = "of clouds and 7 anvils";
    for (at, (path, field)) in
        [("set-password", "new_password"), ("verify-address", "password")].into_iter().enumerate()
    {
        for expected in [403, 403, 429] {
            let address: std::net::SocketAddr = format!("192.0.2.{at}:1").parse().unwrap();
            let request = Request::post(format!("/v1/auth/{path}"))
                .extension(ConnectInfo(address))
                .header("content-type", "application/json")
                .body(json!({ "token": "guess", field: password }).to_string().into());
            send(&issuer, request.unwrap()).await.expect(expected);
        }
    }
}

#[tokio::test]
async fn concurrent_deliveries_are_limited_and_time_out_after_ten_seconds() {
    let home = Home::new();
    let (issuer, stuck) = with_stuck(&home).await;
    // Each user gets at most three messages at once.
    let names: Vec<_> = (0..23).map(|number| format!("user{number}")).collect();
    for name in &names {
        issuer.add_user(NewUser::new(name, PASSWORD)).await.unwrap();
        issuer.set_address(name, &format!("{name}@example.com")).await.unwrap();
    }
    let mut recipients = names.iter().cycle();
    let mut ask = async |times: usize| {
        for name in recipients.by_ref().take(times) {
            post(&issuer, RESET, &json!({ "username": name })).await.expect(202);
        }
    };
    ask(64).await;
    stuck.has_begun(64).await;
    ask(3).await;
    stuck.has_begun(64).await;
    tokio::time::pause();
    sleep(Duration::from_secs(11)).await;
    tokio::time::resume();
    ask(1).await;
    stuck.has_begun(65).await;
}
