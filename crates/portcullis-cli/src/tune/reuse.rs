//! `Revocation::live().reuse_for(…)`: the introspections of routes that use a response again. A closed form
//! without a simulation.

use super::closed_forms::{active_time, instances_that_see};
use super::scenario::Scenario;

impl Scenario {
    /// Introspections per second of routes with this share of the requests, if an instance uses a response
    /// for a token again for `reuse`. Until the next introspection of a session by an instance passes that
    /// time, and then the mean time until the next request there: n·active / (1/θ + the time in bursts of
    /// `reuse`), with θ the rate of requests of an active session at an instance. At least one for each
    /// token and instance that sees it.
    pub(super) fn introspections(&self, share: f64, reuse: f64) -> f64 {
        let (instances, activity) = (self.instances as f64, &self.activity);
        let (burst, pause) = (activity.burst, activity.pause);
        let every = self.validation_every() / share;
        let reused = active_time(burst, pause, 0.0, reuse);
        let windows = self.active_sessions() * instances / (every * instances + reused);
        let seen = instances_that_see(self.used_for(), every, instances, burst, pause);
        windows.max(self.refreshes() * seen)
    }
}

#[cfg(test)]
mod tests {
    use crate::tune::scenario::{Activity, Scenario};

    #[test]
    fn reused_responses_save_introspections_only_where_requests_meet_them() {
        let of = Scenario::for_test();
        let all = of.validations();
        assert!((of.introspections(1.0, 0.0) / all - 1.0).abs() < 1e-9);
        assert!((of.introspections(0.05, 0.0) / (0.05 * all) - 1.0).abs() < 1e-9);
        // One request in 100 s at each of 10 instances: 10 s of reuse save 1 in 11, and with bursts a bit
        // less.
        let always = Scenario { activity: Activity { pause: 0.0, ..of.activity }, ..of };
        let saved = always.introspections(1.0, 10.0) / always.validations();
        assert!((saved - 100.0 / 110.0).abs() < 1e-9, "{saved}");
        let with_bursts = of.introspections(1.0, 10.0) / all;
        assert!(with_bursts > saved && with_bursts < saved * 1.01, "{with_bursts}");
        // One instance, ten requests in a window: one introspection for it and the wait for the next.
        let one = Scenario { instances: 1, ..always };
        let each = one.introspections(1.0, 100.0) / one.active_sessions();
        assert!((each - 1.0 / 110.0).abs() < 1e-9, "{each}");
        // Each token is introspected once, however long its response may be used.
        let long = one.introspections(1.0, 3600.0) / one.refreshes();
        assert!((long - 1.0).abs() < 1e-9, "{long}");
    }
}
