//! What is found out: figures, each from the closed form and from the simulation.

use serde::Serialize;

use super::activity::{Recorded, Summary};
use super::arguments::TuneArguments;
#[cfg(feature = "live")]
use super::live;
use super::measured::Measured;
use super::mechanisms::{self, Mechanism};
use super::recommend::{self, Recommendation};
use super::scenario::Scenario;
use super::simulate::{self, Simulated};
use super::sweep::{self, Point};
use crate::exit::Failure;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) simulated_secs: f64,
    /// What the file of activity shows.
    pub(super) recorded: Option<Summary>,
    /// One for each expiry that was asked about.
    pub(super) settings: Vec<Figures>,
    pub(super) comparison: Option<Comparison>,
    /// Of the first expiry.
    pub(super) mechanisms: Vec<Mechanism>,
    pub(super) sweep: Vec<Point>,
    pub(super) recommendation: Option<Recommendation>,
}

/// All figures of one expiry.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) scenario: Scenario,
    pub(super) lag_bound: f64,
    pub(super) lag_median: Figure,
    pub(super) lag_p99: Figure,
    pub(super) lag_max: f64,
    /// The share of sessions whose token is not accepted any more when they are revoked.
    pub(super) without_lag: Figure,
    pub(super) exposure_per_day: f64,
    pub(super) key_lag_bound: f64,
    pub(super) key_lag_bound_in_outage: f64,
    pub(super) key_lag_median: Figure,
    pub(super) key_lag_p99: Figure,
    /// Until the last of all instances has noticed: the median of many withdrawals.
    pub(super) key_lag_last_instance: f64,
    pub(super) refreshes: Figure,
    /// Of the recorded requests themselves, which the closed form sees through three means.
    pub(super) replayed: Option<f64>,
    pub(super) busiest_second: u64,
    pub(super) fetches: Figure,
    pub(super) issuer_cores: f64,
    pub(super) cache_hits: Figure,
    pub(super) requests: f64,
    pub(super) cpu_per_request: f64,
    pub(super) cpu_per_request_without_cache: f64,
    pub(super) locked_out: Figure,
    /// Sessions that ask the issuer at once when it is back.
    pub(super) waiting_after_outage: f64,
    pub(super) refused_by_skew: Figure,
    /// Of fewer sessions, with a real issuer and real instances.
    pub(super) live: Option<Measured>,
}

/// The same by two ways.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Figure {
    pub(super) model: f64,
    pub(super) simulated: f64,
    /// What chance makes of the simulated one: 95 % lie within.
    pub(super) error: f64,
}

/// How many more refreshes the second expiry makes than the first.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) always_active: f64,
    pub(super) as_given: f64,
    pub(super) as_simulated: f64,
}

impl Report {
    pub(super) fn new(arguments: &TuneArguments) -> Result<Self, Failure> {
        let recorded = arguments.recorded()?;
        let expiries = [Some(arguments.access_expiry), arguments.vs_access_expiry];
        let settings: Vec<_> = expiries
            .into_iter()
            .flatten()
            .map(|expiry| {
                let scenario = arguments.scenario(expiry, recorded.as_ref());
                let simulated = simulate::simulate(&scenario, arguments.simulate, arguments.seed);
                let mut figures = Figures::new(&scenario, &simulated);
                figures.replayed = recorded.as_ref().map(|recorded| recorded.replay(&scenario));
                figures
            })
            .collect();
        #[cfg(feature = "live")]
        let settings = with_live(settings, arguments)?;
        let first = arguments.scenario(arguments.access_expiry, recorded.as_ref());
        Ok(Self {
            seed: arguments.seed,
            simulated_secs: arguments.simulate,
            comparison: comparison(&settings),
            settings,
            recorded: recorded.as_ref().map(Recorded::summary),
            mechanisms: mechanisms::mechanisms(
                &first,
                arguments.list_max_age,
                arguments.lookup_cost(),
            ),
            sweep: sweep::sweep(&first),
            recommendation: recommend::recommend(arguments, &first),
        })
    }
}

