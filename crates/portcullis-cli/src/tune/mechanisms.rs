//! Other ways to learn that a session is over, beside waiting for its token to expire: those that
//! `portcullis::Revocation` has. These are closed forms: nothing of them is simulated here, and the
//! report says so. What they were measured at stands in `benches/RESULTS.md`.

use serde::Serialize;

use super::scenario::Scenario;

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

/// What of each mechanism this scenario would have. `max_age` is the age of a status list that
/// routes ask for, `lookup` the issuer's CPU time to look a session up.
pub(super) fn mechanisms(scenario: &Scenario, max_age: f64, lookup: f64) -> Vec<Mechanism> {
    let requests = scenario.refreshes() + scenario.fetches();
    let expiry = Mechanism {
        name: "expiry".to_owned(),
        lag_bound: scenario.lag_bound(),
        usual_lag: scenario.lag_quantile(0.5),
        issuer_requests: requests,
        issuer_cores: scenario.issuer_cores(),
        locked_out: scenario.locked_out(scenario.outage),
        only_modelled: false,
    };
    let instances = scenario.instances as f64;
    let with_list = |name: &str, usual_lag: f64, questions: f64| Mechanism {
        name: format!("a status list, at most {max_age} s old, {name}"),
        lag_bound: (max_age + PUBLICATION).min(expiry.lag_bound),
        usual_lag,
        issuer_requests: requests + questions,
        issuer_cores: expiry.issuer_cores + questions * scenario.costs.fetch,
        // Nobody knows what has happened since, and the route refuses everybody.
        locked_out: if scenario.outage > max_age { 1.0 } else { expiry.locked_out },
        only_modelled: true,
    };
    // An instance asks again at half of the age, up to a tenth earlier.
    let interval = (max_age / 2.0).clamp(1.0, LIST_TTL) * 0.95;
    let polled = with_list("asked for", interval / 2.0, instances / interval);
    // It asks the server to wait for a third of it, and is answered when somebody was revoked.
    let wait = (max_age / 3.0).floor().clamp(1.0, 60.0);
    let publications = (scenario.revocations_per_day / 86_400.0).min(1.0 / PUBLICATION);
    let pushed = with_list("pushed", PUBLICATION / 2.0, instances * (1.0 / wait + publications));
    let asked = Mechanism {
        name: "the issuer is asked at each request".to_owned(),
        lag_bound: 0.0,
        usual_lag: 0.0,
        issuer_requests: requests + scenario.requests(),
        issuer_cores: expiry.issuer_cores + scenario.requests() * lookup,
        locked_out: 1.0,
        only_modelled: true,
    };
    vec![expiry, polled, pushed, asked]
}
