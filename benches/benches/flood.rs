//! The costs of a flood of tokens with random `kid`s: fetches from the issuer, and latency of the
//! callers with valid tokens.
//!
//! The key server is real, and shares the machine with the service and the senders. The senders'
//! rate leaves two processors idle, so that the figures show the effect of the flood and not of an
//! overloaded machine. A latency is measured from the spawn of a request's task to its response, so
//! it includes the wait for a processor.
//!
//! The benchmark first sends 100,000 tokens with random `kid`s within 30 s, the default cooldown,
//! while requests with valid tokens continue. The relevant figure is the number of fetches: at most
//! 2, one of them at the start. Rounds of four parts follow: (1) valid tokens alone; (2) valid
//! tokens with as many cheap bad tokens as in the flood, which are rejected without a key lookup (a
//! known `kid` with another algorithm); (3) valid tokens with the flood; (4) valid tokens with the
//! cheap bad tokens again. Bad tokens of any kind cost processor time at their senders and at the
//! service. Part 3 is therefore compared with the mean of parts 2 and 4: at a ratio of 1, no caller
//! waits for the flood. The ratio of part 2 to part 4 is the control: a difference within the
//! spread of the control is noise.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed setup ends the program"
)]
#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis::testing::TestKey;
use portcullis::{
    Algorithm, Authenticator,
    clock::{Clock, SystemClock},
};
use portcullis_test_support::key_server::{Answer, Server};
use serde_json::json;
use tokio::runtime::Runtime;

use portcullis_benches::measure::{Measured, note, report};

const GROUP: &str = "flood of random kids";

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";

/// The rate of requests with valid tokens, per second.
const GOOD_RATE: usize = 500;
const FLOOD_RATE: usize = 3_500;

const FLOOD: usize = 100_000;
const WINDOW: Duration = Duration::from_secs(30);

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(4);

const COLUMNS: usize = 8;
const HEADINGS: [&str; COLUMNS] = [
    "alone p99",
    "other p50",
    "flood p50",
    "other p99",
    "flood p99",
    "p50 ratio",
    "p99 ratio",
    "control",
];

/// The kind of bad tokens that are sent with the valid ones.
#[derive(Clone, Copy)]
enum Bad {
    /// A new, unknown `kid`.
    RandomKid,
    /// The key's own `kid`, with an algorithm that is not the key's.
    OtherAlgorithm,
}

struct Service {
    runtime: Runtime,
    auth: Authenticator,
    key: TestKey,
}

/// The outcomes of the requests of one kind.
#[derive(Default)]
struct Outcome {
    latencies: Mutex<Vec<Duration>>,
    accepted: AtomicUsize,
    /// The number of requests rejected with 401: the current key set has no such key.
    refused: AtomicUsize,
    /// The number of requests rejected with another status: the result is unknown until the next
    /// fetch is allowed.
    unavailable: AtomicUsize,
}

/// The p50 and p99 latency of requests with valid tokens, in microseconds.
#[derive(Clone, Copy)]
struct Latency {
    p50: f64,
    p99: f64,
}

fn main() {
    // `cargo test --all-targets` also runs this program, but does not need its figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let server = Server::start();
    let key = TestKey::generate("a", Algorithm::Es256);
    server.set("/jwks", Answer::Document(TestKey::jwks([&key]).to_string()));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let building = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(server.url("/jwks")).build();
    let auth = runtime.block_on(building).unwrap();
    let service = Service { runtime, auth, key };
    // One-time work must not be part of the figures.
    service.run(ROUND / 4, 0, Bad::RandomKid);

    println!(
        "long form: {FLOOD} random kids, {FLOOD_RATE} a second; {GOOD_RATE} good tokens a second"
    );
    let begun = Instant::now();
    let (latency, flood) = service.run(WINDOW, FLOOD, Bad::RandomKid);
    let took = begun.elapsed();
    let fetches = server.requests("/jwks").len();
    println!("  took {took:.1?}; fetches: {fetches}, the start's included");
    println!(
        "  of the flood: {} accepted, {} refused with 401, {} with 503",
        flood.accepted.load(Ordering::SeqCst),
        flood.refused.load(Ordering::SeqCst),
        flood.unavailable.load(Ordering::SeqCst),
    );
    println!("  good tokens: p50 {:.1} µs, p99 {:.1} µs", latency.p50, latency.p99);
    note(
        GROUP,
        &format!(
            "{FLOOD} tokens with random kids within {:.0} s: {fetches} fetches, the start's included.",
            took.as_secs_f64()
        ),
    );
    assert!(took <= WINDOW + Duration::from_secs(1), "the window is what bounds the fetches");
    assert!(fetches <= 2, "{fetches} fetches");

    println!("{ROUNDS} rounds of four times {ROUND:?}, in µs:");
    println!("{}", HEADINGS.map(|heading| format!("{heading:>11}")).join(""));
    let rounds: Vec<_> = (0..ROUNDS).map(|_| service.round()).collect();
    for round in &rounds {
        print(round);
    }
    println!("median, least and most:");
    let column = |column: usize| {
        let mut numbers: Vec<_> = rounds.iter().map(|round| round[column]).collect();
        numbers.sort_by(f64::total_cmp);
        numbers
    };
    let columns: [_; COLUMNS] = std::array::from_fn(column);
    for place in [ROUNDS / 2, 0, ROUNDS - 1] {
        print(&std::array::from_fn(|column| columns[column][place]));
    }
    let row = |(name, column): (&str, usize)| Measured {
        rounds: rounds.iter().map(|round| round[column] * 1000.0).collect(),
        ..Measured::new(name)
    };
    let rows = [
        ("good tokens alone, p99", 0),
        ("beside other bad tokens, p50", 1),
        ("beside random kids, p50", 2),
        ("beside other bad tokens, p99", 3),
        ("beside random kids, p99", 4),
    ];
    report(GROUP, &rows.map(row));
    println!("fetches in all: {}, in {:.0?}", server.requests("/jwks").len(), begun.elapsed());
}

