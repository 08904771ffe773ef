//! Four instances of a service that share a store of revocations, while the store is killed and
//! started again. All requests, and the issuer's logout tokens, are sent over sockets.

mod served;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use portcullis::clock::{Clock as _, SystemClock};
use portcullis::feed::{LogoutReceiver, RevocationStore, Revocations};
use portcullis::keys::SharedKeySet;
use portcullis::testing::{AUDIENCE, ISSUER, TestKey, TestToken};
use portcullis::{Algorithm, Authenticator, Gate, Revocation};
use tokio::task::JoinSet;

use served::{Connections, serve};

const INSTANCES: usize = 4;

/// The number of revocations that are reported at the same time.
const REPORTERS: usize = 8;

/// The maximum age of an instance's knowledge while the store is available.
const MAX_AGE: Duration = Duration::from_secs(5);

/// The longest time from an acknowledgement to the refusal: the maximum age in an outage.
const BOUND: Duration = Duration::from_secs(60);

/// The number of revocations, unless `PORTCULLIS_REVOCATIONS` sets another number.
const REVOCATIONS: usize = 100;

/// Starts an instance. Returns its address.
async fn instance(key: &TestKey, store: impl RevocationStore) -> SocketAddr {
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(TestKey::key_set([key])))
        .max_token_lifetime(Duration::from_secs(900))
        .logout_clients(["web"])
        .revocations(Revocations::new(store))
        .build();
    let auth = auth.await.unwrap();
    let receiver = LogoutReceiver::new(&auth).unwrap();
    let feed = Revocation::feed(MAX_AGE).in_outage(BOUND);
    serve(Gate::new(auth).revocation(feed).unwrap(), receiver).await
}

/// Sends logout tokens to four instances, and halfway through kills and starts the store with `restart`,
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
    let tokens = |kind: &str| -> Arc<[String]> {
        let token = |number| {
            let token = TestToken::new(key.clone(), ISSUER, &format!("{kind}-{number}"), now());
            token.claim("sid", format!("{kind}-{number}")).sign()
        };
        (0..count).map(token).collect()
    };
    let (revoked, honest) = (tokens("revoked"), tokens("honest"));
    let mut connections = Connections::open(&instances).await;
    for token in revoked.iter().chain(honest.iter()) {
        for instance in 0..INSTANCES {
            assert_eq!(connections.call(instance, token).await, 200);
        }
    }

    let has_ended = Arc::new(AtomicBool::new(false));
    let honest_sessions = tokio::spawn({
        let (honest, has_ended) = (honest.clone(), has_ended.clone());
        async move {
            let mut requests = 0_usize;
            while !has_ended.load(Ordering::Relaxed) {
                for token in &*honest {
                    for instance in 0..INSTANCES {
                        let status = connections.call(instance, token).await;
                        assert_eq!(status, 200, "an honest session is refused");
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
        let mut connections = Connections::open(&instances).await;
        let (key, revoked, next) = (key.clone(), revoked.clone(), next.clone());
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
                times.push(revoke(&mut connections, &key, number, token).await);
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

    instances.push(instance(&key, open()).await);
    let mut connections = Connections::open(&instances).await;
    for (tokens, expected) in [(&revoked, 401), (&honest, 200)] {
        for token in &**tokens {
            for instance in 0..instances.len() {
                assert_eq!(connections.call(instance, token).await, expected);
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
        "{name}: {count} logout tokens over HTTP to {INSTANCES} instances, none lost. From the 200 to the refusal by \
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

/// Sends a logout token to one instance, repeatedly until it is acknowledged, and waits until all
/// instances refuse the session.
async fn revoke(
    connections: &mut Connections,
    key: &Arc<TestKey>,
    number: usize,
    token: &str,
) -> Revoked {
    let logout = TestToken::logout(key.clone(), ISSUER, "web", now());
    let logout = logout.claim("sid", format!("revoked-{number}")).sign();
    let mut has_failed = false;
    loop {
        match connections.log_out(number % INSTANCES, &logout).await {
            200 => break,
            // It was stored by an attempt that the store did not confirm in time.
            400 if has_failed => break,
            503 => has_failed = true,
            other => unreachable!("{other}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let acknowledged_at = Instant::now();
    for instance in 0..INSTANCES {
        while connections.call(instance, token).await != 401 {
            assert!(acknowledged_at.elapsed() < BOUND, "an acknowledged revocation is lost");
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }
    Revoked { acknowledged_at, refused_at: Instant::now() }
}

fn now() -> u64 {
    SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
