//! Token cache hits: with many tokens, with two threads, and compared with other lookups.

use std::cell::Cell;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use aws_lc_rs::{constant_time, digest};
use foldhash::quality::RandomState;
use highway::{HighwayHash, HighwayHasher, Key};
use http::HeaderMap;
use jsonwebtoken::decode;
use portcullis_benches::measure::{Case, Measured, measure, note, report};
use portcullis_benches::scenario::{CACHE, Claims, Signer, bearer, caller};

use super::theirs;

/// Compares one token that is used repeatedly with 10,000 tokens that are used in turn.
pub(crate) fn walks(rounds: usize) {
    let signer = Signer::new("RS256");
    let auth = signer.authenticator(CACHE);
    let (token, (key, validation)) = (signer.token(0), theirs(&signer, "RS256"));
    let many: Vec<HeaderMap> = (0..10_000).map(|number| bearer(&signer.token(number))).collect();
    many.iter().for_each(|headers| drop(caller(&auth, headers)));
    let at = Cell::new(0);
    let measured = measure(
        vec![
            Case::new("one token", || drop(black_box(caller(&auth, &many[0])))),
            Case::new("10,000 tokens in turn", || {
                at.set((at.get() + 1) % many.len());
                drop(black_box(caller(&auth, &many[at.get()])));
            }),
            Case::new("jsonwebtoken", || {
                drop(decode::<Claims>(black_box(token.as_str()), &key, &validation).unwrap());
            }),
        ],
        rounds,
    );
    report("warm RS256", &measured);
}

/// Measures the same work on one thread and on two concurrent threads, each with its own tokens, in
/// nanoseconds per operation and thread.
pub(crate) fn threads(rounds: usize) {
    let signer = Signer::new("ES256");
    let auth = signer.authenticator(CACHE);
    let tokens: Vec<Vec<String>> = (0..2)
        .map(|thread| (0..64).map(|number| signer.token(thread * 1000 + number)).collect())
        .collect();
    let headers: Vec<Vec<HeaderMap>> =
        tokens.iter().map(|own| own.iter().map(|token| bearer(token)).collect()).collect();
    headers.iter().flatten().for_each(|headers| drop(caller(&auth, headers)));
    let hasher = RandomState::default();
    let warm = |thread: usize, number: usize| {
        let own = &headers[thread];
        drop(black_box(caller(&auth, &own[number % own.len()])));
    };
    let bare = |thread: usize, number: usize| {
        let own = &tokens[thread];
        black_box(hash(&hasher, &own[number % own.len()]));
    };
    let shared = |_: usize, number: usize| {
        drop(black_box(caller(&auth, &headers[0][number % 64])));
    };
    let same = |_: usize, _: usize| drop(black_box(caller(&auth, &headers[0][0])));
    let mut measured: Vec<Measured> = [
        "warm, 1 thread",
        "warm, 2 threads",
        "bare hash, 1 thread",
        "bare hash, 2 threads",
        "warm, 2 threads, the same 64 tokens",
        "warm, 2 threads, one token",
    ]
    .map(Measured::new)
    .to_vec();
    for _ in 0..rounds {
        let times = [
            on_threads(1, 40_000, &warm),
            on_threads(2, 40_000, &warm),
            on_threads(1, 200_000, &bare),
            on_threads(2, 200_000, &bare),
            on_threads(2, 40_000, &shared),
            on_threads(2, 40_000, &same),
        ];
        for (measured, time) in measured.iter_mut().zip(times) {
            measured.rounds.push(time);
        }
    }
    report("threads ES256", &measured);
}

fn hash(hasher: &RandomState, token: &str) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(token.as_bytes());
    hasher.finish()
}

