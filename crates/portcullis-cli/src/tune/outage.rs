//! The number of users that an outage of the issuer affects. The report shows it next to the shares at
//! the end of the outage. The figures are closed forms that are not simulated. With recorded requests,
//! they use the means of these.

use serde::Serialize;

use super::closed_forms::due_within;
use super::load::Load;
use super::mechanisms::RouteCores;
use super::peak::LoginPeak;
use super::scenario::Scenario;
use super::sizing::Work;
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
    /// Whether the logins decide the recovery, because only a part of the cores hashes passwords.
    pub(super) recovery_by_logins: bool,
    /// The issuer's cores without a peak, and the part of them for the guarantees of the routes.
    pub(super) cores: f64,
    pub(super) cores_of_routes: f64,
    /// The figures of an outage during the login peak, if it falls into the peak.
    pub(super) in_peak: Option<InPeak>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct InPeak {
    pub(super) failed_logins: f64,
    /// The number of other sessions that wait for a token after the outage. A session of the peak had no
    /// token when the peak began, so it is among the failed logins.
    pub(super) waiting_others: f64,
    /// The time in seconds by which the peak outlasts the outage.
    pub(super) peak_left: f64,
    /// Cores of the issuer without a peak, including the guarantees of the routes.
    pub(super) cores_without_peak: f64,
    /// The time in seconds that the issuer needs for the waiting sessions and the failed logins. The
    /// load of the peak is included until the peak ends. `None` if the issuer never catches up.
    pub(super) recovery: Option<f64>,
    pub(super) recovery_by_logins: bool,
}

/// The load without a peak, including the guarantees of the routes. If requests are recorded, it is the
/// load of the busiest minute.
pub(super) fn usual_load(scenario: &Scenario, load: &Load, routes: RouteCores) -> Work {
    let [without, logins] = load.busiest_parts(scenario);
    Work { all: without + logins + routes.introspection + routes.status_lists, logins }
}

impl Affected {
    pub(super) fn new(
        scenario: &Scenario,
        load: &Load,
        peak: Option<&LoginPeak>,
        routes: RouteCores,
    ) -> Self {
        let active = scenario.active_sessions();
        let cores_of_routes = routes.introspection + routes.status_lists;
        let usual = usual_load(scenario, load, routes);
        let waiting = load.waiting_work(scenario);
        let recovery = waiting.time(scenario, [usual; 2], 0.0);
        Self {
            active,
            locked_out: active * load.locked_out(scenario),
            due: scenario.due_within(scenario.outage),
            recovery: recovery.map(|served| served.secs),
            recovery_by_logins: recovery.is_some_and(|served| served.by_logins),
            cores: usual.all,
            cores_of_routes,
            in_peak: peak.map(|peak| {
                let failed_logins = peak.logins * scenario.outage.min(peak.within);
                let (others, failed) =
                    (peak.others(scenario), failed_logins * scenario.costs.login);
                let work = Work {
                    all: others * waiting.all + failed,
                    logins: others * waiting.logins + failed,
                };
                let peak_left = (peak.within - scenario.outage).max(0.0);
                let recovery = work.time(scenario, [peak.sizing.load, usual], peak_left);
                InPeak {
                    failed_logins,
                    waiting_others: others * load.waiting,
                    peak_left,
                    cores_without_peak: usual.all,
                    recovery: recovery.map(|served| served.secs),
                    recovery_by_logins: recovery.is_some_and(|served| served.by_logins),
                }
            }),
        }
    }

    pub(super) fn lines(&self, scenario: &Scenario) -> Vec<(&'static str, String)> {
        let all = scenario.sessions as f64;
        let mut lines = vec![
            (
                "active users at the end of the outage",
                format!("{} of {} sessions", number(self.active.round()), scenario.sessions),
            ),
            ("  of these, locked out", number(self.locked_out.round())),
            (
                "distinct users whose token is due during the outage",
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
            let what = "time to serve the sessions that request a token after the outage, in addition to \
                        your routes";
            lines.push((what, self.recovery_text(scenario)));
        }
        match &self.in_peak {
            Some(peak) => lines.extend([
                (
                    "logins that fail if the outage begins with the login peak",
                    number(peak.failed_logins.round()),
                ),
                (
                    "  sessions of other users that request a token after the outage",
                    number(peak.waiting_others.round()),
                ),
                ("  time to serve these logins and sessions", peak.recovery_text(scenario)),
            ]),
            None => lines.push(("logins that fail", "unknown: set --login-peak".to_owned())),
        }
        lines
    }

    fn recovery_text(&self, scenario: &Scenario) -> String {
        let (cores, has) = (number(self.cores), number(scenario.issuer_cores));
        match self.recovery {
            Some(secs) => format!(
                "{}{}; refreshes, fetches and your routes need {cores} of {has} cores meanwhile",
                duration(secs),
                by_logins(scenario, self.recovery_by_logins)
            ),
            None => scenario.logins_never_end(self.cores).unwrap_or_else(|| {
                format!("never: refreshes, fetches and your routes need {cores} of {has} cores")
            }),
        }
    }
}

/// Why the recovery takes so long, if the logins are the reason.
fn by_logins(scenario: &Scenario, is_by_logins: bool) -> String {
    if is_by_logins { format!(" ({})", scenario.logins_decide()) } else { String::new() }
}

impl InPeak {
    fn recovery_text(&self, scenario: &Scenario) -> String {
        let left = duration(self.peak_left);
        let without = format!("({} cores with your routes)", number(self.cores_without_peak));
        let Some(secs) = self.recovery else {
            return scenario.logins_never_end(self.cores_without_peak).unwrap_or_else(|| {
                format!("never: the load without a peak {without} needs all cores")
            });
        };
        let time = format!("{}{}", duration(secs), by_logins(scenario, self.recovery_by_logins));
        if self.peak_left == 0.0 {
            format!("{time}, with the load without a peak {without}: the peak is over")
        } else if secs <= self.peak_left {
            format!("{time}, with the load of the peak, which goes on for {left}")
        } else {
            format!(
                "{time}: {left} with the load of the peak, and the rest without the peak {without}"
            )
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
