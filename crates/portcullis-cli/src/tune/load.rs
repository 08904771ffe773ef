//! The load of the sessions at the issuer, from recorded requests if there are any and otherwise from the
//! closed forms.

use super::activity::Recorded;
use super::closed_forms::either;
use super::replay::Replayed;
use super::scenario::Scenario;
use super::sizing::{Served, Work};

#[derive(Debug, Clone)]
pub(super) struct Load {
    /// Per second, on average.
    pub(super) refreshes: f64,
    /// Per second in the busiest minute of the recorded requests.
    pub(super) busiest_minute: Option<f64>,
    /// The refreshes that are logins of sessions that ended while idle, and their number in the busiest
    /// minute.
    pub(super) idle_logins: f64,
    pub(super) busiest_idle_logins: Option<f64>,
    pub(super) validations: f64,
    pub(super) busiest_validations: Option<f64>,
    /// The share of active sessions whose token has expired at the end of the outage.
    pub(super) tokens_ended: f64,
    /// Sessions that request a token right after the outage.
    pub(super) waiting: f64,
    /// The number of the waiting sessions that must log in.
    pub(super) logging_in: f64,
    pub(super) lag_median: f64,
}

impl Load {
    pub(super) fn of(scenario: &Scenario, recorded: Option<&Recorded>) -> Self {
        let replayed = recorded.map(|recorded| Replayed::new(recorded, scenario));
        Self::with(scenario, replayed.as_ref())
    }

    pub(super) fn with(scenario: &Scenario, replayed: Option<&Replayed>) -> Self {
        let outage = scenario.outage;
        let tokens_ended = replayed.and_then(|replayed| replayed.tokens_ended);
        let waiting = replayed.and_then(|replayed| replayed.waiting);
        let logging_in = replayed.and_then(|replayed| replayed.logging_in);
        Self {
            refreshes: replayed.map_or_else(|| scenario.refreshes(), |replayed| replayed.refreshes),
            busiest_minute: replayed.map(|replayed| replayed.busiest_minute),
            idle_logins: replayed
                .map_or_else(|| scenario.idle_logins(), |replayed| replayed.idle_logins),
            busiest_idle_logins: replayed.map(|replayed| replayed.busiest_idle_logins),
            validations: replayed
                .map_or_else(|| scenario.validations(), |replayed| replayed.validations),
            busiest_validations: replayed.map(|replayed| replayed.busiest_validations),
            tokens_ended: tokens_ended.unwrap_or_else(|| scenario.tokens_ended(outage)),
            waiting: waiting.unwrap_or_else(|| scenario.waiting(outage)),
            logging_in: logging_in.unwrap_or_else(|| scenario.logging_in(outage)),
            lag_median: replayed
                .map_or_else(|| scenario.lag_quantile(0.5), |replayed| replayed.lag_median),
        }
    }

    /// Cores of the issuer for fetches and for refreshes, which include logins.
    pub(super) fn issuer_cores(&self, scenario: &Scenario) -> f64 {
        cores(scenario, self.refreshes, self.idle_logins).iter().sum()
    }

    /// Cores of the issuer for fetches and for refreshes in the busiest minute.
    pub(super) fn busiest_cores(&self, scenario: &Scenario) -> f64 {
        self.busiest_parts(scenario).iter().sum()
    }

    /// Cores in the busiest minute: for refreshes and fetches, and for the logins of sessions that ended
    /// while idle.
    pub(super) fn busiest_parts(&self, scenario: &Scenario) -> [f64; 2] {
        let refreshes = self.busiest_minute.unwrap_or(self.refreshes);
        cores(scenario, refreshes, self.busiest_idle_logins.unwrap_or(self.idle_logins))
    }

    /// The issuer's work for the sessions that wait for a token after the outage.
    pub(super) fn waiting_work(&self, scenario: &Scenario) -> Work {
        let costs = &scenario.costs;
        let logins = self.logging_in * costs.login;
        Work { all: (self.waiting - self.logging_in) * costs.refresh + logins, logins }
    }

    /// The time that the issuer needs for the waiting sessions, in addition to refreshes and fetches.
    /// `None` if it never catches up.
    pub(super) fn recovery(&self, scenario: &Scenario) -> Option<Served> {
        let [without, logins] = cores(scenario, self.refreshes, self.idle_logins);
        let usual = Work { all: without + logins, logins };
        self.waiting_work(scenario).time(scenario, [usual; 2], 0.0)
    }

    /// The share of active sessions that are rejected at the end of the outage.
    pub(super) fn locked_out(&self, scenario: &Scenario) -> f64 {
        either(self.tokens_ended, scenario.keys_ended(scenario.outage))
    }
}

/// Cores for refreshes and fetches, and for the logins among the refreshes.
fn cores(scenario: &Scenario, refreshes: f64, logins: f64) -> [f64; 2] {
    let costs = &scenario.costs;
    let without = (refreshes - logins) * costs.refresh + scenario.fetches() * costs.fetch;
    [without, logins * costs.login]
}
