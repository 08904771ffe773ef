//! A peak of logins, and the peak of refreshes after it. Closed forms without a simulation.

use clap::Args;
use serde::Serialize;

use super::closed_forms::{active_again, active_time};
use super::idle::ended_while_idle;
use super::load::Load;
use super::mechanisms::RouteCores;
use super::renewals::refreshes_until;
use super::scenario::Scenario;
use super::sizing::{Sizing, USABLE, Work, counted};
use crate::exit::Failure;
use crate::units::{duration, micros, number, positive, seconds};

/// CPU time of a password hash with common parameters, in microseconds.
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
    /// Active sessions when the logins end, at which time their number is highest: all of them, and
    /// those that do not belong to the peak.
    pub(super) active: f64,
    pub(super) active_others: f64,
    /// Refreshes per second of the sessions of the peak, when the logins end or when the first tokens
    /// are due, whichever is later.
    pub(super) refreshes_again: f64,
    /// Cores of the issuer at full utilisation, the sum of the parts.
    pub(super) cores: f64,
    pub(super) cores_at_70_percent: f64,
    /// The cores that the issuer needs by the rule.
    pub(super) sizing: Sizing,
    pub(super) parts: Parts,
    /// The source of the cost of a login: an option or an assumption.
    pub(super) login_source: String,
}

/// Cores of the issuer at the peak.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Parts {
    /// Refreshes of the other sessions, and fetches.
    pub(super) refreshes_and_fetches: f64,
    /// Logins of sessions that ended while idle.
    pub(super) idle_logins: f64,
    pub(super) logins: f64,
    /// Refreshes of the sessions that log in at the peak.
    pub(super) refreshes_due: f64,
    /// Introspection by all sessions that are active when the logins end.
    pub(super) introspection: f64,
    pub(super) status_lists: f64,
}

impl PeakArguments {
    pub(super) fn is_given(self) -> bool {
        self.login_peak.is_some()
    }

    /// `may_end`: the issuer ends idle sessions, so there are logins without a peak as well.
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

    /// The load of the peak at the issuer, when the logins end. `--sessions` includes the sessions of
    /// the peak.
    pub(super) fn peak(
        self,
        scenario: &Scenario,
        load: &Load,
        routes: RouteCores,
        login_source: String,
    ) -> Option<LoginPeak> {
        let sessions = self.login_peak?;
        let (within, costs) = (self.login_within, scenario.costs);
        let logins = sessions / within;
        let (burst, pause) = (scenario.activity.burst, scenario.activity.pause);
        let others = others(sessions, scenario);
        let active_others = others * scenario.active_sessions();
        // The integral, over the time since a login, of the probability that the session is active.
        let active_peak = logins * active_time(burst, pause, 0.0, within);
        let used = scenario.used_for();
        let until = refreshes_until(within, used, burst, pause);
        let refreshes_again = logins * until.max(active_again(burst, pause, used));
        // A session of the peak can exceed the idle limit only if the peak lasts longer than the limit.
        let ended = scenario
            .session_idle
            .filter(|idle| *idle < within)
            .map_or(0.0, |idle| ended_while_idle(idle, used, scenario.waits_for(), burst, pause));
        let [refreshes_and_fetches, idle_logins] = load.busiest_parts(scenario);
        let fetches = scenario.fetches() * costs.fetch;
        let parts = Parts {
            refreshes_and_fetches: others * (refreshes_and_fetches - fetches) + fetches,
            idle_logins: others * idle_logins + refreshes_again * ended * costs.login,
            logins: logins * costs.login,
            refreshes_due: refreshes_again * (1.0 - ended) * costs.refresh,
            introspection: others * routes.introspection + active_peak * routes.per_active,
            status_lists: routes.status_lists,
        };
        Some(LoginPeak {
            sessions,
            within,
            logins,
            active: active_others + active_peak,
            active_others,
            refreshes_again,
            cores: parts.sum(),
            cores_at_70_percent: parts.sum() / USABLE,
            sizing: Sizing::new(parts.work(), scenario.hashes_on_half),
            parts,
            login_source,
        })
    }
}

fn others(sessions: f64, scenario: &Scenario) -> f64 {
    (1.0 - sessions / scenario.sessions as f64).max(0.0)
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

    fn work(self) -> Work {
        Work { all: self.sum(), logins: self.logins + self.idle_logins }
    }
}

impl LoginPeak {
    /// Of the sessions without a peak, the share that does not belong to the peak.
    pub(super) fn others(&self, scenario: &Scenario) -> f64 {
        others(self.sessions, scenario)
    }

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
            "{} logins in {} are {} logins/s. When they end, {} sessions are active: {} of the peak, and {} \
             of the others. The issuer needs {} cores then at 100 % utilisation, and {} at 70 %: {} for the refreshes of the other sessions \
             and the fetches{idle} + {} for logins of the peak ({} each, {}) + {} for the \
             refreshes of the sessions of the peak ({} refreshes/s; the first is due {} after \
             the login){beside}. Size for {}{}. \
             --sessions includes the sessions of the peak. {}A closed form without a \
             simulation.",
            number(self.sessions),
            duration(self.within),
            number(self.logins),
            number(self.active.round()),
            number((self.active - self.active_others).round()),
            number(self.active_others.round()),
            number(self.cores),
            number(self.cores_at_70_percent),
            number(parts.refreshes_and_fetches),
            number(parts.logins),
            duration(scenario.costs.login),
            self.login_source,
            number(parts.refreshes_due),
            number(self.refreshes_again),
            duration(scenario.used_for()),
            counted(self.sizing.cores),
            if self.sizing.by_logins {
                format!(", by twice the {} cores of the logins", number(self.sizing.load.logins))
            } else {
                String::new()
            },
            if self.within < scenario.used_for() {
                "An upper limit: these refreshes are due after the logins end. "
            } else {
                ""
            }
        )
    }
}
