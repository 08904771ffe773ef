//! Tests of a remote key set against a scripted issuer, with a manual clock.

use ::url::Url;
use serde_json::json;

use super::single_flight::MAX_WAITERS;
use super::*;
use crate::algorithm::Algorithm;
use crate::crypto::{Algorithms, Provider};
use crate::error::TokenError;
use crate::fetch::Fetch;
use crate::key::{CandidateKeys, KeyRequest};
use crate::key_source::{KeySource, ResolveError};
use crate::maybe_ready::{MaybeReady, Pending};
use crate::testing::{Answer, JWKS, ManualClock, NOW, ScriptedFetch, TestKey, TokioClock};

const MAX_BODY: usize = 512 * 1024;
pub(super) const LIMITS: Limits = Limits {
    ttl: Duration::from_secs(300),
    min_ttl: Duration::from_secs(10),
    refresh_ahead: Duration::ZERO,
    obey_no_cache: false,
    max_stale: Duration::from_secs(3600),
    cooldown: Duration::from_secs(30),
    fetch_timeout: Duration::from_secs(5),
};

mod bounds;
mod discovery;
mod documents;
mod flights;
mod unknown_keys;

fn allowed(algorithms: &[Algorithm]) -> Algorithms {
    Algorithms::new(Provider::built_in().unwrap(), Some(algorithms)).unwrap()
}

pub(super) fn config(limits: Limits, fetch: impl Fetch, clock: impl Clock) -> Config {
    Config {
        location: Location::Fixed(Url::parse(JWKS).unwrap()),
        allowed: allowed(Algorithm::ALL),
        limits,
        max_keys: 20,
        client: Client {
            fetch: Arc::new(fetch),
            max_body: MAX_BODY,
            max_body_setting: None,
            urls: crate::fetch::url::UrlPolicy::default(),
            credential: None,
        },
        clock: Arc::new(clock),
        budget: Budget::default(),
        keeper: None,
    }
}

struct World {
    keys: RemoteKeySet,
    fetch: ScriptedFetch,
    clock: ManualClock,
}

impl World {
    fn new(location: Location) -> Self {
        let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
        let config = Config { location, ..config(LIMITS, fetch.clone(), clock.clone()) };
        let keys = RemoteKeySet::new(config);
        Self { keys, fetch, clock }
    }

    /// Replaces the key set with one that has other limits.
    fn limit(&mut self, limits: Limits) {
        self.keys = RemoteKeySet::new(config(limits, self.fetch.clone(), self.clock.clone()));
    }

    /// Creates an issuer that publishes keys with these ids.
    fn publishing(ids: &[&str]) -> Self {
        let world = Self::new(Location::Fixed(Url::parse(JWKS).unwrap()));
        world.publish(ids);
        world
    }

    fn publish(&self, ids: &[&str]) {
        let keys: Vec<_> = ids.iter().map(|id| TestKey::generate(id, Algorithm::Es256)).collect();
        self.fetch.set(JWKS, Answer::ok(TestKey::jwks(&keys)));
    }

    fn resolve(&self, id: &str) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
        self.keys.resolve(&KeyRequest { key_id: Some(id), algorithm: Algorithm::Es256 })
    }

    /// Returns the result for a token with this `kid`: `key`, `unknown`, or `429` or `503 after n
    /// s`.
    async fn ask(&self, id: &str) -> String {
        let answer = match self.resolve(id) {
            MaybeReady::Ready(answer) => answer,
            MaybeReady::Pending(answer) => answer.await,
        };
        match answer {
            Ok(_) => "key".to_owned(),
            Err(ResolveError::Refused(TokenError::UnknownKey)) => "unknown".to_owned(),
            Err(ResolveError::Refused(error)) => error.rule().to_owned(),
            Err(ResolveError::Unavailable { retry_after, .. }) => {
                format!("503 after {} s", retry_after.as_secs())
            }
            Err(ResolveError::BudgetSpent { retry_after, .. }) => {
                format!("429 after {} s", retry_after.as_secs())
            }
        }
    }

    fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    fn fetches(&self) -> usize {
        self.fetch.requests().len()
    }
}

