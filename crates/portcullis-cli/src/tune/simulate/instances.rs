//! The instances' key sets: when each is fetched, and how long a withdrawn key stays in it.

use rand::RngExt as _;

use super::{Chance, Histogram};
use crate::tune::scenario::Scenario;

/// Withdrawals in the window, each of which meets every instance.
const WITHDRAWALS: usize = 100;

#[derive(Debug, PartialEq)]
pub(crate) struct KeyLags {
    pub(crate) fetches: u64,
    /// Of each instance.
    pub(crate) each: Histogram,
    /// Of the last instance of each withdrawal.
    pub(crate) last: Histogram,
}

pub(super) fn run(scenario: &Scenario, window: f64, chance: &mut Chance) -> KeyLags {
    let bound = scenario.key_lag_bound();
    let (ttl, ahead) = (scenario.verifier.jwks_ttl, scenario.verifier.refresh_ahead());
    let mut withdrawals: Vec<_> =
        (0..WITHDRAWALS).map(|_| (chance.random::<f64>() * window, 0.0_f64)).collect();
    withdrawals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut lags = KeyLags { fetches: 0, each: Histogram::new(bound), last: Histogram::new(bound) };
    for _ in 0..scenario.instances {
        // Twenty fetches before the window it was started, at a random moment.
        let mut now = -(ttl - 1.5 * ahead) * (20.0 + chance.random::<f64>());
        let mut waiting = withdrawals.iter_mut().peekable();
        // Until every withdrawal is noticed, too.
        while now < window || waiting.peek().is_some() {
            now += ttl - ahead * (1.0 + chance.random::<f64>());
            lags.fetches += u64::from((0.0..window).contains(&now));
            while let Some((at, last)) = waiting.next_if(|(at, _)| *at <= now) {
                lags.each.record(now - *at);
                *last = last.max(now - *at);
            }
        }
    }
    for (_, last) in withdrawals {
        lags.last.record(last);
    }
    lags
}
