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

/// How long the issuer lets a list be kept, unless it is told otherwise.
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
    /// Of the active sessions, by the outage, on the routes that ask for this.
    pub(super) locked_out: f64,
    /// Nothing but a closed form.
    pub(super) only_modelled: bool,
}

/// What of each mechanism this scenario would have: of each that the issuer is not known to lack.
pub(super) fn mechanisms(
    scenario: &Scenario,
    load: &Load,
    arguments: &TuneArguments,
    offers: Offers,
) -> Vec<Mechanism> {
    let max_age = arguments.list_max_age;
    let requests = load.refreshes + scenario.fetches();
    let expiry = Mechanism {
        name: "expiry".to_owned(),
        lag_bound: scenario.lag_bound(),
        usual_lag: load.lag_median,
        issuer_requests: requests,
        issuer_cores: load.issuer_cores(scenario),
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
        // Nobody knows what has happened since, and the route refuses everybody, once the list is too
        // old; it was up to `oldest` when the outage began.
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
    let pushed = with_list("pushed", PUBLICATION / 2.0, wait, questions);
    let asked = Mechanism {
        name: "the issuer is asked at each request".to_owned(),
        lag_bound: 0.0,
        usual_lag: 0.0,
        issuer_requests: requests + load.validations,
        issuer_cores: expiry.issuer_cores + load.validations * scenario.costs.lookup,
        locked_out: 1.0,
        only_modelled: true,
    };
    let mix = arguments.mix.together(&expiry, &polled, &asked);
    let (lists, introspection) =
        (offers.status_lists != Some(false), offers.introspection != Some(false));
    let mut all = vec![expiry];
    all.extend([polled, pushed].into_iter().filter(|_| lists));
    all.extend(introspection.then_some(asked));
    all.extend(mix);
    all
}
