//! Models of a key set, its record and its budget, in every interleaving of requests and fetches.

use std::fmt;
use std::sync::atomic::{AtomicBool as StdBool, AtomicUsize as StdUsize};
use std::sync::{OnceLock, Weak};

use bytes::Bytes;
use http::Response;
use loom::future::block_on;

use super::key_set::Keys;
use super::tests::{LIMITS, config};
use super::*;
use crate::algorithm::Algorithm;
use crate::error::TokenError;
use crate::fetch::{Fetch, FetchRequest, Fetching};
use crate::key::KeyRequest;
use crate::key_source::KeySource;
use crate::sync::atomic::{AtomicBool, AtomicUsize};
use crate::sync::model::{explore, spawn};
use crate::testing::{ManualClock, NOW, TestKey};

/// The key that is published from the start, and the key that is added.
const OLD: &str = "old";
const NEW: &str = "new";

/// An issuer that publishes [`OLD`] and, once told to, [`NEW`].
struct Server {
    has_new: AtomicBool,
    is_down: AtomicBool,
    fetches: AtomicUsize,
    set: OnceLock<Weak<Remote<Keys>>>,
    /// Whether a fetch ran that the record did not show.
    unrecorded: StdBool,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

impl Fetch for Arc<Server> {
    fn get(&self, _: FetchRequest) -> Fetching<'_> {
        Box::pin(async {
            self.fetches.fetch_add(1, Ordering::Relaxed);
            if let Some(remote) = self.set.get().and_then(Weak::upgrade) {
                // The flight is recorded under this lock.
                drop(remote.line.lock());
                let is_recorded = remote.record.in_flight.load(Ordering::Acquire);
                self.unrecorded.fetch_or(!is_recorded, Ordering::Relaxed);
            }
            if self.is_down.load(Ordering::Acquire) {
                return Err("connection refused".into());
            }
            let has_new = self.has_new.load(Ordering::Acquire);
            Ok(Response::new(Bytes::from_static(body(has_new).as_bytes())))
        })
    }
}

fn body(has_new: bool) -> &'static str {
    static BODIES: OnceLock<[String; 2]> = OnceLock::new();
    let [without, with] = BODIES.get_or_init(|| {
        let [old, new] = [OLD, NEW].map(|id| TestKey::generate(id, Algorithm::Es256));
        [TestKey::jwks([&old]).to_string(), TestKey::jwks([&old, &new]).to_string()]
    });
    if has_new { with } else { without }
}

#[derive(Clone)]
struct World {
    server: Arc<Server>,
    keys: RemoteKeySet,
    clock: ManualClock,
}

impl World {
    /// A key set that has not been fetched.
    fn new() -> Self {
        let server = Arc::new(Server {
            has_new: AtomicBool::new(false),
            is_down: AtomicBool::new(false),
            fetches: AtomicUsize::new(0),
            set: OnceLock::new(),
            unrecorded: StdBool::new(false),
        });
        let clock = ManualClock::at(NOW);
        let keys = RemoteKeySet::new(config(LIMITS, server.clone(), clock.clone()));
        Self { server, keys, clock }
    }

    /// A key set with [`OLD`], as of now.
    fn warm() -> Self {
        let world = Self::new();
        let began = Timestamp::now(&world.clock);
        let deadline = world.keys.0.deadline().after;
        let fetched = block_on(Keys::fetch(&world.keys.0, None, began, deadline));
        world.keys.0.snapshot.store(Some(Arc::new(fetched.unwrap())));
        world.server.fetches.store(0, Ordering::Relaxed);
        world
    }

    fn resolve(&self, key: &str) -> Result<(), ResolveError> {
        let wanted = KeyRequest::new(Some(key), Algorithm::Es256);
        block_on(self.keys.resolve(&wanted).into_future()).map(drop)
    }

    fn publish(&self) {
        self.server.has_new.store(true, Ordering::Release);
    }

    fn fetches(&self) -> usize {
        self.server.fetches.load(Ordering::Relaxed)
    }

    /// Nothing is in flight, and the record says so.
    fn assert_at_rest(&self) {
        let remote = &self.keys.0;
        let now = Timestamp::now(&self.clock);
        let flight = remote.line.lock().under_way(now.monotonic());
        assert!(matches!(flight, Ok(None)), "a flight is left");
        assert!(!remote.record.in_flight.load(Ordering::Acquire), "the record has a flight");
        let unrecorded = self.server.unrecorded.load(Ordering::Relaxed);
        assert!(!unrecorded, "a fetch ran that was not recorded");
    }
}

