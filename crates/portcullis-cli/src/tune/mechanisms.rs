//! Other ways to learn that a session is over, beside waiting for its token to expire: those that
//! `portcullis::Revocation` has. These are closed forms: nothing of them is simulated here, and the
//! report says so. What they were measured at stands in `benches/RESULTS.md`.

use serde::Serialize;

use super::arguments::TuneArguments;
use super::closed_forms::either;
use super::issuer::Offers;
use super::load::Load;
use super::scenario::Scenario;
use crate::units::duration;

/// A revocation is in the published list after this, at most.
const PUBLICATION: f64 = 0.1;

/// A pushed revocation is known after this, usually. A test holds it to `benches/RESULTS.md`.
const PUSHED: f64 = 0.0644;

/// The default time that the issuer lets a list be cached.
const LIST_TTL: f64 = 60.0;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Mechanism {
    pub(super) name: String,
    pub(super) lag_bound: f64,
    /// Of half of the revocations, whose token has not expired, while nothing is lost on the way.
    pub(super) usual_lag: f64,
    /// Requests to the issuer in a second, refreshes and fetches included.
    pub(super) issuer_requests: f64,
    pub(super) issuer_cores: f64,
    /// In the busiest minutes of the recorded requests: of refreshes, and of requests.
    pub(super) busiest_cores: Option<f64>,
    /// Of the active sessions, by the outage, on the routes that ask for this.
    pub(super) locked_out: f64,
    /// Nothing but a closed form.
    pub(super) only_modelled: bool,
}

/// All ways, and what a service's own routes make of them.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) rows: Vec<Mechanism>,
    /// The last row, kind by kind.
    pub(super) routes: Option<String>,
}

/// What of each mechanism this scenario would have: of each that the issuer is not known to lack.
/// `pushes`: the issuer is known to hold a question for its list until there is something new.
pub(super) fn mechanisms(
    scenario: &Scenario,
    load: &Load,
    arguments: &TuneArguments,
    offers: Offers,
    pushes: bool,
) -> Ways {
    let max_age = arguments.list_max_age;
    let requests = load.refreshes + scenario.fetches();
    let expiry = Mechanism {
        name: "expiry".to_owned(),
        lag_bound: scenario.lag_bound(),
        usual_lag: load.lag_median,
        issuer_requests: requests,
        issuer_cores: load.issuer_cores(scenario),
        busiest_cores: load.busiest_minute.map(|_| load.busiest_cores(scenario)),
        locked_out: load.locked_out(scenario),
        only_modelled: false,
    };
    let instances = scenario.instances as f64;
    let with_list = |name: &str, usual_lag: f64, oldest: f64, questions: f64| Mechanism {
        name: format!("a status list, at most {} old, {name}", duration(max_age)),
        lag_bound: (max_age + PUBLICATION).min(expiry.lag_bound),
        usual_lag: usual_lag.min(expiry.usual_lag),
        issuer_requests: requests + questions,
        issuer_cores: expiry.issuer_cores + questions * scenario.costs.fetch,
        busiest_cores: expiry.busiest_cores.map(|cores| cores + questions * scenario.costs.fetch),
        // The route rejects every request once the list is too old. It was up to `oldest` old when
        // the outage began.
        locked_out: either(
            expiry.locked_out,
            ((scenario.outage - max_age + oldest) / oldest).clamp(0.0, 1.0),
        ),
        only_modelled: true,
    };
    // An instance asks again at half of the age, up to a tenth earlier.
    let interval = (max_age / 2.0).clamp(1.0, LIST_TTL) * 0.95;
    let polled = with_list("asked for", interval / 2.0, interval, instances / interval);
    // It asks the server to wait for a third of it, and is answered when somebody was revoked.
    let wait = (max_age / 3.0).floor().clamp(1.0, 60.0);
    let publications = (scenario.revocations_per_day / 86_400.0).min(1.0 / PUBLICATION);
    let questions = instances * (1.0 / wait + publications);
    let pushed = with_list("pushed", PUSHED, wait, questions);
    let asked = Mechanism {
        name: "the issuer is asked at each request".to_owned(),
        lag_bound: 0.0,
        usual_lag: 0.0,
        issuer_requests: requests + load.validations,
        issuer_cores: expiry.issuer_cores + load.validations * scenario.costs.lookup,
        busiest_cores: expiry
            .busiest_cores
            .zip(load.busiest_validations)
            .map(|(cores, most)| cores + most * scenario.costs.lookup),
        locked_out: 1.0,
        only_modelled: true,
    };
    let list = if pushes { &pushed } else { &polled };
    let mix = arguments.mix.together(&expiry, list, &asked, pushes);
    let routes = arguments.mix.routes(&expiry, list, &asked);
    let (lists, introspection) =
        (offers.status_lists != Some(false), offers.introspection != Some(false));
    let mut all = vec![expiry];
    all.extend([polled, pushed].into_iter().filter(|_| lists));
    all.extend(introspection.then_some(asked));
    all.extend(mix);
    Ways { rows: all, routes }
}

#[cfg(test)]
mod tests {
    /// One number: what the tool says of a pushed list is what was measured.
    #[test]
    fn a_pushed_list_is_known_as_soon_as_it_was_measured() {
        const RESULTS: &str = include_str!("../../../../benches/RESULTS.md");
        let row = RESULTS.lines().find(|line| line.starts_with("| status list, pushed |")).unwrap();
        let median = row.split('|').nth(2).unwrap().trim().strip_suffix(" ms").unwrap();
        let measured = median.parse::<f64>().unwrap() / 1e3;
        assert!((super::PUSHED / measured - 1.0).abs() < 0.1, "{measured}");
    }
}