/// With what a live run measures of each, if one is asked for.
#[cfg(feature = "live")]
fn with_live(
    mut settings: Vec<Figures>,
    arguments: &TuneArguments,
) -> Result<Vec<Figures>, Failure> {
    if arguments.live {
        for figures in &mut settings {
            let sessions = arguments.live_sessions;
            figures.live = Some(live::run(&figures.scenario, sessions, arguments.seed)?);
        }
    }
    Ok(settings)
}

impl Figures {
    pub(super) fn new(scenario: &Scenario, simulated: &Simulated) -> Self {
        let sessions = &simulated.sessions;
        let keys = &simulated.keys;
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
        let share = |model: f64, simulated: f64, of: u64| Figure {
            model,
            simulated,
            error: 1.96 * (model * (1.0 - model) / of.max(1) as f64).sqrt(),
        };
        let window = sessions.by_second.len() as f64;
        let hits = scenario.cache_hits();
        let costs = &scenario.costs;
        let mean_lag = mean_lag(scenario);
        Self {
            lag_bound: scenario.lag_bound(),
            lag_median: lag(0.5),
            lag_p99: lag(0.99),
            lag_max: sessions.lags.max(),
            without_lag: share(
                1.0 - scenario.lag_exceeds(0.0),
                1.0 - sessions.accepted.value(),
                sessions.accepted.all,
            ),
            exposure_per_day: scenario.revocations_per_day * mean_lag,
            key_lag_bound: scenario.key_lag_bound(),
            key_lag_bound_in_outage: scenario.key_lag_bound_in_outage(),
            key_lag_median: key_lag(0.5),
            key_lag_p99: key_lag(0.99),
            key_lag_last_instance: keys.last.quantile(0.5),
            refreshes: Figure {
                model: scenario.refreshes(),
                simulated: sessions.refresh_rate(),
                // A session's refreshes are more even than if they came at random.
                error: 1.96 * (sessions.refreshes as f64).sqrt() / window,
            },
            replayed: None,
            busiest_second: sessions.busiest_second(),
            fetches: Figure {
                model: scenario.fetches(),
                simulated: keys.fetches as f64 / window
                    + scenario.instances as f64 * scenario.rotations_per_day / 86_400.0,
                error: 1.96 * (keys.fetches as f64).sqrt() / window,
            },
            issuer_cores: scenario.issuer_cores(),
            cache_hits: Figure {
                model: hits,
                simulated: sessions.cache_hits(),
                error: 1.96 / (sessions.refreshes.max(1) as f64).sqrt(),
            },
            requests: scenario.requests(),
            cpu_per_request: hits * costs.hit + (1.0 - hits) * costs.verify,
            cpu_per_request_without_cache: costs.verify,
            locked_out: share(
                scenario.locked_out(scenario.outage),
                sessions.locked_out.value(),
                sessions.locked_out.all,
            ),
            waiting_after_outage: scenario.locked_out(scenario.outage)
                * scenario.activity.share()
                * scenario.sessions as f64,
            refused_by_skew: share(
                scenario.refused_by_skew(),
                sessions.skewed.value(),
                sessions.skewed.all,
            ),
            live: None,
            scenario: *scenario,
        }
    }
}

/// Over all revocations, those without any lag among them.
fn mean_lag(scenario: &Scenario) -> f64 {
    const STEPS: u32 = 1000;
    let step = scenario.lag_bound() / f64::from(STEPS);
    (0..STEPS).map(|i| scenario.lag_exceeds((f64::from(i) + 0.5) * step) * step).sum()
}

fn comparison(settings: &[Figures]) -> Option<Comparison> {
    let [first, second] = settings else { return None };
    let rate = |figures: &Figures| figures.scenario.always_active().refreshes();
    Some(Comparison {
        always_active: rate(second) / rate(first),
        as_given: second.refreshes.model / first.refreshes.model,
        as_simulated: second.refreshes.simulated / first.refreshes.simulated,
    })
}
