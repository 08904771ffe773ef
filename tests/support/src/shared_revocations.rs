//! Four instances of a service that share a store of revocations, while the store is killed and
//! started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use portcullis::clock::{Clock as _, SystemClock};
use portcullis::feed::{RevocationStore, Revocations};
use portcullis::keys::SharedKeySet;
use portcullis::testing::{AUDIENCE, ISSUER, TestKey, TestToken, token_rule};
use portcullis::{Algorithm, Authenticator, Gate, Revocation};
use tokio::task::JoinSet;

const INSTANCES: usize = 4;

/// The number of revocations that are reported at the same time.
const REPORTERS: usize = 8;

/// The maximum age of an instance's knowledge while the store is available.
const MAX_AGE: Duration = Duration::from_secs(5);

/// The longest time from an acknowledgement to the refusal: the maximum age in an outage.
const BOUND: Duration = Duration::from_secs(60);

/// The number of revocations, unless `PORTCULLIS_REVOCATIONS` sets another number.
const REVOCATIONS: usize = 100;

struct Instance {
    revocations: Revocations,
    gate: Gate,
}

async fn instance(key: &TestKey, store: impl RevocationStore) -> Instance {
    let revocations = Revocations::new(store);
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(TestKey::key_set([key])))
        .max_token_lifetime(Duration::from_secs(900))
        .revocations(revocations.clone())
        .build();
    let gate = Gate::new(auth.await.unwrap());
    let feed = Revocation::feed(MAX_AGE).in_outage(BOUND);
    Instance { revocations, gate: gate.revocation(feed).unwrap() }
}

/// Revokes sessions at four instances, and halfway through kills and starts the store with `restart`,
/// which blocks. `open` opens another handle to the store. Panics if an acknowledged revocation is lost
/// or is not applied by all instances within the bound, or if another session is refused.
pub async fn prove<S: RevocationStore>(
    name: &str,
    open: impl Fn() -> S,
    restart: impl FnOnce() + Send + 'static,
) {
    let count = std::env::var("PORTCULLIS_REVOCATIONS");
    let count = count.map_or(REVOCATIONS, |count| count.parse().expect("a number"));
    let key = Arc::new(TestKey::generate("k", Algorithm::Es256));
    let mut instances = Vec::new();
    for _ in 0..INSTANCES {
        instances.push(instance(&key, open()).await);
    }
    let instances: Arc<[Instance]> = instances.into();
    let tokens = |kind: &str| -> Arc<[String]> {
        let now = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let token = |number| {
            let token = TestToken::new(key.clone(), ISSUER, &format!("{kind}-{number}"), now);
            token.claim("sid", format!("{kind}-{number}")).sign()
        };
        (0..count).map(token).collect()
    };
    let (revoked, honest) = (tokens("revoked"), tokens("honest"));
    for token in revoked.iter().chain(honest.iter()) {
        for instance in &*instances {
            assert_eq!(token_rule(&instance.gate, token).await, "accepted");
        }
    }

    let has_ended = Arc::new(AtomicBool::new(false));
    let honest_sessions = tokio::spawn({
        let (instances, honest, has_ended) = (instances.clone(), honest.clone(), has_ended.clone());
        async move {
            let mut requests = 0_usize;
            while !has_ended.load(Ordering::Relaxed) {
                for token in &*honest {
                    for instance in &*instances {
                        let rule = token_rule(&instance.gate, token).await;
                        assert_eq!(rule, "accepted", "an honest session is refused");
                        requests += 1;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            requests
        }
    });

    let next = Arc::new(AtomicUsize::new(0));
    let (half, halfway) = tokio::sync::oneshot::channel();
    let mut half = Some(half);
    let mut reporters = JoinSet::new();
    for _ in 0..REPORTERS {
        let (instances, revoked, next) = (instances.clone(), revoked.clone(), next.clone());
        let mut half = half.take();
        reporters.spawn(async move {
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count / 2
                    && let Some(half) = half.take()
                {
                    half.send(()).unwrap();
                }
                let Some(token) = revoked.get(number) else { return times };
                times.push(revoke(&instances, number, token).await);
            }
        });
    }
    halfway.await.unwrap();
    let killed_at = Instant::now();
    tokio::task::spawn_blocking(restart).await.unwrap();
    let back_at = Instant::now();
    let revocations = reporters.join_all().await.concat();
    has_ended.store(true, Ordering::Relaxed);
    let requests = honest_sessions.await.unwrap();

    let late = instance(&key, open()).await;
    for (tokens, expected) in [(&revoked, "revoked"), (&honest, "accepted")] {
        for token in &**tokens {
            for instance in instances.iter().chain([&late]) {
                assert_eq!(token_rule(&instance.gate, token).await, expected);
            }
        }
    }
    assert_eq!(revocations.len(), count);
    let is_hit =
        |revoked: &&Revoked| revoked.acknowledged_at < back_at && revoked.refused_at > killed_at;
    let (hit, usual): (Vec<&Revoked>, Vec<&Revoked>) = revocations.iter().partition(is_hit);
    let hit = hit.iter().map(|revoked| revoked.refused_at.saturating_duration_since(back_at));
    let mut usual: Vec<_> =
        usual.iter().map(|revoked| revoked.refused_at - revoked.acknowledged_at).collect();
    usual.sort_unstable();
    let at = |percent: usize| usual[(usual.len() - 1) * percent / 100];
    eprintln!(
        "{name}: {count} revocations at {INSTANCES} instances, none lost. From acknowledgement to refusal by \
         all: p50 {:.1?}, p99 {:.1?}, max {:.1?}. The store was down for {:.1?}: {} revocations \
         acknowledged just before were refused by all {:.1?} after it was back at the latest. {requests} \
         requests of other sessions accepted, none refused.",
        at(50),
        at(99),
        at(100),
        back_at - killed_at,
        hit.len(),
        hit.max().unwrap_or_default(),
    );
}

/// When a revocation was acknowledged, and when the last instance refused the session.
#[derive(Clone, Copy)]
struct Revoked {
    acknowledged_at: Instant,
    refused_at: Instant,
}

/// Revokes a session at one instance, repeatedly until the revocation is acknowledged, and waits until
/// all instances refuse the session.
async fn revoke(instances: &[Instance], number: usize, token: &str) -> Revoked {
    let revocations = &instances[number % INSTANCES].revocations;
    while revocations.revoke_session(ISSUER, &format!("revoked-{number}")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let acknowledged_at = Instant::now();
    for instance in instances {
        while token_rule(&instance.gate, token).await != "revoked" {
            assert!(acknowledged_at.elapsed() < BOUND, "an acknowledged revocation is lost");
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }
    Revoked { acknowledged_at, refused_at: Instant::now() }
}
