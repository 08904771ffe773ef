//! Other ways to learn that a session is over, beside waiting for its token to expire. These are
//! closed forms only: nothing of them is simulated or measured, and the report says so.

use serde::Serialize;

use super::scenario::Scenario;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Mechanism {
    pub(super) name: String,
    pub(super) lag_bound: f64,
    /// Requests to the issuer in a second, refreshes and fetches included.
    pub(super) issuer_requests: f64,
    pub(super) issuer_cores: f64,
    /// Of the active sessions, by the outage.
    pub(super) locked_out: f64,
    /// Nothing but a closed form.
    pub(super) only_modelled: bool,
}

/// What of each mechanism this scenario would have. `lookup` is the issuer's CPU time for one.
pub(super) fn mechanisms(scenario: &Scenario, poll: f64, lookup: f64) -> Vec<Mechanism> {
    let requests = scenario.refreshes() + scenario.fetches();
    let expiry = Mechanism {
        name: "expiry".to_owned(),
        lag_bound: scenario.lag_bound(),
        issuer_requests: requests,
        issuer_cores: scenario.issuer_cores(),
        locked_out: scenario.locked_out(scenario.outage),
        only_modelled: false,
    };
    let polls = scenario.instances as f64 / poll;
    let list = Mechanism {
        name: format!("a list of revoked sessions, fetched every {poll} s"),
        lag_bound: (poll + scenario.verifier.fetch_timeout).min(expiry.lag_bound),
        issuer_requests: requests + polls,
        issuer_cores: expiry.issuer_cores + polls * scenario.costs.fetch,
        only_modelled: true,
        ..expiry.clone()
    };
    let asked = Mechanism {
        name: "the issuer is asked on every request".to_owned(),
        lag_bound: 0.0,
        issuer_requests: requests + scenario.requests(),
        issuer_cores: expiry.issuer_cores + scenario.requests() * lookup,
        locked_out: 1.0,
        only_modelled: true,
    };
    vec![expiry, list, asked]
}
