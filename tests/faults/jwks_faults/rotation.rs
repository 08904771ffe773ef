//! Many requests at once, new keys, and keys that are withdrawn: fetches are counted, and bounds
//! are measured on the clock.

use std::time::{Duration, Instant};

use portcullis::testing::TestKey;
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder, status::Freshness, token::TokenError,
};
use portcullis_test_support::key_server::{Answer, Server};
use portcullis_test_support::service::{
    Asked, FETCH_TIMEOUT, JWKS, SLACK, TTL, ask, builder, jwks, renewing_builder, status, token,
    until_next_attempt,
};
use tokio::task::JoinSet;

/// From one request to the next, where requests go on.
const STEP: Duration = Duration::from_millis(10);

/// What a bound measured from outside may be missed by: one step, and a busy machine.
const CLOCK_SLACK: Duration = Duration::from_millis(200);

fn key(id: &str) -> TestKey {
    TestKey::generate(id, Algorithm::Es256)
}

async fn all_at_once(auth: &Authenticator, token: &str, number: usize) -> Vec<Asked> {
    let mut requests = JoinSet::new();
    for _ in 0..number {
        let (auth, token) = (auth.clone(), token.to_owned());
        requests.spawn(async move { ask(&auth, &token).await });
    }
    requests.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_without_keys_are_one_fetch() {
    let server = Server::start();
    let key = key("a");
    server.set(JWKS, Answer::Reset);
    let auth = builder(&server).start_without_keys().build().await.unwrap();
    let before = (server.requests(JWKS).len(), server.connections());
    assert_eq!(before, (1, 1));
    // Late, so that all are there before it comes.
    server.set(JWKS, Answer::Late(Duration::from_millis(200), jwks([&key])));
    until_next_attempt(&auth).await;
    for asked in all_at_once(&auth, &token(&key), 1000).await {
        assert_eq!(asked.status, 200, "{asked:?}");
    }
    assert_eq!((server.requests(JWKS).len(), server.connections(), server.peak()), (2, 2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_tokens_under_a_new_key_are_accepted_after_one_fetch() {
    let server = Server::start();
    let (old, new) = (key("a"), key("b"));
    server.set(JWKS, Answer::Document(jwks([&old])));
    let auth = builder(&server).jwks_ttl(Duration::from_secs(300)).build().await.unwrap();
    server.set(JWKS, Answer::Late(Duration::from_millis(100), jwks([&old, &new])));
    for asked in all_at_once(&auth, &token(&new), 1000).await {
        assert_eq!(asked.status, 200, "{asked:?}");
    }
    for key in [&old, &new] {
        assert_eq!(ask(&auth, &token(key)).await.status, 200);
    }
    assert_eq!((server.requests(JWKS).len(), server.peak()), (2, 1));
}

/// A key server that answers as late as it may. The key was withdrawn right after a fetch that
/// still brought it.
async fn withdrawn(background_refresh: bool) -> (Server, Authenticator, String, Instant) {
    let server = Server::start();
    let (kept, withdrawn) = (key("a"), key("b"));
    let late = |document| Answer::Late(FETCH_TIMEOUT * 3 / 4, document);
    server.set(JWKS, late(jwks([&kept, &withdrawn])));
    let building = renewed(renewing_builder(&server), background_refresh).build();
    let building = tokio::spawn(building);
    while server.requests(JWKS).is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let at = server.requests(JWKS)[0];
    server.set(JWKS, late(jwks([&kept])));
    let auth = building.await.unwrap().unwrap();
    let token = token(&withdrawn);
    assert_eq!(ask(&auth, &token).await.status, 200);
    (server, auth, token, at)
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_within_its_bound_while_requests_go_on() {
    for background_refresh in [true, false] {
        let (_server, auth, token, at) = withdrawn(background_refresh).await;
        let bound = status(&auth).withdrawal_bound;
        assert_eq!(bound, TTL + FETCH_TIMEOUT + Duration::from_millis(1100) + FETCH_TIMEOUT);
        let mut accepted_until = Duration::ZERO;
        let refused = loop {
            let begun = at.elapsed();
            let asked = ask(&auth, &token).await;
            if asked.status != 200 {
                break asked;
            }
            accepted_until = begun;
            assert!(at.elapsed() < bound + CLOCK_SLACK, "accepted after {:?}", at.elapsed());
            tokio::time::sleep(STEP).await;
        };
        println!(
            "accepted until {accepted_until:?}, refused after {:?}, in the background: \
             {background_refresh}",
            at.elapsed()
        );
        // The bound is of what is accepted; a refusal may still have waited for a fetch.
        assert!(accepted_until < bound, "accepted after {accepted_until:?}, bound {bound:?}");
        assert_eq!(refused.error, Some(TokenError::UnknownKey), "{refused:?}");
        assert!(at.elapsed() < bound + CLOCK_SLACK, "refused after {:?}", at.elapsed());
    }
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_within_its_bound_by_a_service_that_was_idle() {
    for background_refresh in [true, false] {
        let (server, auth, token, at) = withdrawn(background_refresh).await;
        let bound = status(&auth).withdrawal_bound;
        tokio::time::sleep((bound + CLOCK_SLACK).saturating_sub(at.elapsed())).await;
        // By itself it has fetched them, or has not.
        let fetches = server.requests(JWKS).len();
        assert_eq!(fetches >= 2, background_refresh, "{fetches} fetches");
        let keys = if background_refresh { 1 } else { 2 };
        assert_eq!(status(&auth).keys, keys);
        let asked = ask(&auth, &token).await;
        assert_eq!(asked.error, Some(TokenError::UnknownKey), "{asked:?}");
        assert!(asked.waited < FETCH_TIMEOUT + SLACK, "{asked:?}");
    }
}

#[tokio::test]
async fn known_keys_are_used_through_an_outage_up_to_the_bound_and_not_beyond() {
    let outages = [(Answer::Reset, true), (Answer::Reset, false), (Answer::Hang(Vec::new()), true)];
    let mut cases = JoinSet::new();
    for (outage, background_refresh) in outages {
        cases.spawn(outlive(outage, background_refresh));
    }
    println!("accepted until {:?}", cases.join_all().await);
}

/// When the key was accepted for the last time, from the fetch that brought it.
async fn outlive(outage: Answer, background_refresh: bool) -> Duration {
    let server = Server::start();
    let key = key("a");
    let token = token(&key);
    server.set(JWKS, Answer::Document(jwks([&key])));
    let auth = renewed(renewing_builder(&server), background_refresh)
        .max_stale(Duration::from_secs(2))
        .build()
        .await
        .unwrap();
    let at = server.requests(JWKS)[0];
    server.set(JWKS, outage);
    let bound = status(&auth).withdrawal_bound_in_outage;
    assert_eq!(bound, Duration::from_secs(3));
    let mut accepted = Duration::ZERO;
    let refused = loop {
        let begun = at.elapsed();
        let asked = ask(&auth, &token).await;
        assert!(asked.waited < FETCH_TIMEOUT + SLACK, "{asked:?}");
        if asked.status != 200 {
            break asked;
        }
        accepted = begun;
        assert!(accepted < bound, "accepted after {accepted:?}");
        tokio::time::sleep(STEP).await;
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    // Nobody is refused before the bound: but who waits for a fetch across it is told after it.
    assert!(accepted + FETCH_TIMEOUT + CLOCK_SLACK > bound, "accepted until {accepted:?}");
    assert_eq!(status(&auth).freshness, Freshness::Unavailable);
    assert!(!auth.ready());

    server.set(JWKS, Answer::Document(jwks([&key])));
    until_next_attempt(&auth).await;
    tokio::time::sleep(CLOCK_SLACK).await;
    assert_eq!(ask(&auth, &token).await.status, 200);
    accepted
}

/// With or without a task that renews the keys.
fn renewed(builder: AuthenticatorBuilder, in_background: bool) -> AuthenticatorBuilder {
    if in_background { builder } else { builder.without_background_refresh() }
}
