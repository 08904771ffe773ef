//! The thirteenth class with the feed, for requests in short succession. The age of this instance's
//! knowledge is not measured again for each request, and must not be underestimated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use portcullis::clock::Clock;
use portcullis::keys::SharedKeySet;
use portcullis::testing::{AUDIENCE, ISSUER, NOW, TestKey, TestToken, gate_rule};
use portcullis::{Algorithm, Authenticator, Gate, Revocation};

use crate::class_13_revocation_feed::{Faulty, READS, following};

const MAX_AGE: Duration = Duration::from_secs(10);

/// A clock whose wall reading can be set back. Both readings are milliseconds after the start.
#[derive(Debug, Clone, Default)]
struct SetBack {
    monotonic: Arc<AtomicU64>,
    wall: Arc<AtomicU64>,
}

impl SetBack {
    fn advance(&self, millis: u64) {
        self.monotonic.fetch_add(millis, Ordering::SeqCst);
        self.wall.fetch_add(millis, Ordering::SeqCst);
    }

    fn set_back(&self, millis: u64) {
        self.wall.fetch_sub(millis, Ordering::SeqCst);
    }
}

impl Clock for SetBack {
    fn now(&self) -> SystemTime {
        let elapsed = Duration::from_millis(self.wall.load(Ordering::SeqCst));
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW) + elapsed
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn old_knowledge_is_renewed_in_the_millisecond_in_which_it_passes_the_limit() {
    let (store, clock) = (Faulty::default(), SetBack::default());
    let key = Arc::new(TestKey::generate("k", Algorithm::Es256));
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(TestKey::key_set([&*key])))
        .max_token_lifetime(Duration::from_secs(900))
        .clock(clock.clone())
        .revocations(following(&store).build())
        .build()
        .await
        .unwrap();
    let gate = Gate::new(auth).revocation(Revocation::feed(MAX_AGE)).unwrap();
    let headers = TestToken::new(key, ISSUER, "alice", NOW).headers();
    let mut reads = store.reads.load(Ordering::SeqCst);
    for round in 0..20 {
        // Rounds begin at different parts of a second.
        clock.advance(9_900 + round);
        for millis in 9_900 + round..=10_000 {
            assert_eq!(gate_rule(&gate, &headers).await, "accepted");
            assert_eq!(store.reads.load(Ordering::SeqCst), reads, "at {millis} ms");
            clock.advance(1);
        }
        assert_eq!(gate_rule(&gate, &headers).await, "accepted");
        reads += 1;
        assert_eq!(store.reads.load(Ordering::SeqCst), reads, "at 10,001 ms");
    }
}

#[tokio::test]
async fn wall_clock_that_is_set_back_makes_no_knowledge_younger() {
    let (store, clock) = (Faulty::default(), SetBack::default());
    let key = Arc::new(TestKey::generate("k", Algorithm::Es256));
    let revocations = following(&store).build();
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(TestKey::key_set([&*key])))
        .max_token_lifetime(Duration::from_secs(900))
        .clock(clock.clone())
        .revocations(revocations.clone())
        .build()
        .await
        .unwrap();
    let gate = Gate::new(auth).revocation(Revocation::feed(MAX_AGE)).unwrap();
    let headers = TestToken::new(key, ISSUER, "alice", NOW).headers();
    for _ in 0..2 {
        assert_eq!(gate_rule(&gate, &headers).await, "accepted");
    }
    store.fail(READS);
    clock.advance(11_000);
    revocations.refresh().await.unwrap_err();
    clock.set_back(11_000);
    assert_eq!(gate_rule(&gate, &headers).await, "revocation_unavailable");
}
