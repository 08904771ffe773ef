//! The figures of one setting, by closed form and by simulation.

use serde::Serialize;

use super::activity::Recorded;
use super::agreement::{self, Comparison};
use super::load::Load;
use super::measured::Measured;
use super::replay::Replayed;
use super::scenario::Scenario;
use super::simulate::{Share, Simulated};

#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) scenario: Scenario,
    /// The bound if clocks differ by the leeway; `lag_longest` is the bound if clocks agree.
    pub(super) lag_bound: f64,
    pub(super) lag_longest: f64,
    /// The share of revoked sessions whose token had expired.
    pub(super) without_lag: Figure,
    /// The lags of the other revoked sessions.
    pub(super) lag_median: Figure,
    pub(super) lag_p99: Figure,
    pub(super) lag_max: f64,
    pub(super) exposure_per_day: f64,
    pub(super) key_lag_bound: f64,
    pub(super) key_lag_bound_in_outage: f64,
    pub(super) key_lag_median: Figure,
    pub(super) key_lag_p99: Figure,
    /// The time until the last instance has fetched the new key set: the median of many withdrawals.
    pub(super) key_lag_last_instance: f64,
    pub(super) refreshes: Figure,
    /// The refreshes that are logins of sessions that ended while idle, if the issuer ends idle
    /// sessions.
    pub(super) idle_logins: Option<Figure>,
    pub(super) busiest_second: u64,
    /// The figures of the recorded requests. All other figures use the means of these requests.
    pub(super) recorded: Option<Replayed>,
    pub(super) fetches: Figure,
    pub(super) issuer_cores: f64,
    /// The issuer cores in the busiest minute of the recorded requests.
    pub(super) busiest_cores: Option<f64>,
    pub(super) cache_hits: Figure,
    pub(super) validations: f64,
    pub(super) cpu_per_validation: f64,
    pub(super) cpu_per_validation_without_cache: f64,
    /// Shares of the sessions that are active when the outage ends.
    pub(super) tokens_ended: Figure,
    pub(super) keys_ended: Figure,
    pub(super) locked_out: Figure,
    /// The number of sessions that request a token right after the outage.
    pub(super) waiting_after_outage: Figure,
    /// The number of the waiting sessions that must log in, if the issuer ends idle sessions.
    pub(super) logging_in_after_outage: Option<Figure>,
    /// The time that the issuer needs for the waiting sessions, in seconds; `None` if it never
    /// finishes.
    pub(super) recovery: Option<f64>,
    /// Whether the logins decide the recovery, because only a part of the cores hashes passwords.
    pub(super) recovery_by_logins: bool,
    pub(super) refused_by_skew: Figure,
    /// Closed forms and simulation side by side.
    pub(super) agreement: Vec<Comparison>,
    /// The measurements of a live run, which has fewer sessions.
    pub(super) live: Option<Measured>,
}

/// One figure, computed by closed form and by simulation.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Figure {
    pub(super) model: f64,
    pub(super) simulated: f64,
    /// Half the width of the 95 % interval of the simulation.
    pub(super) error: f64,
}

/// Half the width of the 95 % interval of a normal distribution, in standard deviations.
pub(super) const DEVIATE: f64 = 1.96;

impl Figure {
    fn share(model: f64, of: Share) -> Self {
        let error = DEVIATE * (model * (1.0 - model) / of.all.max(1) as f64).sqrt();
        Self { model, simulated: of.value(), error }
    }

    fn times(self, factor: f64) -> Self {
        let Self { model, simulated, error } = self;
        Self { model: model * factor, simulated: simulated * factor, error: error * factor }
    }

    fn complement(self) -> Self {
        Self { model: 1.0 - self.model, simulated: 1.0 - self.simulated, ..self }
    }
}

