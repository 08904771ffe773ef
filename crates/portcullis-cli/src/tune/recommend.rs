//! From a goal to settings, or to what stands against it.

use serde::Serialize;

use super::activity::Recorded;
use super::arguments::{Known, TuneArguments};
use super::load::Load;
use super::scenario::Scenario;
use crate::units::{duration, number};

#[derive(Debug, Default, Serialize)]
pub(super) struct Recommendation {
    /// In whole seconds, as the settings are.
    pub(super) access_expiry: Option<u64>,
    pub(super) jwks_ttl: Option<u64>,
    pub(super) max_stale: Option<u64>,
    pub(super) refreshes: Option<f64>,
    pub(super) why: Vec<String>,
    /// A goal that no setting reaches.
    pub(super) unmet: bool,
}

/// The longest that is looked at.
pub(super) const DAY: u64 = 86_400;

/// The longest expiry and TTL that meet the goal: longer ones load the issuer less, and outlast
/// longer outages.
pub(super) fn recommend(
    arguments: &TuneArguments,
    scenario: &Scenario,
    known: &Known,
) -> Option<Recommendation> {
    let recorded = known.recorded.as_ref();
    let mut found = Recommendation::default();
    if arguments.max_lag.is_some() || arguments.max_refresh_rps.is_some() {
        found.expiry(arguments, scenario, recorded);
    }
    if let Some(lag) = arguments.max_key_lag {
        found.ttl(lag, scenario, known.max_age(arguments));
    }
    if let Some(outage) = arguments.survive {
        found.survive(outage, arguments.survivors / 100.0, scenario, recorded);
    }
    found.set_beside(arguments, scenario);
    (!found.why.is_empty()).then_some(found)
}

impl Recommendation {
    /// The report's figures are of what is given, which need not be what is recommended.
    fn set_beside(&mut self, arguments: &TuneArguments, scenario: &Scenario) {
        let outage = arguments.survive.filter(|_| self.max_stale.is_some());
        let other: Vec<_> = [
            ("--access-expiry", self.access_expiry.map(|secs| secs as f64), scenario.access_expiry),
            ("--jwks-ttl", self.jwks_ttl.map(|secs| secs as f64), scenario.verifier.jwks_ttl),
            ("--max-stale", self.max_stale.map(|secs| secs as f64), scenario.verifier.max_stale),
            ("--outage", outage, scenario.outage),
        ]
        .into_iter()
        .filter_map(|(option, found, given)| {
            found.filter(|found| *found != given).map(|found| format!("{option} {found}"))
        })
        .collect();
        if !other.is_empty() {
            self.why.push(format!(
                "all other figures are of the settings that were given (expiry {}, TTL {}, max_stale {}, \
                 outage {}), not of these; for the figures of these run it again with {}",
                duration(scenario.access_expiry),
                duration(scenario.verifier.jwks_ttl),
                duration(scenario.verifier.max_stale),
                duration(scenario.outage),
                other.join(" ")
            ));
        }
    }

    /// Says why no setting reaches the goal.
    pub(super) fn unmet(&mut self, why: String) {
        self.unmet = true;
        self.why.push(why);
    }

    fn expiry(
        &mut self,
        arguments: &TuneArguments,
        scenario: &Scenario,
        recorded: Option<&Recorded>,
    ) {
        let with = |expiry: u64| Scenario { access_expiry: expiry as f64, ..*scenario };
        let refreshes = |expiry: u64| Load::of(&with(expiry), recorded).refreshes;
        // What the bound has beside the expiry.
        let beside = with(0).lag_bound();
        let longest =
            arguments.max_lag.map_or(DAY as f64, |lag| (lag - beside).clamp(0.0, DAY as f64))
                as u64;
        let most = arguments.max_refresh_rps.unwrap_or(f64::INFINITY);
        let bound = |expiry: u64| duration(with(expiry).lag_bound());
        match (longest, shortest(most, refreshes)) {
            (0, _) => self.unmet(format!(
                "the leeway alone is {} of the lag: no expiry keeps below that. Make the leeway \
                 smaller, or look the session up where a route demands it",
                duration(beside)
            )),
            (_, None) => self.unmet(format!(
                "even tokens of a day take more than {} refreshes/s: have more of the issuer",
                number(most)
            )),
            (longest, Some(shortest)) if shortest > longest => self.unmet(format!(
                "no expiry does both: {} keeps the lag at {}, and takes {} refreshes/s; {} \
                 refreshes/s allow {} or more, a lag of {}. Allow one of the two, or look the session \
                 up where a route demands it",
                duration(longest as f64),
                bound(longest),
                number(refreshes(longest)),
                number(most),
                duration(shortest as f64),
                bound(shortest),
            )),
            (longest, Some(shortest)) => {
                let expiry = if arguments.max_lag.is_some() { longest } else { shortest };
                self.access_expiry = Some(expiry);
                self.refreshes = Some(refreshes(expiry));
                self.why.push(format!(
                    "an access expiry of {}: at most {} of lag with twice the leeway, and {} refreshes/s",
                    duration(expiry as f64),
                    bound(expiry),
                    number(refreshes(expiry))
                ));
            }
        }
    }

    fn ttl(&mut self, lag: f64, scenario: &Scenario, max_age: Option<f64>) {
        let with =
            |ttl: f64| Scenario { verifier: scenario.verifier.with_ttl(ttl, max_age), ..*scenario };
        // What the bound has beside the TTL.
        let beside = with(0.0).key_lag_bound();
        let ttl = (lag - beside).min(DAY as f64).floor();
        if ttl >= 1.0 {
            let scenario = with(ttl);
            self.jwks_ttl = Some(ttl as u64);
            self.why.push(format!(
                "a JWKS TTL of {}: a withdrawn key is accepted for at most {} while the issuer can be \
                 reached, and {} instances fetch the keys {} times a second",
                duration(ttl),
                duration(scenario.key_lag_bound()),
                scenario.instances,
                number(scenario.fetches())
            ));
        } else {
            self.unmet(format!(
                "--max-key-lag is {}, and a fetch with the one that fails before it may take {} of it: \
                 make --fetch-timeout shorter",
                duration(lag),
                duration(beside)
            ));
        }
    }
}

/// The shortest expiry with no more of something that gets less with longer ones.
pub(super) fn shortest(most: f64, of: impl Fn(u64) -> f64) -> Option<u64> {
    if of(DAY) > most {
        return None;
    }
    let (mut low, mut high) = (0, DAY);
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if of(middle) <= most {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}
