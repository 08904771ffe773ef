//! `Revocation::live().reuse_for(…)`: the number of introspections on routes that use a response again. A
//! closed form without a simulation.

use super::closed_forms::{active_time, instances_that_see};
use super::scenario::Scenario;

impl Scenario {
    /// Introspections per second on routes with this share of the requests, if an instance uses a
    /// response for a token again for `reuse`. Two introspections of a session by the same instance are
    /// `reuse` apart, plus the mean time until the next request there. So there are n·active / (1/θ +
    /// the time in bursts within `reuse`), where θ is the rate of requests of an active session at one
    /// instance. There is at least one introspection for each token and each instance that sees it.
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
        // Each of 10 instances gets one request in 100 s. Reuse for 10 s saves 1 introspection in 11;
        // with bursts, it saves slightly less.
        let always = Scenario { activity: Activity { pause: 0.0, ..of.activity }, ..of };
        let saved = always.introspections(1.0, 10.0) / always.validations();
        assert!((saved - 100.0 / 110.0).abs() < 1e-9, "{saved}");
        let with_bursts = of.introspections(1.0, 10.0) / all;
        assert!(with_bursts > saved && with_bursts < saved * 1.01, "{with_bursts}");
        // One instance gets ten requests while a response is reused: one introspection for all of them
        // and for the wait until the next request.
        let one = Scenario { instances: 1, ..always };
        let each = one.introspections(1.0, 100.0) / one.active_sessions();
        assert!((each - 1.0 / 110.0).abs() < 1e-9, "{each}");
        // Each token is introspected once, however long its response may be used.
        let long = one.introspections(1.0, 3600.0) / one.refreshes();
        assert!((long - 1.0).abs() < 1e-9, "{long}");
    }
}