#[tokio::test]
async fn keys_are_fetched_once_per_ttl() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    world.advance(299);
    assert!(matches!(world.resolve("a"), MaybeReady::Ready(Ok(_))), "a fresh key is in memory");
    assert_eq!(world.fetches(), 1);
    world.advance(1);
    assert_eq!(world.ask("a").await, "key");
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn concurrent_requests_share_one_fetch() {
    let world = World::publishing(&["a"]);
    let waiting: Vec<_> = (0..1000)
        .map(|_| match world.resolve("a") {
            MaybeReady::Pending(key) => tokio::spawn(key),
            MaybeReady::Ready(_) => panic!("nothing has been fetched yet"),
        })
        .collect();
    for key in waiting {
        assert!(key.await.unwrap().is_ok());
    }
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn client_disconnect_does_not_cancel_the_fetch() {
    let world = World::publishing(&["a"]);
    drop(world.resolve("a"));
    let MaybeReady::Pending(mut key) = world.resolve("a") else { panic!("already fetched") };
    assert!(futures_poll_once(&mut key).await.is_none());
    drop(key);
    assert_eq!(world.ask("a").await, "key");
    assert_eq!(world.fetches(), 1);
}

/// Polls once, like a request that is then dropped.
async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        let polled = std::pin::Pin::new(&mut *future).poll(context);
        std::task::Poll::Ready(match polled {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn first_token_of_a_new_key_triggers_a_fetch() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    world.publish(&["a", "b"]);
    world.advance(5);
    assert_eq!(world.ask("b").await, "key");
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn known_kid_with_another_algorithm_triggers_no_fetch() {
    let world = World::publishing(&["a"]);
    let wanted = KeyRequest::new(Some("a"), Algorithm::Rs256);
    let rule = |resolution| match resolution {
        Err(ResolveError::Refused(error)) => TokenError::rule(&error),
        Err(ResolveError::Unavailable { .. }) => "503",
        Err(ResolveError::BudgetSpent { .. }) => "429",
        Ok(_) => "key",
    };
    let MaybeReady::Pending(answer) = world.keys.resolve(&wanted) else { panic!("not fetched") };
    assert_eq!(rule(answer.await), "alg_of_key");
    let MaybeReady::Ready(answer) = world.keys.resolve(&wanted) else { panic!("a fetch") };
    assert_eq!(rule(answer), "alg_of_key");
    assert_eq!(world.fetches(), 1);
    // Past the bound, the result is unknown.
    world.fetch.set(JWKS, Answer::Fails);
    world.advance(3900);
    let MaybeReady::Pending(answer) = world.keys.resolve(&wanted) else { panic!("used") };
    assert_eq!(rule(answer.await), "503");
}

#[tokio::test]
async fn fetch_request_has_body_limit_and_no_cache() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    let request = world.fetch.requests().remove(0);
    assert_eq!(request.max_body, MAX_BODY);
    assert_eq!(request.headers["cache-control"], "no-cache");
}

#[tokio::test]
async fn fetched_rsa_key_is_pinned_to_a_configured_algorithm() {
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(1));
    let mut jwk = TestKey::generate("a", Algorithm::Rs256).jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    fetch.set(JWKS, Answer::ok(json!({"keys": [jwk]})));
    let allowed = allowed(&[Algorithm::Ps256]);
    let keys = RemoteKeySet::new(Config { allowed, ..config(LIMITS, fetch, clock) });
    let wanted = KeyRequest::new(Some("a"), Algorithm::Ps256);
    let MaybeReady::Pending(key) = keys.resolve(&wanted) else { panic!("not fetched") };
    assert_eq!(
        key.await.unwrap().iter().next().unwrap().algorithms().next(),
        Some(Algorithm::Ps256)
    );
}

#[tokio::test]
async fn withdrawn_key_is_rejected_after_the_ttl() {
    let world = World::publishing(&["a", "b"]);
    assert_eq!(world.ask("a").await, "key");
    world.publish(&["b"]);
    world.advance(299);
    assert_eq!(world.ask("a").await, "key");
    world.advance(1);
    assert_eq!(world.ask("a").await, "unknown");
    // An empty set withdraws all keys.
    world.publish(&[]);
    world.advance(300);
    assert_eq!(world.ask("b").await, "unknown");
}

#[tokio::test]
async fn stale_keys_are_used_in_an_outage_up_to_max_stale() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    world.fetch.set(JWKS, Answer::Fails);
    for _ in 0..389 {
        world.advance(10);
        assert_eq!(world.ask("a").await, "key");
        // The fetch is retried in the background.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    world.advance(9);
    assert_eq!(world.ask("a").await, "key");
    world.advance(1);
    let answer = world.ask("a").await;
    assert!(answer.starts_with("503 after"), "{answer}");
    // Attempts back off: there are far fewer than requests.
    assert!(world.fetches() < 130, "{} fetches", world.fetches());
    // One back-off step after the issuer recovers, keys are available again.
    world.publish(&["a"]);
    world.advance(33);
    assert_eq!(world.ask("a").await, "key");
}

#[tokio::test]
async fn bad_response_does_not_replace_the_current_keys() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    for answer in [
        Answer::status(500, "{}"),
        Answer::status(404, TestKey::jwks([])),
        Answer::status(302, "{\"keys\":[]}").with("location", "https://evil.example/keys"),
        Answer::status(206, "{\"keys\":[]}"),
        // A 304 response to a request that was not conditional.
        Answer::status(304, ""),
        Answer::ok("<html>we are down</html>"),
        Answer::ok("{\"keys\":null}"),
        Answer::ok("{\"keys\":["),
        Answer::ok(""),
        Answer::ok(format!("{{\"keys\":[]}}{}", " ".repeat(MAX_BODY))),
        Answer::ok(format!("{{\"keys\":[{}]}}", vec!["{}"; 21].join(","))),
        Answer::Fails,
    ] {
        world.fetch.set(JWKS, answer.clone());
        world.advance(34);
        let before = world.fetches();
        // The remaining set is usable, so the token may be at fault.
        assert_eq!(world.ask("new").await.split(' ').next(), Some("429"), "{answer:?}");
        assert_eq!(world.fetches(), before + 1, "{answer:?}");
        assert_eq!(world.ask("a").await, "key", "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn unresponsive_issuer_costs_one_deadline() {
    let world = World::publishing(&["a"]);
    world.fetch.set(JWKS, Answer::Hangs);
    let begun = tokio::time::Instant::now();
    assert!(world.ask("a").await.starts_with("503"));
    assert!(begun.elapsed() <= Duration::from_millis(5300), "{:?}", begun.elapsed());
    let error = world.keys.0.status().last_error.unwrap();
    assert!(matches!(error, FetchError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn server_headers_shorten_the_ttl() {
    let world = World::publishing(&["a"]);
    let keys = TestKey::jwks(&[TestKey::generate("a", Algorithm::Es256)]);
    world.fetch.set(JWKS, Answer::ok(&keys).with("cache-control", "max-age=60"));
    assert_eq!(world.ask("a").await, "key");
    world.advance(59);
    assert_eq!(world.ask("a").await, "key");
    assert_eq!(world.fetches(), 1);
    world.advance(1);
    assert_eq!(world.ask("a").await, "key");
    assert_eq!(world.fetches(), 2);
    // An error does not set the lifetime of keys.
    world.fetch.set(JWKS, Answer::status(500, "").with("cache-control", "max-age=86400"));
    world.advance(60);
    assert_eq!(world.ask("a").await, "key");
    world.advance(2);
    assert_eq!(world.ask("a").await, "key");
    tokio::task::yield_now().await;
    assert_eq!(world.fetches(), 4);
}

/// The default headers of Keycloak, Spring, Hydra and Dex.
const DEFAULT_HEADERS: [&str; 4] = [
    "no-cache",
    "no-cache, no-store, max-age=0, must-revalidate",
    "private, no-cache, no-store, must-revalidate",
    "max-age=600, must-revalidate",
];

/// The operator's TTL and `max_stale` apply.
#[tokio::test]
async fn ttl_and_max_stale_hold_despite_no_cache_headers() {
    for control in DEFAULT_HEADERS {
        let world = World::publishing(&["a"]);
        let keys = TestKey::jwks(&[TestKey::generate("a", Algorithm::Es256)]);
        let answer = Answer::ok(&keys).with("cache-control", control).with("pragma", "no-cache");
        world.fetch.set(JWKS, answer.with("expires", "0"));
        assert_eq!(world.ask("a").await, "key");
        world.advance(299);
        assert_eq!(world.ask("a").await, "key");
        assert_eq!(world.fetches(), 1, "{control}");
        world.advance(1);
        assert_eq!(world.ask("a").await, "key");
        assert_eq!(world.fetches(), 2, "{control}");
        // An outage takes effect exactly at the end of the TTL plus `max_stale`.
        world.fetch.set(JWKS, Answer::Fails);
        for _ in 0..389 {
            world.advance(10);
            assert_eq!(world.ask("a").await, "key", "{control}");
        }
        world.advance(10);
        let answer = world.ask("a").await;
        assert!(answer.starts_with("503"), "{control}: {answer}");
    }
}

#[tokio::test]
async fn obeyed_must_revalidate_forbids_stale_keys() {
    for control in ["max-age=60, must-revalidate", "max-age=60", DEFAULT_HEADERS[0]] {
        let mut world = World::publishing(&["a"]);
        world.limit(Limits { obey_no_cache: true, ..LIMITS });
        let keys = TestKey::jwks(&[TestKey::generate("a", Algorithm::Es256)]);
        world.fetch.set(JWKS, Answer::ok(&keys).with("cache-control", control));
        assert_eq!(world.ask("a").await, "key");
        world.fetch.set(JWKS, Answer::Fails);
        let ttl = if control == "no-cache" { 10 } else { 60 };
        world.advance(ttl - 1);
        assert_eq!(world.ask("a").await, "key");
        world.advance(1);
        let forbids_stale = control != "max-age=60";
        let expected = if forbids_stale { "503 after 1 s" } else { "key" };
        assert_eq!(world.ask("a").await, expected, "{control}");
        use crate::key_source::Freshness;
        let expected = if forbids_stale { Freshness::Unavailable } else { Freshness::Stale };
        assert_eq!(world.keys.0.status().freshness, expected, "{control}");
    }
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    world.fetch.set(JWKS, Answer::status(429, "").with("retry-after", "60"));
    world.advance(200);
    world.keys.refresh().await.unwrap_err();
    // `Retry-After` is obeyed while the set is fresh and while it is ageing.
    world.advance(59);
    assert_eq!(world.ask("a").await, "key");
    assert_eq!(world.fetches(), 2);
    assert!(world.keys.0.status().next_attempt.unwrap() <= Duration::from_secs(7));
}

#[tokio::test]
async fn key_set_is_refreshed_in_the_background_during_requests() {
    let mut world = World::publishing(&["a"]);
    world.limit(Limits { refresh_ahead: Duration::from_secs(30), ..LIMITS });
    assert_eq!(world.ask("a").await, "key");
    world.publish(&["b"]);
    world.advance(299);
    assert_eq!(world.keys.0.status().freshness, crate::key_source::Freshness::Ageing);
    for _ in 0..100 {
        assert!(matches!(world.resolve("a"), MaybeReady::Ready(Ok(_))), "no request waits");
    }
    while world.keys.0.status().freshness != crate::key_source::Freshness::Fresh {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.fetches(), 2);
    assert_eq!(world.ask("b").await, "key");
}

/// An issuer and keys on tokio's paused clock, so that hours pass instantly.
fn timeless(refresh_ahead: Duration) -> (RemoteKeySet, ScriptedFetch) {
    let fetch = ScriptedFetch::default();
    fetch.set(JWKS, Answer::ok(TestKey::jwks(&[TestKey::generate("a", Algorithm::Es256)])));
    let limits = Limits { refresh_ahead, ..LIMITS };
    let clock = TokioClock::at(NOW);
    let keys = RemoteKeySet::new(config(limits, fetch.clone(), clock));
    (keys, fetch)
}

#[tokio::test(start_paused = true)]
async fn idle_service_refreshes_keys_until_the_last_handle_is_dropped() {
    let (keys, fetch) = timeless(Duration::from_secs(30));
    keys.refresh().await.unwrap();
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_secs(6)).await;
        let status = keys.0.status();
        assert_ne!(status.freshness, crate::key_source::Freshness::Stale, "{status:?}");
    }
    // Each refresh is 240 to 270 s after the previous one.
    let renewals = fetch.requests().len();
    assert!((13..=16).contains(&renewals), "{renewals} fetches in an hour");

    drop(keys);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(fetch.requests().len(), renewals);
}

#[tokio::test(start_paused = true)]
async fn without_background_refresh_only_requests_trigger_fetches() {
    let (keys, fetch) = timeless(Duration::ZERO);
    keys.refresh().await.unwrap();
    tokio::time::sleep(Duration::from_secs(36_000)).await;
    assert_eq!(fetch.requests().len(), 1);
    assert_eq!(keys.0.status().freshness, crate::key_source::Freshness::Unavailable);
    let wanted = KeyRequest { key_id: Some("a"), algorithm: Algorithm::Es256 };
    let MaybeReady::Pending(key) = keys.resolve(&wanted) else { panic!("stale keys were used") };
    assert!(key.await.is_ok());
    assert_eq!(fetch.requests().len(), 2);
}

/// An outage of more than an hour under continuous load.
#[tokio::test(start_paused = true)]
async fn outage_keeps_valid_tokens_accepted_until_the_bound_and_rejects_them_after() {
    let (keys, fetch) = timeless(Duration::from_secs(30));
    keys.refresh().await.unwrap();
    let wanted = KeyRequest { key_id: Some("a"), algorithm: Algorithm::Es256 };
    let begun = tokio::time::Instant::now();
    fetch.set(JWKS, Answer::Fails);
    let mut last_accepted = Duration::ZERO;
    while begun.elapsed() < Duration::from_secs(5000) {
        for _ in 0..20 {
            let answer = match keys.resolve(&wanted) {
                MaybeReady::Ready(answer) => answer,
                MaybeReady::Pending(answer) => answer.await,
            };
            match answer {
                Ok(_) => last_accepted = begun.elapsed(),
                Err(ResolveError::Unavailable { retry_after, .. }) => {
                    assert!(begun.elapsed() >= Duration::from_secs(3900), "{:?}", begun.elapsed());
                    assert!(retry_after <= Duration::from_secs(5), "{retry_after:?}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let bound = keys.0.status().withdrawal_bound_in_outage;
    assert_eq!(bound, Duration::from_secs(3900));
    assert!(last_accepted < bound && last_accepted > bound - Duration::from_secs(1));

    // The keys recover within one back-off step, without requests.
    fetch.set(JWKS, Answer::ok(TestKey::jwks(&[TestKey::generate("a", Algorithm::Es256)])));
    tokio::time::sleep(Duration::from_secs(34)).await;
    assert_eq!(keys.0.status().freshness, crate::key_source::Freshness::Fresh);
}

#[tokio::test]
async fn status_reports_fetches_and_failures() {
    let world = World::publishing(&["a"]);
    let status = world.keys.0.status();
    assert_eq!(status.freshness, crate::key_source::Freshness::Unavailable);
    assert_eq!((status.age, status.keys, status.location.as_str()), (None, 0, JWKS));
    let mut jwks = TestKey::jwks(&[TestKey::generate("a", Algorithm::Es256)]);
    jwks["keys"].as_array_mut().unwrap().push(json!({"kty": "oct", "kid": "b", "k": "AA"}));
    world.fetch.set(JWKS, Answer::ok(jwks));
    assert_eq!(world.ask("a").await, "key");
    let status = world.keys.0.status();
    assert_eq!((status.freshness, status.keys), (crate::key_source::Freshness::Fresh, 1));
    assert_eq!(status.skipped[0].id.as_deref(), Some("b"));
    assert_eq!(status.withdrawal_bound.as_millis(), 311_100);
    assert_eq!(status.withdrawal_bound_in_outage.as_secs(), 3900);
    world.fetch.set(JWKS, Answer::status(503, ""));
    world.advance(300);
    assert_eq!(world.ask("a").await, "key");
    let status = world.keys.0.status();
    assert_eq!(status.freshness, crate::key_source::Freshness::Stale);
    assert!(status.last_error.unwrap().to_string().contains("503"));
    assert_eq!(status.next_attempt.unwrap().as_secs(), 1);
}
