//! Measures how much the revocation feed slows down a cache hit: the time of a warm request with
//! 100,000 entries, relative to the same request without a feed, in one run.
//!
//! `cargo bench -p portcullis-benches --bench feed`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that fails by panicking, and prints its result"
)]

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;
use portcullis::feed::{Entry, MemoryStore, RevocationStore, Revocations, Target};
use portcullis::keys::SharedKeySet;
use portcullis::testing::{
    AUDIENCE, Answer, ISSUER, JWKS, ScriptedFetch, TestKey, TestToken, verdict_now,
};
use portcullis::{Algorithm, Authenticator, Gate, Revocation};

const ENTRIES: u64 = 100_000;
const REQUESTS: u32 = 20_000;
const ROUNDS: usize = 60;

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// Returns revocations with 100,000 entries, which are either local or follow a store.
async fn revocations(follows: bool) -> Revocations {
    let entry = |number: u64| {
        let target = match number % 3 {
            0 => Target::Subject(format!("user-{number}")),
            _ => Target::Session(format!("d5b1c1a0-7f0e-4d5e-9d3c-{number:012}")),
        };
        Entry::new(ISSUER, target, now(), now() + 920)
    };
    if follows {
        let store = MemoryStore::new();
        for number in 0..ENTRIES {
            store.append(&entry(number)).await.unwrap();
        }
        return Revocations::new(store);
    }
    let revocations = Revocations::in_memory();
    for number in 0..ENTRIES {
        let entry = entry(number);
        let value = entry.target.value();
        match entry.target {
            Target::Subject(_) => revocations.revoke_subject(ISSUER, value, None).await.unwrap(),
            _ => revocations.revoke_session(ISSUER, value).await.unwrap(),
        }
    }
    revocations
}

async fn gate(key: &TestKey, are_fetched: bool, feed: Option<Revocations>) -> Gate {
    let builder =
        Authenticator::builder(ISSUER, AUDIENCE).max_token_lifetime(Duration::from_secs(900));
    let builder = if are_fetched {
        let fetch = ScriptedFetch::default();
        fetch.set(JWKS, Answer::ok(TestKey::jwks([key])));
        builder.jwks_url(JWKS).fetch(fetch)
    } else {
        builder.key_source(SharedKeySet::new(TestKey::key_set([key])))
    };
    match feed {
        None => Gate::new(builder.build().await.unwrap()),
        Some(revocations) => {
            let auth = builder.revocations(revocations).build().await.unwrap();
            Gate::new(auth).revocation(Revocation::feed(Duration::from_secs(5))).unwrap()
        }
    }
}

/// Returns the time of one request, in nanoseconds.
fn measure(gate: &Gate, headers: &HeaderMap) -> f64 {
    let start = Instant::now();
    for _ in 0..REQUESTS {
        let verdict = verdict_now(black_box(gate), black_box(headers));
        assert!(matches!(verdict, Ok(Ok(_))), "not a warm request");
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS)
}

/// The time of the fastest round. Other load on the machine can only add time.
fn fastest(times: Vec<f64>) -> f64 {
    times.into_iter().fold(f64::INFINITY, f64::min)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let key = std::sync::Arc::new(TestKey::generate("k", Algorithm::Es256));
    let token = TestToken::new(key.clone(), ISSUER, "alice", now());
    let headers = token.claim("sid", "a session that is not revoked").headers();
    for (keys, are_fetched) in [("local keys", false), ("fetched keys", true)] {
        let gates = [
            gate(&key, are_fetched, None).await,
            gate(&key, are_fetched, Some(revocations(false).await)).await,
            gate(&key, are_fetched, Some(revocations(true).await)).await,
        ];
        for gate in &gates {
            gate.authenticate(&headers).await.unwrap();
        }
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            for (gate, times) in gates.iter().zip(&mut times) {
                times.push(measure(gate, &headers));
            }
        }
        let [without, local, shared] = times.map(fastest);
        println!(
            "{keys}: without {without:.0} ns; {ENTRIES} entries in memory {local:.0} ns, ratio {:.3}; \
             of a store {shared:.0} ns, ratio {:.3}",
            local / without,
            shared / without,
        );
    }
}