#[test]
fn two_requests_for_a_new_key_cause_one_fetch() {
    explore("snapshot: two requests for a new key", || {
        let world = World::warm();
        world.publish();
        let other = world.clone();
        let requesting = spawn(move || other.resolve(NEW).expect("an honest token"));
        world.resolve(NEW).expect("an honest token");
        requesting.join().unwrap();
        assert_eq!(world.fetches(), 1);
        world.assert_at_rest();
    });
}

#[test]
fn request_after_the_publication_is_not_refused_by_an_older_fetch() {
    explore("snapshot: a key is published during a fetch", || {
        let world = World::warm();
        let other = world.clone();
        let early = spawn(move || match other.resolve(NEW) {
            Ok(()) | Err(ResolveError::Refused(TokenError::UnknownKey)) => {}
            Err(error) => panic!("{error:?}"),
        });
        world.publish();
        world.resolve(NEW).expect("an honest token");
        early.join().unwrap();
        assert!(world.fetches() <= 2, "{} fetches", world.fetches());
    });
}

#[test]
fn first_requests_share_one_fetch_and_see_its_result() {
    explore("snapshot: the first fetch", || {
        let world = World::new();
        world.server.set.set(Arc::downgrade(&world.keys.0)).unwrap();
        let other = world.clone();
        let requesting = spawn(move || other.resolve(OLD).expect("an honest token"));
        world.resolve(OLD).expect("an honest token");
        requesting.join().unwrap();
        assert_eq!(world.fetches(), 1);
        world.assert_at_rest();
    });
}

#[test]
fn stale_keys_are_used_while_fetches_fail() {
    explore("snapshot: an outage", || {
        let world = World::warm();
        world.server.is_down.store(true, Ordering::Relaxed);
        world.clock.advance(LIMITS.ttl);
        let other = world.clone();
        let requesting = spawn(move || other.resolve(OLD).expect("an honest token"));
        world.resolve(OLD).expect("an honest token");
        requesting.join().unwrap();
        assert_eq!(world.fetches(), 1, "the back-off of 1 s");
        world.assert_at_rest();
    });
}

/// Counts the fetches in flight while one fetch follows the other.
#[test]
fn next_fetch_is_recorded_while_the_last_one_ends() {
    explore("snapshot: a fetch ends while the next begins", || {
        let world = World::warm();
        world.server.set.set(Arc::downgrade(&world.keys.0)).unwrap();
        let other = world.clone();
        // Each refresh starts a fetch if none is in flight.
        let refreshing = spawn(move || block_on(other.keys.refresh()).unwrap());
        block_on(world.keys.refresh()).unwrap();
        refreshing.join().unwrap();
        world.assert_at_rest();
    });
}

#[test]
fn reader_that_sees_a_failure_sees_its_back_off() {
    explore("record: a failure and a reader", || {
        let record = Arc::new(Record::default());
        let writer = record.clone();
        let now = Duration::from_secs(100);
        let failing = spawn(move || {
            writer.failed(&FetchError::Abandoned, now, Duration::MAX);
            writer.failed(&FetchError::Abandoned, now, Duration::MAX);
        });
        let seen = StdUsize::new(0);
        for _ in 0..2 {
            let Some(failure) = record.history(now).failure else {
                assert_eq!(seen.load(Ordering::Relaxed), 0, "a failure that is forgotten");
                continue;
            };
            seen.fetch_add(1, Ordering::Relaxed);
            assert!(failure.retry_in >= Duration::from_secs(1), "no back-off: {failure:?}");
            assert!(failure.back_off_in >= Duration::from_secs(1), "no back-off: {failure:?}");
        }
        failing.join().unwrap();
        let failure = record.history(now).failure.unwrap();
        assert!(failure.retry_in >= Duration::from_secs(2), "{failure:?}");
    });
}

#[test]
fn concurrent_requests_never_spend_more_than_the_budget() {
    explore("budget: three requests for two fetches", || {
        let budget = Budget::default();
        let (now, cooldown) = (Duration::from_secs(100), LIMITS.cooldown);
        assert!(budget.try_spend(now, cooldown));
        let spend = |budget: Budget| spawn(move || u8::from(budget.try_spend(now, cooldown)));
        let others = [budget.clone(), budget.clone()].map(spend);
        let mut spent = u8::from(budget.try_spend(now, cooldown));
        for other in others {
            spent += other.join().unwrap();
        }
        assert_eq!(spent, 2);
    });
}
