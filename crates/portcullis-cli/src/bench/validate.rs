//! Measures validations by case, by number of threads, and by number of distinct tokens.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use http::HeaderMap;
use portcullis::{Authenticator, adapter::MaybeReady};

use super::material::{CACHE, Material, bare, split};
use super::measure::{Case, Measured, measure};
use super::peer;
use super::report::{Case as CaseReport, Distinct, Spread, Threads, Validation};
use super::stop::Stop;
use crate::exit::Failure;

pub(super) const BARE: &str = "bare signature check";
pub(super) const COLD: &str = "cold";
pub(super) const NEW: &str = "new tokens, cache on";
pub(super) const WARM: &str = "warm";
pub(super) const PEER: &str = "jsonwebtoken";

/// The size of a token cache, in bytes, that evicts each token before the token is validated again.
const TINY_CACHE: usize = 64 * 1024;

/// The number of distinct tokens that are validated in turn, which is more than the tiny cache
/// holds.
const NEW_TOKENS: usize = 512;

fn validate(auth: &Authenticator, headers: &HeaderMap) {
    match auth.attempt(black_box(headers)) {
        MaybeReady::Ready(outcome) => drop(black_box(outcome)),
        MaybeReady::Pending(_) => unreachable!("the keys are local"),
    }
}

/// Measures one token: the bare check, validations with and without the token cache, and
/// jsonwebtoken.
pub(super) async fn one(
    material: &mut Material,
    rounds: u64,
    stop: &Stop,
    done: impl FnMut(),
) -> Result<Validation, Failure> {
    material.distinct(NEW_TOKENS);
    let material = &*material;
    let key = bare(&material.jwk, material.algorithm);
    let (Some(key), Some((message, signature))) = (key, split(material.token())) else {
        return Err(Failure::wrong("aws-lc-rs rejects the token's key"));
    };
    let headers = material.headers()?;
    let one = headers.first().cloned().unwrap_or_default();
    let (cold, warm) = (material.authenticator(0).await?, material.authenticator(CACHE).await?);
    let tiny = material.authenticator(TINY_CACHE).await?;
    let mut cases = vec![
        Case::new(BARE, || {
            let _ = black_box(key.verify_sig(black_box(message.as_bytes()), &signature));
        }),
        Case::new(COLD, || validate(&cold, &one)),
        Case::new(WARM, || validate(&warm, &one)),
    ];
    let mut next = headers.iter().cycle();
    if headers.len() >= NEW_TOKENS {
        cases.push(Case::new(NEW, move || {
            next.next().into_iter().for_each(|headers| validate(&tiny, headers));
        }));
    }
    cases.extend(peer::decoding(material).map(|run| Case { name: PEER, run }));
    let measured = measure(cases, rounds, stop, done);
    Ok(Validation {
        algorithm: material.algorithm.as_str().to_owned(),
        token_bytes: material.token().len(),
        rounds: measured.first().map_or(0, |case| case.rounds.len()),
        cases: measured.iter().map(|case| case_report(case, &measured)).collect(),
    })
}

fn case_report(case: &Measured, all: &[Measured]) -> CaseReport {
    let to = |name: &str| {
        let other = all.iter().find(|other| other.name == name)?;
        Some(Spread::of(case.rounds.iter().zip(&other.rounds).map(|(a, b)| a / b)))
    };
    CaseReport {
        name: case.name.to_owned(),
        nanos: Spread::of(case.rounds.iter().copied()),
        to_bare: to(BARE),
        to_jsonwebtoken: to(PEER),
        allocations: case.allocations,
        single: (&case.runs).into(),
    }
}

/// Measures the validations per second with each number of threads, cold and warm.
pub(super) async fn threads(
    material: &Material,
    numbers: &[usize],
    rounds: u64,
    stop: &Stop,
    mut done: impl FnMut(),
) -> Result<Vec<Threads>, Failure> {
    let (cold, warm) = (material.authenticator(0).await?, material.authenticator(CACHE).await?);
    let headers = material.headers()?;
    let cases = [(COLD, &cold), (WARM, &warm)];
    let mut rates: Vec<_> =
        cases.iter().flat_map(|case| numbers.iter().map(|n| (*case, *n, Vec::new()))).collect();
    for round in 0..rounds {
        if round > 0 && stop.asked() {
            break;
        }
        for ((_, auth), threads, rates) in &mut rates {
            rates.push(rate(auth, &headers, *threads));
        }
        done();
    }
    Ok(rates
        .into_iter()
        .map(|((case, _), threads, rates)| Threads {
            case: case.to_owned(),
            threads,
            per_second: Spread::of(rates.into_iter()),
        })
        .collect())
}

/// Returns the validations per second of all threads. The threads begin with different tokens, as
/// if each served its own connection.
fn rate(auth: &Authenticator, headers: &[HeaderMap], threads: usize) -> f64 {
    const TIME: Duration = Duration::from_millis(20);
    let start = Barrier::new(threads);
    let one = |number: usize| {
        let mut runs = 0_u64;
        let mut own = headers.iter().cycle().skip(number);
        start.wait();
        let begun = Instant::now();
        while begun.elapsed() < TIME {
            own.by_ref().step_by(threads).take(16).for_each(|headers| validate(auth, headers));
            runs += 16;
        }
        runs as f64 / begun.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|number| scope.spawn(move || one(number))).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).sum()
    })
}

/// Measures a warm validation by the number of distinct tokens, which are validated in turn.
pub(super) async fn distinct(
    material: &mut Material,
    numbers: &[usize],
    rounds: u64,
    stop: &Stop,
    done: impl FnMut(),
) -> Result<Vec<Distinct>, Failure> {
    material.distinct(numbers.iter().copied().max().unwrap_or(1));
    let headers = material.headers()?;
    let numbers: Vec<_> = numbers.iter().copied().filter(|n| *n <= headers.len()).collect();
    let mut auths = Vec::new();
    for _ in &numbers {
        // Each authenticator has validated every token, and its cache holds the tokens that fit.
        auths.push(material.authenticator(CACHE).await?);
    }
    let ats = vec![Cell::new(0); numbers.len()];
    let cases = numbers.iter().zip(&auths).zip(&ats).map(|((number, auth), at)| {
        let tokens = headers.get(..*number).unwrap_or_default();
        Case::new(WARM, move || {
            at.set((at.get() + 1) % tokens.len());
            tokens.get(at.get()).into_iter().for_each(|headers| validate(auth, headers));
        })
    });
    let measured = measure(cases.collect(), rounds, stop, done);
    Ok(numbers
        .iter()
        .zip(measured)
        .map(|(number, measured)| Distinct {
            tokens: *number,
            nanos: Spread::of(measured.rounds.into_iter()),
            allocations: measured.allocations,
        })
        .collect())
}
