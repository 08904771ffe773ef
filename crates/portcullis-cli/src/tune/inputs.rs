//! The inputs of a report, so that a reader can check and repeat it.

use super::report::Report;
use super::scenario::Habit;
use crate::units::{duration, number, percent};

impl Report {
    /// The inputs that all settings share; each setting has its own expiry.
    pub(super) fn inputs(&self) -> Vec<(&'static str, String)> {
        let Some(scenario) = self.settings.first().map(|figures| figures.scenario) else {
            return Vec::new();
        };
        let (verifier, activity, costs) = (scenario.verifier, scenario.activity, scenario.costs);
        let sources = &self.cost_sources;
        let cost = |secs: f64, source: &str| format!("{} ({source})", duration(secs));
        let active = scenario.active_sessions();
        let pause = match activity.pause {
            0.0 => "none: sessions are always active".to_owned(),
            pause => duration(pause),
        };
        let habit = match scenario.habit {
            Habit::Timer => {
                format!("by timer, {} before the expiry", duration(scenario.refresh_early))
            }
            Habit::Lazy => "when a request is rejected with 401".to_owned(),
        };
        let kept = if scenario.kept_keys { "with kept key sets" } else { "without kept key sets" };
        let restarted = match scenario.restarted {
            0.0 => "none".to_owned(),
            share => format!("{} of the instances, {kept}", percent(share)),
        };
        let rotations = match scenario.rotations_per_day {
            rare if rare > 0.0 && rare < 1.0 => format!("one in {}", duration(86_400.0 / rare)),
            often => format!("{} a day", number(often)),
        };
        let mut inputs = vec![
            ("leeway", duration(verifier.leeway)),
            ("JWKS TTL", duration(verifier.jwks_ttl)),
            ("JWKS TTL with the issuer's max-age", duration(verifier.used_ttl)),
            ("refresh ahead", duration(verifier.refresh_ahead)),
            ("fetch timeout", duration(verifier.fetch_timeout)),
            ("max stale", duration(verifier.max_stale)),
            ("sessions", scenario.sessions.to_string()),
            ("instances of all services", scenario.instances.to_string()),
            ("services per user request", scenario.fan_out.to_string()),
            ("an active session sends a request every", duration(activity.request_every)),
            ("mean burst", duration(activity.burst)),
            ("mean pause", pause),
            (
                "active sessions at a time, without a peak",
                format!(
                    "{} ({}: burst / (burst + pause))",
                    number(active.round()),
                    percent(active / scenario.sessions as f64)
                ),
            ),
            ("clients refresh", habit),
            ("revoked sessions a day", number(scenario.revocations_per_day)),
            ("key rotations", rotations),
            ("outage of the issuer", duration(scenario.outage)),
            ("restarted during the outage", restarted),
            ("clock skew (standard deviation)", duration(scenario.clock_skew)),
            ("cores of the issuer", number(scenario.issuer_cores)),
            ("CPU of a refresh at the issuer", cost(costs.refresh, &sources.refresh)),
            ("CPU of a fetch at the issuer", cost(costs.fetch, &sources.fetch)),
            ("CPU of an introspection at the issuer", cost(costs.lookup, &sources.lookup)),
            ("CPU of a validation, cache miss", cost(costs.verify, &sources.verify)),
            ("CPU of a validation, cache hit", cost(costs.hit, &sources.hit)),
            ("age of a status list, at most", duration(self.guarantees.list_max_age)),
            ("age of the feed, at most", duration(self.guarantees.feed_max_age)),
            ("requests with introspection", percent(self.guarantees.live_share)),
            ("requests with a status list", percent(self.guarantees.list_share)),
            ("requests with the feed", percent(self.guarantees.feed_share)),
        ];
        if let Some(reuse) = self.guarantees.reuse_for {
            inputs.push(("an introspection response is reused for", duration(reuse)));
        }
        if let Some(peak) = &self.login_peak {
            let within = format!("{} within {}", number(peak.sessions), duration(peak.within));
            inputs.push(("login peak", within));
            let active = number(peak.active.round());
            inputs.push(("active sessions at the end of the login peak", active));
        }
        if let Some(idle) = scenario.session_idle {
            let source = sources.session_idle.as_deref().unwrap_or_default();
            let name = "the issuer ends a session after an idle time of";
            inputs.push((name, cost(idle, source)));
        }
        if self.login_peak.is_some() || scenario.session_idle.is_some() {
            inputs.push(("CPU of a login at the issuer", cost(costs.login, &sources.login)));
            let hashing = number(scenario.login_cores());
            inputs.push(("cores of the issuer for password hashes", hashing));
        }
        inputs
    }
}
