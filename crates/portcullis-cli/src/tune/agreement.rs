//! Compares the closed forms with the simulation. They may differ only by the randomness of the simulation.
//!
//! Each figure has an interval. `FALSE_ALARM` is divided among all figures of a report, so it does not depend
//! on their number. Shares use Chernoff's bound. Distributions use the bound of Dvoretzky, Kiefer and
//! Wolfowitz. Both bounds hold for samples of any size. Counts and ratios use their own variance, with
//! Bernstein's term for few events.

use serde::Serialize;

use super::scenario::Scenario;
use super::simulate::{Misses, Share, Simulated};

/// The probability that a report shows a disagreement by chance alone.
pub(super) const FALSE_ALARM: f64 = 1e-4;

/// The number of figures of [`compare`] without `session_idle`.
pub(super) const FIGURES: usize = 11;

/// The number of further figures with `session_idle`.
pub(super) const FIGURES_OF_IDLE: usize = 2;

/// One figure, computed by closed form and by simulation.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Comparison {
    pub(super) name: &'static str,
    pub(super) model: f64,
    pub(super) simulated: f64,
    /// The largest difference that can be due to chance.
    pub(super) allowed: f64,
    pub(super) agrees: bool,
    /// The difference in standard deviations. Summed over many settings it is near zero; otherwise the closed
    /// form or the simulation is slightly wrong.
    #[serde(skip)]
    #[cfg_attr(not(test), expect(dead_code, reason = "a test sums them over many settings"))]
    pub(super) deviations: Option<f64>,
}

/// Compares the figures of a report. `false_alarm` is the probability for all of them together.
pub(super) fn compare(
    scenario: &Scenario,
    simulated: &Simulated,
    window: f64,
    false_alarm: f64,
) -> Vec<Comparison> {
    let count = FIGURES + scenario.session_idle.map_or(0, |_| FIGURES_OF_IDLE);
    let gate = Gate { odds: (2.0 * count as f64 / false_alarm).ln() };
    let (sessions, keys, outage) = (&simulated.sessions, &simulated.keys, scenario.outage);
    let accepted = scenario.lag_exceeds(0.0);
    let still = |lag: f64| if accepted > 0.0 { scenario.lag_exceeds(lag) / accepted } else { 0.0 };
    let mut all = vec![
        gate.count(
            "refreshes in the simulated time",
            scenario.refreshes() * window,
            sessions.refreshes.sum,
            sessions.refreshes.variance(),
        ),
        gate.share("revoked sessions that are still accepted", accepted, sessions.accepted),
        gate.distribution(
            "lag of a revoked session (largest difference)",
            sessions.lags.furthest_from(still),
            sessions.lags.all(),
        ),
        gate.distribution(
            "lag of a withdrawn key (largest difference)",
            keys.each.furthest_from(|lag| scenario.key_lag_exceeds(lag)),
            keys.each.all(),
        ),
        gate.count(
            "fetches in the simulated time",
            scenario.fetches() * window,
            keys.fetches.sum,
            keys.fetches.variance(),
        ),
        gate.share(
            "tokens that expire in the outage",
            scenario.tokens_ended(outage),
            sessions.tokens_ended,
        ),
        gate.share(
            "sessions that the outage locks out",
            scenario.locked_out(outage),
            sessions.locked_out,
        ),
        gate.share(
            "key sets that expire in the outage",
            scenario.keys_ended(outage),
            sessions.keys_ended,
        ),
        gate.share(
            "sessions that request a token after the outage",
            scenario.waiting(outage) / scenario.active_sessions(),
            sessions.waiting,
        ),
        gate.share(
            "requests rejected because of clock skew",
            scenario.refused_by_skew(),
            sessions.skewed,
        ),
        gate.misses(1.0 - scenario.cache_hits(), &sessions.misses),
    ];
    if scenario.session_idle.is_some() {
        let share = scenario.logging_in(outage) / scenario.active_sessions();
        all.extend([
            gate.share("sessions that log in after the outage", share, sessions.logging_in),
            gate.count(
                "logins of sessions that ended while idle",
                scenario.idle_logins() * window,
                sessions.idle_logins.sum,
                sessions.idle_logins.variance(),
            ),
        ]);
    }
    all
}

/// `odds` = ln(2 / p), with p the false-alarm probability of one figure.
struct Gate {
    odds: f64,
}

impl Gate {
    /// Compares shares of n. They agree if n times their Kullback-Leibler divergence is at most `odds`.
    fn share(&self, name: &'static str, model: f64, of: Share) -> Comparison {
        let (simulated, all) = (of.value(), of.all as f64);
        // The closed forms are exact to 12 digits.
        let exact = if model < 1e-12 {
            0.0
        } else if model > 1.0 - 1e-12 {
            1.0
        } else {
            model
        };
        let distance = |share: f64| {
            let term = |p: f64, q: f64| if p == 0.0 { 0.0 } else { p * (p / q).ln() };
            term(share, exact) + term(1.0 - share, 1.0 - exact)
        };
        let deviation = (exact * (1.0 - exact) / all.max(1.0)).sqrt();
        Comparison {
            name,
            model: exact,
            simulated,
            allowed: deviation * (2.0 * self.odds).sqrt() + self.odds / 3.0 / all.max(1.0),
            agrees: of.all == 0 || all * distance(simulated) <= self.odds,
            deviations: (deviation > 0.0 && all * exact * (1.0 - exact) > 5.0)
                .then(|| (simulated - exact) / deviation),
        }
    }

    /// Compares a count, whose variance is `variance`.
    fn count(&self, name: &'static str, model: f64, sum: u64, variance: f64) -> Comparison {
        let (simulated, off) = (sum as f64, (sum as f64 - model).abs());
        let allowed = (2.0 * self.odds * variance).sqrt() + self.odds / 3.0;
        let deviations = (variance > 5.0).then(|| (simulated - model) / variance.sqrt());
        Comparison { name, model, simulated, allowed, agrees: off <= allowed, deviations }
    }

    /// Compares a distribution with that of `values` simulated values, by their largest difference.
    fn distribution(
        &self,
        name: &'static str,
        (_, simulated, model): (f64, f64, f64),
        values: u64,
    ) -> Comparison {
        let allowed = (self.odds / 2.0 / values.max(1) as f64).sqrt();
        let agrees = values == 0 || (simulated - model).abs() <= allowed;
        Comparison { name, model, simulated, allowed, agrees, deviations: None }
    }

    /// The share of token cache misses.
    fn misses(&self, model: f64, misses: &Misses) -> Comparison {
        let (simulated, deviation) = (misses.share(), misses.deviation(model));
        let allowed = deviation * (2.0 * self.odds).sqrt() + self.odds / 3.0 * misses.largest();
        Comparison {
            name: "token cache misses",
            model,
            simulated,
            allowed,
            agrees: misses.requests() == 0.0 || (simulated - model).abs() <= allowed,
            deviations: (deviation > 0.0 && deviation > 5.0 * misses.largest())
                .then(|| (simulated - model) / deviation),
        }
    }
}
