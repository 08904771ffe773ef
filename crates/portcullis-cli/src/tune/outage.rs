//! The number of users that an outage of the issuer affects. The report shows it next to the shares at
//! the end of the outage. The figures are closed forms that are not simulated. With recorded requests,
//! they use the means of these.

use serde::Serialize;

use super::closed_forms::due_within;
use super::load::Load;
use super::mechanisms::RouteCores;
use super::peak::LoginPeak;
use super::scenario::Scenario;
use crate::units::{duration, number, percent};

#[derive(Debug, Clone, Serialize)]
pub(super) struct Affected {
    /// Sessions that are active at the end of the outage.
    pub(super) active: f64,
    /// The sessions in `active` that are locked out.
    pub(super) locked_out: f64,
    /// Distinct sessions that need a new token at some time during the outage.
    pub(super) due: f64,
    /// The time in seconds after the outage until the issuer has served the sessions that wait for a
    /// token, in addition to refreshes, fetches and the guarantees of the routes. `None` if it never
    /// catches up.
    pub(super) recovery: Option<f64>,
    /// The issuer's cores without a peak, and the part of them for the guarantees of the routes.
    pub(super) cores: f64,
    pub(super) cores_of_routes: f64,
    /// The figures of an outage during the login peak, if it falls into the peak.
    pub(super) in_peak: Option<InPeak>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct InPeak {
    pub(super) failed_logins: f64,
    /// The time in seconds by which the peak outlasts the outage.
    pub(super) peak_left: f64,
    /// Cores of the issuer without a peak, including the guarantees of the routes.
    pub(super) cores_without_peak: f64,
    /// The time in seconds that the issuer needs for the waiting sessions and the failed logins. The
    /// load of the peak is included until the peak ends. `None` if the issuer never catches up.
    pub(super) recovery: Option<f64>,
}

/// The time in which the spare cores do `work` (seconds of CPU time). The other load is that of the
/// peak for `left` seconds, and the usual load after that.
fn recovery(work: f64, cores: f64, [in_peak, after]: [f64; 2], left: f64) -> Option<f64> {
    // Negative if the peak alone needs more cores than there are: the backlog then grows.
    let served = (cores - in_peak) * left;
    if served >= work && served > 0.0 {
        return Some(work / (cores - in_peak));
    }
    (cores > after).then(|| left + (work - served) / (cores - after))
}

impl Affected {
    pub(super) fn new(
        scenario: &Scenario,
        load: &Load,
        peak: Option<&LoginPeak>,
        routes: RouteCores,
    ) -> Self {
        let active = scenario.active_sessions();
        let costs = &scenario.costs;
        let cores_of_routes = routes.introspection + routes.status_lists;
        let usual = load.busiest_cores(scenario) + cores_of_routes;
        let waiting =
            (load.waiting - load.logging_in) * costs.refresh + load.logging_in * costs.login;
        Self {
            active,
            locked_out: active * load.locked_out(scenario),
            due: scenario.due_within(scenario.outage),
            recovery: recovery(waiting, scenario.issuer_cores, [usual; 2], 0.0),
            cores: usual,
            cores_of_routes,
            in_peak: peak.map(|peak| {
                let failed_logins = peak.logins * scenario.outage.min(peak.within);
                let work = waiting + failed_logins * costs.login;
                let peak_left = (peak.within - scenario.outage).max(0.0);
                let loads = [peak.cores, usual];
                let recovery = recovery(work, scenario.issuer_cores, loads, peak_left);
                InPeak { failed_logins, peak_left, cores_without_peak: usual, recovery }
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
        if self.cores_of_routes > 0.0 {
            let what =
                "time to serve the sessions that request a token after it, beside your routes";
            lines.push((what, self.recovery_text(scenario.issuer_cores)));
        }
        match &self.in_peak {
            Some(peak) => lines.extend([
                (
                    "logins that fail if it begins with the login peak",
                    number(peak.failed_logins.round()),
                ),
                ("  time to serve these and the waiting sessions after it", peak.recovery_text()),
            ]),
            None => lines.push(("logins that fail", "unknown: set --login-peak".to_owned())),
        }
        lines
    }

    fn recovery_text(&self, has: f64) -> String {
        let (cores, has) = (number(self.cores), number(has));
        match self.recovery {
            Some(secs) => format!(
                "{}; refreshes, fetches and your routes need {cores} of {has} cores meanwhile",
                duration(secs)
            ),
            None => {
                format!("never: refreshes, fetches and your routes need {cores} of {has} cores")
            }
        }
    }
}

impl InPeak {
    fn recovery_text(&self) -> String {
        let left = duration(self.peak_left);
        let without = format!("({} cores with your routes)", number(self.cores_without_peak));
        match self.recovery {
            None => format!("never: the load without a peak {without} needs all cores"),
            Some(secs) if self.peak_left == 0.0 => {
                format!(
                    "{}, with the load without a peak {without}: the peak is over",
                    duration(secs)
                )
            }
            Some(secs) if secs <= self.peak_left => {
                format!("{}, with the load of the peak, which goes on for {left}", duration(secs))
            }
            Some(secs) => format!(
                "{}: {left} with the load of the peak, and the rest without the peak {without}",
                duration(secs)
            ),
        }
    }
}

impl Scenario {
    /// The number of distinct sessions that need a new token within this time.
    pub(super) fn due_within(&self, time: f64) -> f64 {
        let activity = &self.activity;
        let (used, cycle) = (self.used_for(), self.cycle());
        let due = due_within(time, used, activity.burst, activity.pause, cycle);
        self.sessions as f64 * due
    }
}
