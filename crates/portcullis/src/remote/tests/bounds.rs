//! Tests of bounds. The bounds depend only on complete responses and on the clocks of this service,
//! and every wait ends.

use std::task::{Context, Poll, Waker};

use super::*;

fn published(ids: &[&str]) -> Answer {
    let keys: Vec<_> = ids.iter().map(|id| TestKey::generate(id, Algorithm::Es256)).collect();
    Answer::ok(TestKey::jwks(&keys))
}

#[tokio::test]
async fn key_sets_are_never_fetched_conditionally() {
    let world = World::publishing(&["a"]);
    let tagged = |ids: &[&str]| {
        let modified = "Fri, 15 Jan 2027 07:00:00 GMT";
        published(ids).with("etag", "\"1\"").with("last-modified", modified)
    };
    world.fetch.set(JWKS, tagged(&["a"]));
    assert_eq!(world.ask("a").await, "key");
    // The server keeps its validators through a rotation.
    world.fetch.set(JWKS, tagged(&["b"]));
    world.advance(300);
    assert_eq!(world.ask("a").await, "unknown");
    assert_eq!(world.ask("b").await, "key");
    for request in world.fetch.requests() {
        assert!(!request.headers.contains_key("if-none-match"), "{request:?}");
        assert!(!request.headers.contains_key("if-modified-since"), "{request:?}");
    }
}

#[tokio::test]
async fn not_modified_is_a_failed_fetch() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    for etag in ["\"1\"", "\"2\""] {
        world.fetch.set(JWKS, Answer::status(304, "").with("etag", etag));
        world.advance(2000);
        let _ = world.ask("a").await;
        let status = world.keys.0.status();
        assert!(status.last_error.unwrap().to_string().contains("304"));
    }
    assert!(world.ask("a").await.starts_with("503"), "4,000 s without a complete read");
}

#[tokio::test]
async fn unchanged_key_set_keeps_its_generation() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    let generation = || world.keys.0.snapshot.load().as_ref().unwrap().generation;
    for _ in 0..3 {
        world.advance(300);
        assert_eq!(world.ask("a").await, "key");
        assert_eq!(generation(), 0);
    }
    world.publish(&["a"]);
    world.advance(300);
    assert_eq!(world.ask("a").await, "key");
    assert_eq!(generation(), 1, "another key under the same `kid`");
}

#[tokio::test]
async fn suspended_machine_does_not_stop_the_age_of_keys() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    world.publish(&["b"]);
    world.clock.suspend(Duration::from_secs(36_000));
    assert_eq!(world.keys.0.status().freshness, crate::key_source::Freshness::Unavailable);
    assert_eq!(world.ask("a").await, "unknown");
    assert_eq!(world.ask("b").await, "key");
    // While the issuer is unreachable, a suspended machine's keys expire, too.
    world.fetch.set(JWKS, Answer::Fails);
    world.clock.suspend(Duration::from_secs(36_000));
    assert!(world.ask("b").await.starts_with("503"));
}

fn poll(key: &mut Pending<Result<CandidateKeys, ResolveError>>) -> bool {
    matches!(key.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(_))
}

/// Sends a request with each of these `kid`s. Returns the pending requests and the results of the
/// others.
fn flood(
    world: &World,
    ids: impl Iterator<Item = String>,
) -> (Vec<Pending<Result<CandidateKeys, ResolveError>>>, Vec<String>) {
    let (mut waiting, mut answered) = (Vec::new(), Vec::new());
    for id in ids {
        match world.resolve(&id) {
            MaybeReady::Pending(mut key) => {
                assert!(!poll(&mut key));
                waiting.push(key);
            }
            MaybeReady::Ready(Ok(_)) => answered.push("key".to_owned()),
            MaybeReady::Ready(Err(ResolveError::BudgetSpent { retry_after, .. })) => {
                answered.push(format!("429 after {} s", retry_after.as_secs()));
            }
            MaybeReady::Ready(Err(error)) => panic!("{error:?}"),
        }
    }
    (waiting, answered)
}

#[tokio::test]
async fn only_1024_requests_wait_while_an_issuer_hangs() {
    for (ids, beyond) in [("known", "key"), ("forged", "429 after 1 s")] {
        let world = World::publishing(&["known"]);
        assert_eq!(world.ask("known").await, "key");
        world.fetch.set(JWKS, Answer::Hangs);
        world.advance(300);
        let (waiting, answered) = flood(&world, (0..20_000).map(|_| ids.to_owned()));
        assert_eq!(waiting.len(), MAX_WAITERS);
        assert!(answered.iter().all(|answer| answer == beyond), "{ids}");
        assert_eq!(answered.len(), 20_000 - MAX_WAITERS);
        // A request that ends releases its place.
        drop(waiting);
        assert!(matches!(world.resolve(ids), MaybeReady::Pending(_)));
    }
}

