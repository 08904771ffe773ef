//! A peak of logins, and the peak of refreshes that follows it. Closed forms without a simulation.

use clap::Args;
use serde::Serialize;

use super::closed_forms::active_again;
use super::load::Load;
use super::scenario::Scenario;
use crate::exit::Failure;
use crate::units::{duration, micros, number, positive, seconds};

/// CPU time of a password hash with usual parameters, in microseconds.
pub(super) const HASH: f64 = 50_000.0;

/// A peak of logins.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PeakArguments {
    /// Number of logins in a peak, such as at nine in the morning.
    #[arg(long, value_name = "NUMBER", value_parser = positive, help_heading = "Load")]
    login_peak: Option<f64>,

    /// Duration of the login peak.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = seconds, allow_hyphen_values = true, requires = "login_peak", help_heading = "Load")]
    login_within: f64,

    /// CPU time of a login at the issuer, including the password hash. [default: that of a refresh
    /// plus 50 ms; 75 ms with keycloak]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    pub(super) login_cost: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct LoginPeak {
    pub(super) sessions: f64,
    pub(super) within: f64,
    pub(super) logins: f64,
    /// Refreshes per second when the tokens of these logins are due.
    pub(super) refreshes_again: f64,
    /// Cores of the issuer, the sum of the parts.
    pub(super) cores: f64,
    pub(super) parts: Parts,
    /// An option, or an assumption.
    pub(super) login_source: String,
}

/// Cores of the issuer at the peak.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Parts {
    /// Refreshes and fetches without a peak.
    pub(super) refreshes_and_fetches: f64,
    /// Logins of sessions that ended while idle, without a peak.
    pub(super) idle_logins: f64,
    pub(super) logins: f64,
    pub(super) refreshes_due: f64,
    pub(super) introspection: f64,
    pub(super) status_lists: f64,
}

impl PeakArguments {
    /// `may_end`: the issuer ends idle sessions, so figures without a peak contain logins as well.
    pub(super) fn check(self, may_end: bool) -> Result<(), Failure> {
        if self.login_cost.is_some() && self.login_peak.is_none() && !may_end {
            return Err(Failure::wrong(
                "--login-cost has no effect without --login-peak or --session-idle; add one of them",
            ));
        }
        if self.login_peak.is_some() && !(1.0..=86_400.0).contains(&self.login_within) {
            return Err(Failure::wrong(format!(
                "--login-within is {}: it must be from 1 s to 24 h",
                duration(self.login_within)
            )));
        }
        Ok(())
    }

    /// The load of the peak at the issuer. `route_cores`: introspection and status lists.
    pub(super) fn peak(
        self,
        scenario: &Scenario,
        load: &Load,
        [introspection, status_lists]: [f64; 2],
        login_source: String,
    ) -> Option<LoginPeak> {
        let sessions = self.login_peak?;
        let logins = sessions / self.login_within;
        let (burst, pause) = (scenario.activity.burst, scenario.activity.pause);
        // The sessions that are active when their token is due; the others refresh later.
        let refreshes_again = logins * active_again(burst, pause, scenario.used_for());
        let [refreshes_and_fetches, idle_logins] = load.busiest_parts(scenario);
        let parts = Parts {
            refreshes_and_fetches,
            idle_logins,
            logins: logins * scenario.costs.login,
            refreshes_due: refreshes_again * scenario.costs.refresh,
            introspection,
            status_lists,
        };
        Some(LoginPeak {
            sessions,
            within: self.login_within,
            logins,
            refreshes_again,
            cores: parts.sum(),
            parts,
            login_source,
        })
    }
}

impl Parts {
    fn sum(self) -> f64 {
        self.refreshes_and_fetches
            + self.idle_logins
            + self.logins
            + self.refreshes_due
            + self.introspection
            + self.status_lists
    }
}

impl LoginPeak {
    pub(super) fn text(&self, scenario: &Scenario) -> String {
        let parts = &self.parts;
        let idle = match parts.idle_logins {
            0.0 => String::new(),
            cores => format!(
                " + {} for the logins of sessions that ended while idle (--session-idle)",
                number(cores)
            ),
        };
        let beside = [(parts.introspection, "introspection"), (parts.status_lists, "status lists")];
        let beside = beside
            .into_iter()
            .filter(|(cores, _)| *cores > 0.0)
            .map(|(cores, what)| format!(" + {} for {what} on your routes", number(cores)))
            .collect::<String>();
        format!(
            "{} logins in {} are {} logins/s. The issuer needs {} cores at the peak: {} for the \
             refreshes and fetches without a peak{idle} + {} for logins of the peak ({} each, {}) \
             + {} for the {} refreshes/s that are due {} after the logins{beside}. An upper limit: \
             it assumes that all parts occur at once, and --sessions also includes the sessions of \
             the peak. A closed form without a simulation.",
            number(self.sessions),
            duration(self.within),
            number(self.logins),
            number(self.cores),
            number(parts.refreshes_and_fetches),
            number(parts.logins),
            duration(scenario.costs.login),
            self.login_source,
            number(parts.refreshes_due),
            number(self.refreshes_again),
            duration(scenario.used_for()),
        )
    }
}