fn print(numbers: &[f64; COLUMNS]) {
    println!("{}", numbers.map(|number| format!("{number:>11.2}")).join(""));
}

impl Service {
    /// Runs one round, and returns its row of figures.
    fn round(&self) -> [f64; COLUMNS] {
        let flood = FLOOD_RATE * usize::try_from(ROUND.as_secs()).unwrap();
        let alone = self.run(ROUND, 0, Bad::RandomKid).0;
        let before = self.run(ROUND, flood, Bad::OtherAlgorithm).0;
        let flooded = self.run(ROUND, flood, Bad::RandomKid).0;
        let after = self.run(ROUND, flood, Bad::OtherAlgorithm).0;
        let other = [f64::midpoint(before.p50, after.p50), f64::midpoint(before.p99, after.p99)];
        [
            alone.p99,
            other[0],
            flooded.p50,
            other[1],
            flooded.p99,
            flooded.p50 / other[0],
            flooded.p99 / other[1],
            after.p99 / before.p99,
        ]
    }

    /// Sends valid tokens for `time`, and meanwhile as many bad ones as `flood` specifies.
    fn run(&self, time: Duration, flood: usize, bad: Bad) -> (Latency, Arc<Outcome>) {
        let now = SystemClock::new().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now + 900});
        let good = self.key.token(&claims);
        let (chance, tail) = (RandomState::new(), good.split_once('.').unwrap().1);
        let forged = |number: usize| {
            let (alg, kid) = match bad {
                Bad::RandomKid => ("ES256", format!("{:016x}", chance.hash_one(number))),
                Bad::OtherAlgorithm => ("ES384", "a".to_owned()),
            };
            let header = json!({"alg": alg, "typ": "at+jwt", "kid": kid}).to_string();
            format!("{}.{tail}", URL_SAFE_NO_PAD.encode(header))
        };
        let (answered, drowned) = (Arc::<Outcome>::default(), Arc::<Outcome>::default());
        let number = GOOD_RATE * usize::try_from(time.as_millis()).unwrap() / 1000;
        thread::scope(|scope| {
            scope.spawn(|| self.send(number, GOOD_RATE, &answered, |_| good.clone()));
            scope.spawn(|| self.send(flood, FLOOD_RATE, &drowned, forged));
        });
        assert_eq!(answered.accepted.load(Ordering::SeqCst), number, "a good token was refused");
        let mut latencies = std::mem::take(&mut *answered.latencies.lock().unwrap());
        latencies.sort_unstable();
        let at = |share: usize| latencies[latencies.len() * share / 100].as_secs_f64() * 1e6;
        (Latency { p50: at(50), p99: at(99) }, drowned)
    }

    /// Sends `number` tokens at `rate` per second, and waits for the responses.
    fn send(
        &self,
        number: usize,
        rate: usize,
        outcome: &Arc<Outcome>,
        token: impl Fn(usize) -> String,
    ) {
        let begun = Instant::now();
        let mut tasks = Vec::with_capacity(number);
        for sent in 0..number {
            // A late request is sent at once, so that the average rate is kept.
            let due = Duration::from_secs_f64(sent as f64 / rate as f64);
            // Requests are sent in batches, because a sleep is not exact below a millisecond.
            if due > begun.elapsed() + Duration::from_millis(1) {
                thread::sleep(due - begun.elapsed());
            }
            let value = HeaderValue::try_from(format!("Bearer {}", token(sent))).unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            let (auth, outcome, spawned) = (self.auth.clone(), outcome.clone(), Instant::now());
            tasks.push(self.runtime.spawn(async move {
                let status = auth.authenticate(&headers).await.map_err(|refusal| refusal.status());
                outcome.latencies.lock().unwrap().push(spawned.elapsed());
                let count = match status {
                    Ok(_) => &outcome.accepted,
                    Err(http::StatusCode::UNAUTHORIZED) => &outcome.refused,
                    Err(_) => &outcome.unavailable,
                };
                count.fetch_add(1, Ordering::SeqCst);
            }));
        }
        for task in tasks {
            self.runtime.block_on(task).unwrap();
        }
    }
}