#[tokio::test]
async fn without_any_keys_too_many_requests_are_429() {
    let world = World::publishing(&["a"]);
    world.fetch.set(JWKS, Answer::Hangs);
    let (waiting, answered) = flood(&world, (0..2000).map(|_| "a".to_owned()));
    assert_eq!(waiting.len(), MAX_WAITERS);
    assert!(answered.iter().all(|answer| answer == "429 after 1 s"));
}

#[tokio::test]
async fn fresh_known_keys_are_used_while_requests_wait() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    world.fetch.set(JWKS, Answer::Hangs);
    let (waiting, answered) = flood(&world, (0..2000).map(|number| format!("junk{number}")));
    assert_eq!((waiting.len(), answered.len()), (MAX_WAITERS, 2000 - MAX_WAITERS));
    assert!(matches!(world.resolve("a"), MaybeReady::Ready(Ok(_))));
}

/// An issuer whose responses take longer than their lifetime.
#[derive(Debug, Clone)]
struct Slow(ScriptedFetch, ManualClock, Duration);

impl Fetch for Slow {
    fn get(&self, request: crate::fetch::FetchRequest) -> crate::fetch::Fetching<'_> {
        Box::pin(async move {
            let answer = self.0.get(request).await;
            self.1.advance(self.2);
            answer
        })
    }
}

#[tokio::test]
async fn keys_that_expire_during_the_fetch_still_serve_the_waiting_request() {
    let (script, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    script.set(JWKS, published(&["a"]).with("cache-control", "no-store"));
    let limits = Limits { min_ttl: Duration::from_secs(1), obey_no_cache: true, ..LIMITS };
    let fetch = Slow(script.clone(), clock.clone(), Duration::from_millis(1200));
    let keys = RemoteKeySet::new(config(limits, fetch, clock));
    for (id, found) in [("a", true), ("b", false)] {
        let wanted = KeyRequest::new(Some(id), Algorithm::Es256);
        let MaybeReady::Pending(key) = keys.resolve(&wanted) else { panic!("kept too long") };
        let begun = script.requests().len();
        assert_eq!(key.await.is_ok(), found, "{id}");
        assert_eq!(script.requests().len(), begun + 1, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn wait_has_one_deadline_across_joined_fetches() {
    let world = World::publishing(&["a"]);
    world.fetch.set(JWKS, Answer::Hangs);
    let MaybeReady::Pending(mut first) = world.resolve("a") else { panic!("not fetched") };
    assert!(!poll(&mut first));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let begun = tokio::time::Instant::now();
    assert!(world.ask("a").await.starts_with("503"));
    assert!(begun.elapsed() <= Duration::from_millis(5250), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn stale_keys_are_used_at_once_while_a_hanging_issuer_is_retried() {
    let (keys, fetch) = timeless(Duration::ZERO);
    keys.refresh().await.unwrap();
    tokio::time::sleep(Duration::from_secs(300)).await;
    fetch.set(JWKS, Answer::Hangs);
    let wanted = KeyRequest::new(Some("a"), Algorithm::Es256);
    let MaybeReady::Pending(first) = keys.resolve(&wanted) else { panic!("used past the TTL") };
    first.await.unwrap();
    // After that failure no request waits.
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(matches!(keys.resolve(&wanted), MaybeReady::Ready(Ok(_))));
    }
    assert!((10..40).contains(&fetch.requests().len()), "{}", fetch.requests().len());
}

#[tokio::test]
async fn retry_after_does_not_extend_the_withdrawal_bound() {
    let world = World::publishing(&["a", "b"]);
    assert_eq!(world.ask("a").await, "key");
    world.fetch.set(JWKS, Answer::status(503, "").with("retry-after", "300"));
    world.advance(299);
    world.keys.refresh().await.unwrap_err();
    // The issuer recovers immediately, without the key.
    world.publish(&["b"]);
    let bound = world.keys.0.status().withdrawal_bound.as_secs();
    let mut accepted_until = 299;
    for second in 300..700 {
        world.advance(1);
        if world.ask("a").await == "key" {
            accepted_until = second;
        }
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
    assert!(accepted_until < bound, "accepted until {accepted_until} s of {bound} s");
}
