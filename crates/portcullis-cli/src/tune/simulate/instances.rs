//! The instances' key sets: fetches, ages, and the time for which a withdrawn key is accepted.

use rand::RngExt as _;
use rand_distr::Exp1;

use super::Chance;
use super::tally::{Counts, Histogram};
use crate::tune::scenario::Scenario;

/// The number of simulated withdrawals. Each happens at a random moment of every instance.
const WITHDRAWALS: usize = 100;

#[derive(Debug, PartialEq)]
pub(crate) struct KeyLags {
    /// The number of fetches of each instance within the window.
    pub(crate) fetches: Counts,
    /// The lags of each instance at each withdrawal.
    pub(crate) each: Histogram,
    /// The lag of the last instance at each withdrawal.
    pub(crate) last: Histogram,
}

pub(super) fn run(scenario: &Scenario, window: f64, chance: &mut Chance) -> KeyLags {
    let bound = scenario.verifier.used_ttl;
    let mut lags = KeyLags {
        fetches: Counts::default(),
        each: Histogram::new(bound),
        last: Histogram::new(bound),
    };
    for _ in 0..scenario.instances {
        let (mut now, mut fetches) = (KeySet::at_some_moment(scenario, chance).renewed_in, 0);
        while now < window {
            fetches += 1;
            now += due_at(scenario, chance).min(rotated_in(scenario, chance));
        }
        lags.fetches.count(fetches);
    }
    for _ in 0..WITHDRAWALS {
        let mut last = 0.0_f64;
        for _ in 0..scenario.instances {
            let lag = KeySet::at_some_moment(scenario, chance).renewed_in;
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
    /// The stationary state: a key set that was fetched at a random moment in the past and not renewed
    /// since.
    pub(super) fn at_some_moment(scenario: &Scenario, chance: &mut Chance) -> Self {
        loop {
            let age = unrotated_age(scenario, chance);
            let due_at = due_at(scenario, chance);
            if age < due_at {
                // Rotations are memoryless: the next one does not depend on the age.
                let renewed_in = (due_at - age).min(rotated_in(scenario, chance));
                return Self { age, renewed_in };
            }
        }
    }
}

/// The age, up to the TTL, of a key set that no rotation has renewed: exponentially distributed, or
/// uniformly if there are no rotations.
fn unrotated_age(scenario: &Scenario, chance: &mut Chance) -> f64 {
    let (ttl, rate) = (scenario.verifier.used_ttl, scenario.rotations());
    let uniform = chance.random::<f64>();
    if rate == 0.0 { uniform * ttl } else { -(uniform * (-rate * ttl).exp_m1()).ln_1p() / rate }
}

/// The age at which an instance renews a key set, unless a rotation comes first.
fn due_at(scenario: &Scenario, chance: &mut Chance) -> f64 {
    let verifier = &scenario.verifier;
    // The same formula as in `Lifetime::new` of the core.
    let ahead = verifier.refresh_ahead.min(verifier.used_ttl / 3.0);
    verifier.used_ttl - ahead * (1.0 + chance.random::<f64>())
}

/// The time until an instance sees the first token with the next key. It is independent of other instances.
fn rotated_in(scenario: &Scenario, chance: &mut Chance) -> f64 {
    chance.sample::<f64, _>(Exp1) / scenario.rotations()
}
