//! A peak of logins, and the peak of refreshes that follows it. Closed forms without a simulation.

use clap::Args;
use serde::Serialize;

use super::closed_forms::active_again;
use super::load::Load;
use super::scenario::Scenario;
use crate::exit::Failure;
use crate::units::{duration, micros, number, positive, seconds};

/// CPU time of a password hash with usual parameters, in seconds.
const HASH: f64 = 0.05;

/// A peak of logins.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PeakArguments {
    /// Number of logins in a peak, such as at nine in the morning.
    #[arg(long, value_name = "NUMBER", value_parser = positive, help_heading = "Load")]
    login_peak: Option<f64>,

    /// Duration of the login peak.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = seconds, allow_hyphen_values = true, requires = "login_peak", help_heading = "Load")]
    login_within: f64,

    /// CPU time of a login at the issuer, with its password hash. [default: a refresh and 50 ms]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    login_cost: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct LoginPeak {
    pub(super) sessions: f64,
    pub(super) within: f64,
    pub(super) logins: f64,
    /// Cores of the issuer, including the usual load.
    pub(super) cores: f64,
    /// Refreshes per second when the tokens of these logins are due.
    pub(super) refreshes_again: f64,
    pub(super) cores_again: f64,
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

    /// CPU time of a login in seconds, from that of a refresh.
    pub(super) fn login_cost(self, refresh: f64) -> f64 {
        self.login_cost.map_or(refresh + HASH, |micros| micros / 1e6)
    }

    /// The load of the peak at the issuer.
    pub(super) fn peak(self, scenario: &Scenario, load: &Load) -> Option<LoginPeak> {
        let sessions = self.login_peak?;
        let logins = sessions / self.login_within;
        let cost = scenario.costs.login;
        let anyway = load.issuer_cores(scenario);
        let (burst, pause) = (scenario.activity.burst, scenario.activity.pause);
        // The sessions that are active when their token is due; the others refresh later.
        let refreshes_again = logins * active_again(burst, pause, scenario.used_for());
        Some(LoginPeak {
            sessions,
            within: self.login_within,
            logins,
            cores: anyway + logins * cost,
            refreshes_again,
            cores_again: anyway + refreshes_again * scenario.costs.refresh,
        })
    }
}

impl LoginPeak {
    pub(super) fn text(&self, scenario: &Scenario) -> String {
        format!(
            "{} logins in {} are {} logins/s and take {} cores of the issuer, including the usual load; {} \
             later their tokens are due: {} refreshes/s beside the usual ones, {} cores in total. A closed \
             form without a simulation.",
            number(self.sessions),
            duration(self.within),
            number(self.logins),
            number(self.cores),
            duration(scenario.used_for()),
            number(self.refreshes_again),
            number(self.cores_again)
        )
    }
}
