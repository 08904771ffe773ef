//! The number of users that an outage of the issuer affects, in addition to the shares at its end.
//! The figures are closed forms, not simulated. They use the means of recorded requests, if any.

use serde::Serialize;

use super::closed_forms::{due_within, recovery};
use super::load::Load;
use super::peak::LoginPeak;
use super::scenario::Scenario;
use crate::units::{duration, number, percent};

#[derive(Debug, Clone, Serialize)]
pub(super) struct Affected {
    /// Sessions that are active at the end of the outage.
    pub(super) active: f64,
    /// Of these, the locked-out ones.
    pub(super) locked_out: f64,
    /// Distinct sessions that need a new token at some time during the outage.
    pub(super) due: f64,
    /// If the outage falls into the login peak.
    pub(super) in_peak: Option<InPeak>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct InPeak {
    pub(super) failed_logins: f64,
    /// The time in seconds that the issuer needs for the waiting sessions and the failed logins while the
    /// peak goes on; `None` if unlimited.
    pub(super) recovery: Option<f64>,
}

impl Affected {
    pub(super) fn new(scenario: &Scenario, load: &Load, peak: Option<&LoginPeak>) -> Self {
        let active = scenario.active_sessions();
        let costs = &scenario.costs;
        Self {
            active,
            locked_out: active * load.locked_out(scenario),
            due: scenario.due_within(scenario.outage),
            in_peak: peak.map(|peak| {
                let failed_logins = peak.logins * scenario.outage.min(peak.within);
                let work = (load.waiting - load.logging_in) * costs.refresh
                    + (load.logging_in + failed_logins) * costs.login;
                let secs = recovery(1.0, work, scenario.issuer_cores, peak.cores);
                InPeak { failed_logins, recovery: Some(secs).filter(|secs| secs.is_finite()) }
            }),
        }
    }

    pub(super) fn lines(&self, scenario: &Scenario) -> Vec<(&'static str, String)> {
        let all = scenario.sessions as f64;
        let mut lines = vec![
            (
                "active users at its end",
                format!("{} of {} sessions", number(self.active.round()), scenario.sessions),
            ),
            ("  of these, locked out", number(self.locked_out.round())),
            (
                "distinct users whose token is due during it",
                format!(
                    "{} ({} of all sessions); rejected {} (leeway) after the token expires, unless \
                     they leave first",
                    number(self.due.round()),
                    percent(self.due / all),
                    duration(scenario.accepted_for() - scenario.access_expiry)
                ),
            ),
        ];
        match &self.in_peak {
            Some(peak) => lines.extend([
                (
                    "logins that fail if it falls into the login peak",
                    number(peak.failed_logins.round()),
                ),
                (
                    "  time to serve these and the waiting sessions during the peak",
                    peak.recovery.map_or_else(
                        || "unlimited: the peak needs all cores; the work ends after it".to_owned(),
                        duration,
                    ),
                ),
            ]),
            None => lines.push(("logins that fail", "unknown: set --login-peak".to_owned())),
        }
        lines
    }
}

impl Scenario {
    /// The distinct sessions that need a new token within this time.
    pub(super) fn due_within(&self, time: f64) -> f64 {
        let activity = &self.activity;
        let (used, cycle) = (self.used_for(), self.cycle());
        let due = due_within(time, used, activity.burst, activity.pause, cycle);
        self.sessions as f64 * due
    }
}
