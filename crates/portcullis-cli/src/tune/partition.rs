//! Routes with `Revocation::live().in_outage(…)` in a partition: clients reach the issuer but services
//! do not. Closed forms without a simulation.

use serde::Serialize;

use super::closed_forms::{active_again, active_back, active_share, active_time};
use super::report::Report;
use super::scenario::Scenario;
use super::waiting::kept;
use crate::units::{duration, percent};

/// The times since the partition began, in seconds.
const TIMES: [f64; 3] = [300.0, 600.0, 1800.0];

/// The text about `in_outage` with a status list. No figure depends on it.
const LISTS: &str = "Routes with `Revocation::status_list(…).in_outage(…)` use the last list until its `exp` at \
                     most, and answer a token with an `idx` beyond its end with 401";

/// With more services than this, the terms of the alternating sum lose all digits by cancellation.
const SERVICES: u64 = 20;

/// The share of requests that get 503 at a time after the partition began.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Rejected {
    pub(super) after: f64,
    pub(super) rejected: f64,
}

/// `share`: the share of requests to these routes.
pub(super) fn rejected(scenario: &Scenario, share: f64) -> Vec<Rejected> {
    let at = |after| Rejected { after, rejected: 1.0 - scenario.known(after, share) };
    TIMES.map(at).into()
}

impl Scenario {
    /// Of the requests to routes with introspection, the share that every service of the request accepts
    /// at a time `after` the partition began. A service accepts it if its instance introspected the same
    /// token before the partition, when the token had an age y below U − after. So the share is the
    /// integral over y of P(the session is active at y + after, and all k instances have seen the token
    /// by y), divided by the mean time in bursts of a token. P(one instance has seen it) = 1 − e^(−θτ),
    /// where τ is the time in bursts. So the k-th power is a sum over j of e^(−jθτ), whose integrals
    /// [`kept`] returns. A response is not used after the token's `exp`, although the leeway accepts a
    /// token for longer.
    fn known(&self, after: f64, share: f64) -> f64 {
        let (burst, pause) = (self.activity.burst, self.activity.pause);
        let oldest = self.used_for().min(self.access_expiry) - after;
        if oldest <= 0.0 {
            return 0.0;
        }
        let services = self.fan_out.min(SERVICES);
        let every = self.validation_every() * self.instances as f64 / share;
        let again = active_again(burst, pause, after);
        let back = active_back(burst, pause, after);
        let (mut binomial, mut sum) = (1.0, 0.0);
        for unseen_by in 0..=services {
            let unseen_by = unseen_by as f64;
            let [active, inactive] = if unseen_by == 0.0 {
                let active = active_time(burst, pause, 0.0, oldest);
                [active, oldest - active]
            } else {
                kept(oldest, 1.0, every / unseen_by, burst, pause)
            };
            sum += binomial * (active * again + inactive * back);
            binomial *= -(services as f64 - unseen_by) / (unseen_by + 1.0);
        }
        (sum / (self.cycle() * active_share(burst, pause))).clamp(0.0, 1.0)
    }
}

impl Report {
    /// The text about `in_outage` in a partition, for each guarantee that the issuer offers.
    pub(super) fn partition_text(&self) -> Option<String> {
        let lists = self.habits.offers.status_lists != Some(false);
        let parts: Vec<_> = [self.introspection_text(), lists.then(|| LISTS.to_owned())]
            .into_iter()
            .flatten()
            .collect();
        (!parts.is_empty()).then(|| {
            format!(
                "In a partition, routes with `Revocation::in_outage` accept the last known answer for the \
                 time that is set, but no expired token: the lag of a session has the same bound. {}",
                parts.join(". ")
            )
        })
    }

    /// The text with the share at each time, if the issuer offers introspection.
    fn introspection_text(&self) -> Option<String> {
        let scenario = self.settings.first().filter(|_| !self.in_partition.is_empty())?.scenario;
        let shares = self.in_partition.iter();
        let shares =
            shares.map(|of| format!("{} after {}", percent(of.rejected), duration(of.after)));
        let expiry = duration(scenario.access_expiry);
        let most = TIMES.iter().copied().fold(scenario.access_expiry, f64::max);
        Some(format!(
            "Routes with `Revocation::live().in_outage({})` answer this share of their requests \
             with 503: {}. Without `in_outage`, all. An instance accepts a token only if it introspected \
             the same token before the partition. Each active session has another token within {expiry}, \
             the expiry, so `in_outage` helps it for one expiry at most, and its requests go to random \
             instances of each service. Closed forms without a simulation",
            duration(most),
            shares.collect::<Vec<_>>().join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use crate::tune::closed_forms::simpson;
    use crate::tune::scenario::{Activity, Habit, Scenario};

    #[test]
    fn token_renewed_in_the_partition_was_never_introspected() {
        let of = Scenario::for_test();
        assert_eq!((of.known(900.0, 1.0), of.known(1800.0, 1.0)), (0.0, 0.0));
        let lazy = Scenario { habit: Habit::Lazy, ..of };
        assert_eq!(lazy.known(900.0, 1.0), 0.0);
        assert!(of.known(300.0, 1.0) > of.known(600.0, 1.0) && of.known(600.0, 1.0) > 0.0);
    }

    /// Without pauses, the share is 1/U times the integral of (1 − e^(−θy))^k.
    #[test]
    fn share_without_pauses_is_the_integral_over_token_ages() {
        let base = Scenario::for_test();
        let always = Scenario { activity: Activity { pause: 0.0, ..base.activity }, ..base };
        for (fan_out, instances, share) in
            [(1, 10, 1.0), (5, 20, 1.0), (5, 160, 0.05), (20, 40, 1.0)]
        {
            let of = Scenario { fan_out, instances, ..always };
            let rate = share * fan_out as f64 / (10.0 * instances as f64);
            let seen = |age: f64| (1.0 - (-rate * age).exp()).powi(fan_out as i32);
            let expected = simpson(0.0, 600.0, seen) / 900.0;
            let found = of.known(300.0, share);
            assert!((found - expected).abs() < 1e-6, "{fan_out}: {found}, {expected}");
        }
    }

    /// If every instance sees each token immediately, only sessions with a new token are rejected.
    #[test]
    fn instances_that_see_all_tokens_reject_only_the_renewed_ones() {
        for pause in [0.0, 1500.0] {
            let base = Scenario::for_test();
            let activity = Activity { pause, request_every: 1e-6, ..base.activity };
            let of = Scenario { instances: 1, activity, ..base };
            let renewed = of.waiting(300.0) / of.active_sessions();
            let rejected = 1.0 - of.known(300.0, 1.0);
            assert!((rejected - renewed).abs() < 1e-4, "{rejected}, {renewed}");
        }
    }
}
