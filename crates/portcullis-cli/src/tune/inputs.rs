//! The inputs of a report, so that a reader can check and repeat it.

use super::report::Report;
use super::scenario::Habit;
use crate::units::{duration, number, percent};

impl Report {
    /// What all settings have in common; each has its own expiry.
    pub(super) fn inputs(&self) -> Vec<(&'static str, String)> {
        let Some(scenario) = self.settings.first().map(|figures| figures.scenario) else {
            return Vec::new();
        };
        let (verifier, activity, costs) = (scenario.verifier, scenario.activity, scenario.costs);
        let pause = match activity.pause {
            0.0 => "none: always active".to_owned(),
            pause => duration(pause),
        };
        let habit = match scenario.habit {
            Habit::Timer => {
                format!("by timer, {} before the expiry", duration(scenario.refresh_early))
            }
            Habit::Lazy => "with the first request that is answered with 401".to_owned(),
        };
        let kept = if scenario.kept_keys { "their key set kept" } else { "no key set kept" };
        let restarted = format!("{} of the instances, {kept}", percent(scenario.restarted));
        let mut inputs = vec![
            ("leeway", duration(verifier.leeway)),
            ("JWKS TTL", duration(verifier.jwks_ttl)),
            ("used for, with the issuer's max-age", duration(verifier.used_ttl)),
            ("refresh ahead", duration(verifier.refresh_ahead)),
            ("fetch timeout", duration(verifier.fetch_timeout)),
            ("max stale", duration(verifier.max_stale)),
            ("sessions", scenario.sessions.to_string()),
            ("instances of all services", scenario.instances.to_string()),
            ("services that a request goes through", scenario.fan_out.to_string()),
            ("requests of an active session, one every", duration(activity.request_every)),
            ("bursts of", duration(activity.burst)),
            ("pauses of", pause),
            ("clients refresh", habit),
            ("revocations in a day", number(scenario.revocations_per_day)),
            ("key rotations in a day", number(scenario.rotations_per_day)),
            ("outage of the issuer", duration(scenario.outage)),
            ("restarted in it", restarted),
            ("clocks differ by (standard deviation)", duration(scenario.clock_skew)),
            ("cores of the issuer", number(scenario.issuer_cores)),
            ("CPU of a refresh at the issuer", duration(costs.refresh)),
            ("of a fetch", duration(costs.fetch)),
            ("of an introspection", duration(costs.lookup)),
            ("CPU of a cold validation", duration(costs.verify)),
            ("and of a warm one", duration(costs.hit)),
        ];
        if let Some(peak) = &self.login_peak {
            let within = format!("{} within {}", number(peak.sessions), duration(peak.within));
            inputs.push(("logins of the peak", within));
        }
        if let Some(idle) = scenario.session_idle {
            inputs.push(("the issuer ends a session that is idle for", duration(idle)));
        }
        if self.login_peak.is_some() || scenario.session_idle.is_some() {
            inputs.push(("CPU of a login at the issuer", duration(costs.login)));
        }
        inputs
    }
}