impl Figures {
    pub(super) fn new(
        scenario: &Scenario,
        simulated: &Simulated,
        window: f64,
        recorded: Option<&Recorded>,
    ) -> Self {
        let (sessions, keys, outage) = (&simulated.sessions, &simulated.keys, scenario.outage);
        let recorded = recorded.map(|recorded| Replayed::new(recorded, scenario));
        let load = Load::with(scenario, recorded.as_ref());
        let recovery = load.recovery(scenario);
        let lag = |quantile| Figure {
            model: scenario.lag_quantile(quantile),
            simulated: sessions.lags.quantile(quantile),
            error: sessions.lags.quantile_error(quantile),
        };
        let key_lag = |quantile| Figure {
            model: scenario.key_lag_quantile(quantile),
            simulated: keys.each.quantile(quantile),
            error: keys.each.quantile_error(quantile),
        };
        let misses = 1.0 - scenario.cache_hits();
        let cache_hits = Figure {
            model: 1.0 - misses,
            simulated: 1.0 - sessions.misses.share(),
            error: DEVIATE * sessions.misses.deviation(misses),
        };
        let hits = recorded.as_ref().map_or(cache_hits.model, |recorded| recorded.cache_hits);
        let mean_lag =
            recorded.as_ref().map_or_else(|| scenario.mean_lag(), |recorded| recorded.mean_lag);
        let costs = &scenario.costs;
        let active = scenario.active_sessions();
        Self {
            lag_bound: scenario.lag_bound(),
            lag_longest: scenario.accepted_for(),
            without_lag: Figure::share(scenario.lag_exceeds(0.0), sessions.accepted).complement(),
            lag_median: lag(0.5),
            lag_p99: lag(0.99),
            lag_max: sessions.lags.max(),
            exposure_per_day: scenario.revocations_per_day * mean_lag,
            key_lag_bound: scenario.key_lag_bound(),
            key_lag_bound_in_outage: scenario.key_lag_bound_in_outage(),
            key_lag_median: key_lag(0.5),
            key_lag_p99: key_lag(0.99),
            key_lag_last_instance: keys.last.quantile(0.5),
            refreshes: Figure {
                model: scenario.refreshes(),
                simulated: sessions.refreshes.sum as f64 / window,
                error: DEVIATE * sessions.refreshes.variance().sqrt() / window,
            },
            idle_logins: scenario.session_idle.map(|_| Figure {
                model: scenario.idle_logins(),
                simulated: sessions.idle_logins.sum as f64 / window,
                error: DEVIATE * sessions.idle_logins.variance().sqrt() / window,
            }),
            busiest_second: sessions.busiest_second(),
            fetches: Figure {
                model: scenario.fetches(),
                simulated: keys.fetches.sum as f64 / window,
                error: DEVIATE * keys.fetches.variance().sqrt() / window,
            },
            issuer_cores: load.issuer_cores(scenario),
            busiest_cores: recorded.is_some().then(|| load.busiest_cores(scenario)),
            cache_hits,
            validations: load.validations,
            cpu_per_validation: hits * costs.hit + (1.0 - hits) * costs.verify,
            cpu_per_validation_without_cache: costs.verify,
            tokens_ended: Figure::share(scenario.tokens_ended(outage), sessions.tokens_ended),
            keys_ended: Figure::share(scenario.keys_ended(outage), sessions.keys_ended),
            locked_out: Figure::share(scenario.locked_out(outage), sessions.locked_out),
            waiting_after_outage: Figure::share(
                scenario.waiting(outage) / active,
                sessions.waiting,
            )
            .times(active),
            logging_in_after_outage: scenario.session_idle.map(|_| {
                let share = scenario.logging_in(outage) / active;
                Figure::share(share, sessions.logging_in).times(active)
            }),
            recovery: recovery.map(|served| served.secs),
            recovery_by_logins: recovery.is_some_and(|served| served.by_logins),
            refused_by_skew: Figure::share(scenario.refused_by_skew(), sessions.skewed),
            agreement: agreement::compare(scenario, simulated, window, agreement::FALSE_ALARM),
            recorded,
            live: None,
            scenario: *scenario,
        }
    }

    /// The load at the issuer.
    pub(super) fn load(&self) -> Load {
        Load::with(&self.scenario, self.recorded.as_ref())
    }

    /// The probability that a session, revoked at a random moment, is accepted for longer than `lag`.
    pub(super) fn lag_exceeds(&self, lag: f64) -> f64 {
        match &self.recorded {
            Some(recorded) => recorded.exceeds(lag, &self.scenario),
            None => self.scenario.lag_exceeds(lag),
        }
    }
}