/// Returns the mean duration of an operation, on threads that start together.
fn on_threads(threads: usize, number: usize, operation: &(impl Fn(usize, usize) + Sync)) -> f64 {
    let waiting = AtomicUsize::new(threads);
    let times: Vec<f64> = std::thread::scope(|scope| {
        let run = |thread: usize| {
            let waiting = &waiting;
            scope.spawn(move || {
                waiting.fetch_sub(1, Ordering::SeqCst);
                while waiting.load(Ordering::SeqCst) > 0 {
                    std::hint::spin_loop();
                }
                let begun = Instant::now();
                (0..number).for_each(|number| operation(thread, number));
                begun.elapsed().as_secs_f64() * 1e9 / number as f64
            })
        };
        let spawned: Vec<_> = (0..threads).map(run).collect();
        spawned.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    times.iter().sum::<f64>() / times.len() as f64
}

/// Measures the effect on memory of a flood of valid tokens, each of which is used once.
pub(crate) fn flood() {
    const BOUND: usize = 8 * 1024 * 1024;
    let signer = Signer::new("HS256");
    let auth = signer.authenticator(BOUND);
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: Option<usize> = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok());
        pages.unwrap_or_default() as f64 * 4096.0 / (1024.0 * 1024.0)
    };
    let before = resident();
    let grown: Vec<String> = [10_000, 50_000, 100_000, 200_000]
        .into_iter()
        .scan(0, |sent, number| {
            (*sent..number).for_each(|new| drop(caller(&auth, &bearer(&signer.token(new)))));
            *sent = number;
            Some(format!("{:.1} MiB after {number}", resident() - before))
        })
        .collect();
    note(
        "threads ES256",
        &format!(
            "A flood of new valid tokens, with a bound of 8 MiB: the process grew by {}.",
            grown.join(", ")
        ),
    );
}

/// Measures alternatives for the cache key and for the map.
pub(crate) fn candidates(rounds: usize) {
    let token = Signer::new("RS256").token(0);
    let (bytes, copy) = (token.as_bytes(), token.clone());
    let hasher = RandomState::default();
    let measured = measure(
        vec![
            Case::new("SHA-256", || {
                black_box(digest::digest(&digest::SHA256, black_box(bytes)));
            }),
            Case::new("HighwayHash-256, keyed", || {
                black_box(HighwayHasher::new(Key([1, 2, 3, 4])).hash256(black_box(bytes)));
            }),
            Case::new("SipHash-1-3 (64 bits)", || {
                let mut hasher = DefaultHasher::new();
                hasher.write(black_box(bytes));
                black_box(hasher.finish());
            }),
            Case::new("foldhash, seeded, and the whole token compared", || {
                black_box(hash(&hasher, black_box(&token)));
                let same =
                    constant_time::verify_slices_are_equal(black_box(bytes), copy.as_bytes());
                black_box(same).unwrap();
            }),
            Case::new("foldhash, seeded, alone", || {
                black_box(hash(&hasher, black_box(&token)));
            }),
        ],
        rounds,
    );
    report("found by", &measured);

    const KEYS: u64 = 1024;
    let moka = moka::sync::Cache::<u64, Arc<u64>>::builder()
        .max_capacity(10 * KEYS)
        .build_with_hasher(RandomState::default());
    let quick = quick_cache::sync::Cache::<u64, Arc<u64>>::new(10_000);
    let papaya = papaya::HashMap::<u64, Arc<u64>, RandomState>::with_hasher(RandomState::default());
    let slots: Vec<ArcSwapOption<u64>> = (0..KEYS).map(ArcSwapOption::from_pointee).collect();
    for key in 0..KEYS {
        moka.insert(key, Arc::new(key));
        quick.insert(key, Arc::new(key));
        papaya.pin().insert(key, Arc::new(key));
    }
    let key = |thread: usize, number: usize| (number as u64 * 2 + thread as u64) % KEYS;
    let of_moka = |thread: usize, number: usize| drop(black_box(moka.get(&key(thread, number))));
    let of_quick = |thread: usize, number: usize| drop(black_box(quick.get(&key(thread, number))));
    let of_papaya = |thread: usize, number: usize| {
        drop(black_box(papaya.pin().get(&key(thread, number)).cloned()));
    };
    let of_slots = |thread: usize, number: usize| {
        let found = slots[key(thread, number) as usize].load();
        drop(black_box(found.as_ref().map(Arc::clone)));
    };
    let mut measured = Vec::new();
    for threads in [1, 2] {
        let mut of = |name: &str, operation: &(dyn Fn(usize, usize) + Sync)| {
            let rounds = (0..rounds).map(|_| on_threads(threads, 50_000, &operation)).collect();
            let name = format!("{name}, {threads} thread{}", if threads == 1 { "" } else { "s" });
            measured.push(Measured { rounds, ..Measured::new(name) });
        };
        of("moka", &of_moka);
        of("quick_cache", &of_quick);
        of("papaya", &of_papaya);
        of("slots behind arc-swap", &of_slots);
    }
    report("found in", &measured);
}
