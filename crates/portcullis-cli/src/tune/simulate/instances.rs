//! The instances' key sets: when each is fetched, how old it is, and how long a withdrawn key stays
//! in it.

use rand::RngExt as _;

use super::Chance;
use super::tally::{Counts, Histogram};
use crate::tune::scenario::{Scenario, Verifier};

/// Withdrawals, each of which meets every instance at some moment of its own.
const WITHDRAWALS: usize = 100;

#[derive(Debug, PartialEq)]
pub(crate) struct KeyLags {
    /// Of each instance in the window.
    pub(crate) fetches: Counts,
    /// Of each instance and withdrawal.
    pub(crate) each: Histogram,
    /// Of the last instance of each withdrawal.
    pub(crate) last: Histogram,
}

pub(super) fn run(scenario: &Scenario, window: f64, chance: &mut Chance) -> KeyLags {
    let verifier = &scenario.verifier;
    let bound = verifier.used_ttl;
    let mut lags = KeyLags {
        fetches: Counts::default(),
        each: Histogram::new(bound),
        last: Histogram::new(bound),
    };
    for _ in 0..scenario.instances {
        let (mut now, mut fetches) = (KeySet::at_some_moment(verifier, chance).renewed_in, 0);
        while now < window {
            fetches += 1;
            now += lifetime(verifier, chance);
        }
        lags.fetches.count(fetches);
    }
    for _ in 0..WITHDRAWALS {
        let mut last = 0.0_f64;
        for _ in 0..scenario.instances {
            let lag = KeySet::at_some_moment(verifier, chance).renewed_in;
            lags.each.record(lag);
            last = last.max(lag);
        }
        lags.last.record(last);
    }
    lags
}

/// A key set in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeySet {
    pub(super) age: f64,
    renewed_in: f64,
}

impl KeySet {
    /// That of an instance that has run for long, at a random moment: one that was fetched at
    /// a random moment of the past and has not been renewed since.
    pub(super) fn at_some_moment(verifier: &Verifier, chance: &mut Chance) -> Self {
        loop {
            let age = chance.random::<f64>() * verifier.used_ttl;
            let lifetime = lifetime(verifier, chance);
            if age < lifetime {
                return Self { age, renewed_in: lifetime - age };
            }
        }
    }
}

/// How old a key set is when it is renewed.
fn lifetime(verifier: &Verifier, chance: &mut Chance) -> f64 {
    // As `Lifetime::new` in the core.
    let ahead = verifier.refresh_ahead.min(verifier.used_ttl / 3.0);
    verifier.used_ttl - ahead * (1.0 + chance.random::<f64>())
}
