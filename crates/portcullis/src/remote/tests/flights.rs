//! Fetches that overlap, are aborted, panic, or are awaited from another runtime.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use bytes::Bytes;
use http::Response;
use tokio::sync::oneshot;

use super::*;
use crate::fetch::{Fetch, FetchRequest, Fetching};
use crate::key::CandidateKeys;
use crate::key_source::ResolveError;
use crate::maybe_ready::{MaybeReady, Pending};

/// An issuer whose responses wait until they are released.
#[derive(Debug, Clone, Default)]
struct Gated(Arc<Mutex<VecDeque<Held>>>);

/// A body, and the signal that releases it.
type Held = (oneshot::Receiver<()>, String);

impl Gated {
    fn then(&self, body: impl ToString) -> oneshot::Sender<()> {
        let (open, gate) = oneshot::channel();
        self.0.lock().unwrap().push_back((gate, body.to_string()));
        open
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Fetch for Gated {
    fn get(&self, _: FetchRequest) -> Fetching<'_> {
        let (gate, body) = self.0.lock().unwrap().pop_front().unwrap();
        Box::pin(async move {
            gate.await?;
            Ok(Response::new(Bytes::from(body)))
        })
    }
}

fn gated() -> (RemoteKeySet, Gated, ManualClock) {
    let (fetch, clock) = (Gated::default(), ManualClock::at(NOW));
    let keys = RemoteKeySet::new(config(LIMITS, fetch.clone(), clock.clone()));
    (keys, fetch, clock)
}

fn jwks(ids: &[&str]) -> serde_json::Value {
    let keys: Vec<_> = ids.iter().map(|id| TestKey::generate(id, Algorithm::Es256)).collect();
    TestKey::jwks(&keys)
}

fn pending(keys: &RemoteKeySet, id: &str) -> Pending<Result<CandidateKeys, ResolveError>> {
    match keys.resolve(&KeyRequest::new(Some(id), Algorithm::Es256)) {
        MaybeReady::Pending(key) => key,
        MaybeReady::Ready(answer) => panic!("{answer:?}"),
    }
}

fn poll_once(key: &mut Pending<Result<CandidateKeys, ResolveError>>) {
    assert!(key.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// Runs all ready tasks.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

fn runtime(paused: bool) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(paused).build().unwrap()
}

#[tokio::test]
async fn requests_from_before_a_fetch_do_not_repeat_it() {
    // The requests are polled later and one after another, as behind a buffer.
    let world = World::publishing(&["a"]);
    let waiting: Vec<_> = (0..10).map(|_| pending(&world.keys, "a")).collect();
    for key in waiting {
        key.await.unwrap();
    }
    assert_eq!(world.fetches(), 1);
    let waiting: Vec<_> =
        (0..10).map(|number| pending(&world.keys, &format!("junk{number}"))).collect();
    for key in waiting {
        key.await.unwrap_err();
    }
    assert_eq!(world.fetches(), 4, "only a burst within one cooldown");
    world.fetch.set(JWKS, Answer::Fails);
    world.advance(300);
    let waiting: Vec<_> = (0..10).map(|_| pending(&world.keys, "a")).collect();
    for key in waiting {
        key.await.unwrap();
    }
    assert_eq!(world.fetches(), 5, "failures back off");
}

#[tokio::test]
async fn older_fetch_does_not_replace_a_newer_set() {
    let (keys, gates, clock) = gated();
    let (old, new) = (gates.then(jwks(&["withdrawn"])), gates.then(jwks(&["current"])));
    let mut first = pending(&keys, "withdrawn");
    poll_once(&mut first);
    settle().await;
    // The process was suspended: the first flight counts as abandoned, and a second one starts.
    clock.advance(Duration::from_secs(60));
    let mut second = pending(&keys, "current");
    poll_once(&mut second);
    new.send(()).unwrap();
    second.await.unwrap();
    old.send(()).unwrap();
    let _ = first.await;
    settle().await;
    let resolve = |id| keys.resolve(&KeyRequest::new(Some(id), Algorithm::Es256));
    assert!(matches!(resolve("current"), MaybeReady::Ready(Ok(_))));
    assert!(!matches!(resolve("withdrawn"), MaybeReady::Ready(Ok(_))));
}

#[tokio::test]
async fn abandoned_fetch_that_ends_does_not_remove_the_current_one() {
    let (keys, gates, clock) = gated();
    let (old, _new, _more) =
        (gates.then("no key set"), gates.then(jwks(&["a"])), gates.then(jwks(&["a"])));
    let mut first = pending(&keys, "a");
    poll_once(&mut first);
    settle().await;
    clock.advance(Duration::from_secs(60));
    poll_once(&mut pending(&keys, "a"));
    settle().await;
    assert_eq!(gates.left(), 1);
    old.send(()).unwrap();
    let _ = first.await;
    clock.advance(Duration::from_secs(2));
    poll_once(&mut pending(&keys, "a"));
    settle().await;
    assert_eq!(gates.left(), 1, "a second fetch during the one in progress");
    // The failure of the abandoned flight does not affect the live flight.
    let status = keys.0.status();
    assert!(matches!(status.last_error, Some(FetchError::Abandoned)), "{status:?}");
    assert_eq!(status.next_attempt, None);
}

#[tokio::test]
async fn late_waiter_is_bound_by_max_stale() {
    let world = World::publishing(&["a"]);
    let mut key = pending(&world.keys, "a");
    poll_once(&mut key);
    settle().await;
    world.advance(86_400);
    world.fetch.set(JWKS, Answer::Fails);
    assert!(key.await.is_err(), "a key of a set that is a day old");
}

#[tokio::test]
async fn age_of_a_set_counts_from_the_start_of_its_fetch() {
    let (keys, gates, clock) = gated();
    let open = gates.then(jwks(&["a"]));
    let mut key = pending(&keys, "a");
    poll_once(&mut key);
    settle().await;
    clock.advance(Duration::from_secs(4));
    open.send(()).unwrap();
    key.await.unwrap();
    assert_eq!(keys.0.status().age, Some(Duration::from_secs(4)));
}

#[tokio::test]
async fn only_a_later_fetch_confirms_an_unknown_key() {
    let (keys, gates, clock) = gated();
    let (old, new) = (gates.then(jwks(&["a"])), gates.then(jwks(&["a", "new"])));
    let mut first = pending(&keys, "a");
    poll_once(&mut first);
    clock.advance(Duration::from_secs(1));
    let mut second = pending(&keys, "new");
    poll_once(&mut second);
    old.send(()).unwrap();
    new.send(()).unwrap();
    assert!(second.await.is_ok());
    assert!(first.await.is_ok());
}

#[tokio::test]
async fn tokens_of_a_new_key_wait_for_one_fetch() {
    let world = World::publishing(&["a"]);
    assert_eq!(world.ask("a").await, "key");
    world.publish(&["a", "b"]);
    let waiting: Vec<_> = (0..100).map(|_| tokio::spawn(pending(&world.keys, "b"))).collect();
    for key in waiting {
        assert!(key.await.unwrap().is_ok());
    }
    assert_eq!(world.fetches(), 2);
}

#[test]
fn fetch_of_an_ended_runtime_is_restarted() {
    let world = World::publishing(&["a"]);
    let first = runtime(false);
    let mut key = pending(&world.keys, "a");
    first.block_on(async { poll_once(&mut key) });
    drop(first);
    assert_eq!(runtime(true).block_on(world.ask("a")), "key");
}

#[test]
fn fetch_on_a_stalled_runtime_times_out() {
    let world = World::publishing(&["a"]);
    let idle = runtime(false);
    let mut key = pending(&world.keys, "a");
    idle.block_on(async { poll_once(&mut key) });
    // No request waits longer than one deadline.
    runtime(true).block_on(async {
        let begun = tokio::time::Instant::now();
        assert!(world.ask("a").await.starts_with("503"));
        assert!(begun.elapsed() <= Duration::from_millis(5300), "{:?}", begun.elapsed());
    });
    // After the deadline, a new fetch starts.
    world.advance(6);
    assert_eq!(runtime(true).block_on(world.ask("a")), "key");
}

#[test]
fn fetch_outside_a_runtime_is_503_without_a_panic() {
    let world = World::publishing(&["a"]);
    let mut key = pending(&world.keys, "a");
    match key.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(Err(ResolveError::Unavailable { source, .. })) => {
            assert!(matches!(source, Some(FetchError::NoRuntime)));
        }
        other => panic!("{other:?}"),
    }
}

#[derive(Debug, Clone, Default)]
struct Panics(Arc<AtomicUsize>);

impl Fetch for Panics {
    fn get(&self, _: FetchRequest) -> Fetching<'_> {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("a bug in the client")
    }
}

#[tokio::test]
async fn panic_of_the_http_client_backs_off_like_any_failure() {
    let fetch = Panics::default();
    let clock = ManualClock::at(NOW);
    let keys = RemoteKeySet::new(config(LIMITS, fetch.clone(), clock));
    for _ in 0..5 {
        let answer = match keys.resolve(&KeyRequest::new(Some("a"), Algorithm::Es256)) {
            MaybeReady::Ready(answer) => answer,
            MaybeReady::Pending(answer) => answer.await,
        };
        assert!(matches!(answer, Err(ResolveError::Unavailable { .. })), "{answer:?}");
    }
    assert_eq!(fetch.0.load(Ordering::SeqCst), 1);
}
