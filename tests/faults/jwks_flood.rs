//! A flood of tokens with random `kid`s reaches neither the issuer nor callers with valid tokens.
//! `cargo bench -p portcullis-benches --bench flood` is the long form.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::testing::TestKey;
use portcullis::{Algorithm, token::TokenError};
use portcullis_test_support::key_server::{Answer, Server};
use portcullis_test_support::service::{AT_ONCE, JWKS, ask, jwks, renewing_builder, token};
use serde_json::json;
use tokio::task::JoinSet;

const TOKENS: usize = 20_000;
const SENDERS: usize = 8;

/// The default cooldown.
const COOLDOWN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_random_kids_causes_only_a_burst_of_fetches_and_no_wait() {
    let server = Server::start();
    let key = TestKey::generate("a", Algorithm::Es256);
    server.set(JWKS, Answer::Document(jwks([&key])));
    let auth = renewing_builder(&server)
        .jwks_ttl(Duration::from_secs(300))
        .cooldown(COOLDOWN)
        .build()
        .await
        .unwrap();
    let good = token(&key);
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (auth, good) = (auth.clone(), good.clone());
        senders.spawn(async move {
            let (chance, tail) = (RandomState::new(), good.split_once('.').unwrap().1);
            let mut honest = Vec::new();
            for number in 0..TOKENS / SENDERS {
                let kid = format!("{:016x}", chance.hash_one(number));
                let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid}).to_string();
                let forged = format!("{}.{tail}", URL_SAFE_NO_PAD.encode(header));
                let asked = ask(&auth, &forged).await;
                // The token is rejected as unknown, or because no fetch is allowed now.
                let unknown = asked.error == Some(TokenError::UnknownKey);
                assert!(unknown || asked.status == 429, "{asked:?}");
                assert!(asked.retry_after <= Some(COOLDOWN), "{asked:?}");
                if number % 20 == 0 {
                    let asked = ask(&auth, &good).await;
                    assert_eq!(asked.status, 200, "{asked:?}");
                    assert!(asked.waited < AT_ONCE, "{asked:?}");
                    honest.push(asked.waited);
                }
                tokio::task::yield_now().await;
            }
            honest
        });
    }
    let mut honest = senders.join_all().await.concat();
    let took = begun.elapsed();
    honest.sort_unstable();
    let [p50, p99] = [50, 99].map(|percent| honest[honest.len() * percent / 100]);
    println!("{TOKENS} tokens in {took:?}; {} honest ones: p50 {p50:?}, p99 {p99:?}", honest.len());
    assert!(took < COOLDOWN, "the flood took {took:?}, which is too long to count its fetches");
    // The requests are the first fetch and the burst that the budget allows.
    let (requests, connections) = (server.requests(JWKS).len(), server.connections());
    assert_eq!((requests, connections, server.peak()), (4, 4, 1));
}
