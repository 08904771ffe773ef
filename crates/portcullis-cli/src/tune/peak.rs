//! Many logins at once, as at nine in the morning, and what comes of them later. Closed forms, and
//! marked as such.

use clap::Args;
use serde::Serialize;

use super::closed_forms::active_again;
use super::load::Load;
use super::scenario::Scenario;
use crate::exit::Failure;
use crate::units::{duration, micros, number, positive, seconds};

/// CPU time of a password hash that is as slow as it should be.
const HASH: f64 = 0.05;

/// The peak that is expected.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PeakArguments {
    /// Sessions that log in together.
    #[arg(long, value_name = "NUMBER", value_parser = positive, help_heading = "Load")]
    login_peak: Option<f64>,

    /// The time in which they do.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = seconds, allow_hyphen_values = true, requires = "login_peak", help_heading = "Load")]
    login_within: f64,

    /// CPU time of a login at the issuer: a password hash alone may take 50 ms. [default: that of
    /// a refresh, and 50 ms]
    #[arg(long, value_name = "MICROSECONDS", value_parser = micros, help_heading = "Costs")]
    login_cost: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct LoginPeak {
    pub(super) sessions: f64,
    pub(super) within: f64,
    pub(super) logins: f64,
    /// Of the issuer, beside what comes anyway.
    pub(super) cores: f64,
    /// Refreshes in a second when the tokens of these logins are due together.
    pub(super) refreshes_again: f64,
    pub(super) cores_again: f64,
}

impl PeakArguments {
    /// `may_end`: the issuer ends sessions that are idle, so that there are logins without a peak.
    pub(super) fn check(self, may_end: bool) -> Result<(), Failure> {
        if self.login_cost.is_some() && self.login_peak.is_none() && !may_end {
            return Err(Failure::wrong(
                "--login-cost: no figure has logins; it goes with --login-peak or --session-idle",
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

    /// CPU time of a login, where a refresh takes so much.
    pub(super) fn login_cost(self, refresh: f64) -> f64 {
        self.login_cost.map_or(refresh + HASH, |micros| micros / 1e6)
    }

    /// What the peak asks of the issuer.
    pub(super) fn peak(self, scenario: &Scenario, load: &Load) -> Option<LoginPeak> {
        let sessions = self.login_peak?;
        let logins = sessions / self.login_within;
        let cost = scenario.costs.login;
        let anyway = load.issuer_cores(scenario);
        let (burst, pause) = (scenario.activity.burst, scenario.activity.pause);
        // All who are active as their token is due; the others come when they are back.
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
            "{} logins in {} are {} a second and take {} cores of the issuer; {} later their tokens are \
             due together: {} refreshes/s, {} cores. A closed form, and not simulated.",
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
