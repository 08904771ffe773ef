//! Concurrent requests, new keys and withdrawn keys: counts the fetches, and measures the bounds in
//! real time.

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

/// The interval between two requests.
const STEP: Duration = Duration::from_millis(10);

/// The tolerance of a bound that is measured from outside: one interval, and the delay of a busy
/// machine.
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
async fn thousand_requests_without_keys_share_one_fetch() {
    let server = Server::start();
    let key = key("a");
    server.set(JWKS, Answer::Reset);
    let auth = builder(&server).start_without_keys().build().await.unwrap();
    let before = (server.requests(JWKS).len(), server.connections());
    assert_eq!(before, (1, 1));
    // The server responds late, so that all requests arrive before its response.
    server.set(JWKS, Answer::Late(Duration::from_millis(200), jwks([&key])));
    until_next_attempt(&auth).await;
    for asked in all_at_once(&auth, &token(&key), 1000).await {
        assert_eq!(asked.status, 200, "{asked:?}");
    }
    assert_eq!((server.requests(JWKS).len(), server.connections(), server.peak()), (2, 2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_tokens_of_a_new_key_are_accepted_after_one_fetch() {
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

/// Starts a service whose key server responds as late as it may. The key is withdrawn right after a
/// fetch that still returned it.
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
async fn withdrawn_key_is_rejected_within_its_bound_during_requests() {
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
        // The bound applies to accepted requests; a refusal may have waited for a fetch.
        assert!(accepted_until < bound, "accepted after {accepted_until:?}, bound {bound:?}");
        assert_eq!(refused.error, Some(TokenError::UnknownKey), "{refused:?}");
        assert!(at.elapsed() < bound + CLOCK_SLACK, "refused after {:?}", at.elapsed());
    }
}

#[tokio::test]
async fn withdrawn_key_is_rejected_within_its_bound_by_an_idle_service() {
    for background_refresh in [true, false] {
        let (server, auth, token, at) = withdrawn(background_refresh).await;
        let bound = status(&auth).withdrawal_bound;
        tokio::time::sleep((bound + CLOCK_SLACK).saturating_sub(at.elapsed())).await;
        // The service has fetched the new set by itself only if it has background refresh.
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
async fn known_keys_are_used_in_an_outage_only_up_to_the_bound() {
    let outages = [(Answer::Reset, true), (Answer::Reset, false), (Answer::Hang(Vec::new()), true)];
    let mut cases = JoinSet::new();
    for (outage, background_refresh) in outages {
        cases.spawn(outlive(outage, background_refresh));
    }
    println!("accepted until {:?}", cases.join_all().await);
}

/// Returns the time for which the key was accepted after the fetch that returned it.
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
    // No request is rejected before the bound, but a request that is waiting for a fetch when the
    // bound passes gets its response after the bound.
    assert!(accepted + FETCH_TIMEOUT + CLOCK_SLACK > bound, "accepted until {accepted:?}");
    assert_eq!(status(&auth).freshness, Freshness::Unavailable);
    assert!(!auth.ready());

    server.set(JWKS, Answer::Document(jwks([&key])));
    until_next_attempt(&auth).await;
    tokio::time::sleep(CLOCK_SLACK).await;
    assert_eq!(ask(&auth, &token).await.status, 200);
    accepted
}

/// Returns the builder with or without background refresh.
fn renewed(builder: AuthenticatorBuilder, in_background: bool) -> AuthenticatorBuilder {
    if in_background { builder } else { builder.without_background_refresh() }
}
