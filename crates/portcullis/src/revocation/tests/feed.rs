//! The feed's background task, and the state that it records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::authenticator::Authenticator;
use crate::gate::Gate;
use crate::revocation::Revocation;
use crate::revocation::feed::{
    Appended, Changes, Cursor, Entry, MemoryStore, RevocationStore, Revocations, Storing,
};
use crate::testing::{ISSUER, NOW, TestKey, TestToken, TokioClock, builder, gate_rule};

/// A store that does not notify.
#[derive(Debug, Clone)]
struct Silent {
    store: MemoryStore,
    reads: Arc<AtomicU32>,
}

impl Silent {
    fn new() -> Self {
        Self { store: MemoryStore::new(), reads: Arc::default() }
    }
}

impl RevocationStore for Silent {
    fn append<'s>(&'s self, entry: &'s Entry) -> Storing<'s, Appended> {
        self.store.append(entry)
    }

    fn changes<'s>(&'s self, after: Option<&'s Cursor>) -> Storing<'s, Changes> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.changes(after)
    }

    fn prune(&self, before: u64) -> Storing<'_, ()> {
        self.store.prune(before)
    }
}

async fn instance(
    key: &TestKey,
    store: impl RevocationStore,
    clock: &TokioClock,
) -> (Authenticator, Revocations) {
    let revocations = Revocations::new(store);
    let auth = builder(key)
        .clock(clock.clone())
        .max_token_lifetime(Duration::from_secs(900))
        .revocations(revocations.clone())
        .build()
        .await
        .unwrap();
    (auth, revocations)
}

fn entries(auth: &Authenticator) -> usize {
    auth.status()[0].feed.as_ref().unwrap().entries
}

#[tokio::test(start_paused = true)]
async fn background_task_applies_entries_of_other_instances_without_requests() {
    let key = TestKey::generate("k", crate::Algorithm::Es256);
    let clock = TokioClock::at(NOW);
    let notifying = MemoryStore::new();
    let silent = Silent::new();
    let pairs = [
        (
            instance(&key, notifying.clone(), &clock).await,
            instance(&key, notifying.clone(), &clock).await,
            Duration::from_millis(20),
        ),
        (
            instance(&key, silent.clone(), &clock).await,
            instance(&key, silent.clone(), &clock).await,
            Duration::from_millis(1_020),
        ),
    ];
    for ((_one, revocations), (other, _), within) in pairs {
        tokio::time::sleep(Duration::from_millis(100)).await;
        revocations.revoke_session(ISSUER, "s-1").await.unwrap();
        assert_eq!(entries(&other), 0);
        tokio::time::sleep(within).await;
        assert_eq!(entries(&other), 1, "within {within:?}");
        // The instance reads the store even without requests.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let age = other.status()[0].feed.as_ref().unwrap().age.unwrap();
        assert!(age <= Duration::from_millis(1_020), "{age:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn background_task_ends_with_the_last_handle() {
    let key = TestKey::generate("k", crate::Algorithm::Es256);
    let (clock, store) = (TokioClock::at(NOW), Silent::new());
    let (auth, revocations) = instance(&key, store.clone(), &clock).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let reads = store.reads.load(Ordering::Relaxed);
    assert!((9..=12).contains(&reads), "{reads}");
    drop((auth, revocations));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ended = store.reads.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(store.reads.load(Ordering::Relaxed), ended);
}

#[test]
fn reads_and_revocations_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let key = Arc::new(TestKey::generate("k", crate::Algorithm::Es256));
            let clock = TokioClock::at(NOW);
            let (auth, revocations) = instance(&key, Silent::new(), &clock).await;
            let gate = Gate::new(auth).revocation(Revocation::feed(Duration::from_secs(5)));
            revocations.revoke_session(ISSUER, "s-1").await.unwrap();
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            let token = TestToken::new(key.clone(), ISSUER, "alice", NOW).claim("sid", "s-1");
            assert_eq!(gate_rule(&gate.unwrap(), &token.headers()).await, "revoked");
        });
    });
    let mut found = std::collections::BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(|label| label.value().to_owned()).collect();
        let value = match value {
            DebugValue::Counter(number) => number as f64,
            DebugValue::Gauge(number) => number.into_inner(),
            DebugValue::Histogram(_) => continue,
        };
        found.insert(format!("{} {}", key.key().name(), labels.join(" ")), value);
    }
    let of = |name: &str| found.get(name).copied();
    assert_eq!(of("portcullis_revocations_total session stored"), Some(1.0));
    assert_eq!(of("portcullis_revocations_total client failed"), Some(0.0));
    assert!(of("portcullis_feed_reads_total read").is_some_and(|reads| reads >= 2.0), "{found:?}");
    assert_eq!(of("portcullis_feed_reads_total failed"), Some(0.0));
    assert_eq!(of("portcullis_feed_entries "), Some(1.0));
    assert_eq!(of("portcullis_feed_age_seconds "), Some(0.0));
}
