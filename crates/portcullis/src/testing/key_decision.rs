//! The decision table for a cached key set, as a pure function: for models of key rotation.

use std::time::Duration;

use crate::remote::freshness::{self, Decision, Failure, History, Lifetime, Limits, Lookup};

/// A verifier's cached key set, as the state of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedKeys {
    /// Whether the set has the key of the token.
    pub has_key: bool,
    /// The age of the set; `None` if nothing was fetched.
    pub age: Option<Duration>,
    /// How long ago the last fetch failed, and the number of consecutive failures; `None` if it succeeded.
    pub failure: Option<(Duration, u32)>,
    /// The time until an unknown `kid` may cause a fetch.
    pub budget_in: Duration,
}

/// What a verifier does with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDecision {
    /// Uses the cached set.
    Use,
    /// Waits for a fetch.
    Wait,
    /// Rejects the token: the set lacks its key, or no set is usable, and no fetch is allowed now.
    Reject,
}

impl CachedKeys {
    /// Returns what a service with this `jwks_ttl` and `max_stale` does. It calls the function that the
    /// service itself calls for each token.
    ///
    /// ```
    /// use std::time::Duration;
    /// use portcullis::testing::{CachedKeys, KeyDecision};
    ///
    /// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    /// let fresh = CachedKeys {
    ///     has_key: true,
    ///     age: Some(minutes(4)),
    ///     failure: None,
    ///     budget_in: Duration::ZERO,
    /// };
    /// let decide = |keys: CachedKeys| keys.decide(minutes(5), minutes(60));
    /// assert_eq!(decide(fresh), KeyDecision::Use);
    /// assert_eq!(decide(CachedKeys { age: Some(minutes(5)), ..fresh }), KeyDecision::Wait);
    /// ```
    #[must_use]
    pub fn decide(&self, ttl: Duration, max_stale: Duration) -> KeyDecision {
        let limits = Limits {
            ttl,
            min_ttl: Duration::ZERO,
            refresh_ahead: Duration::ZERO,
            max_stale,
            obey_no_cache: false,
            cooldown: Duration::from_secs(30),
            fetch_timeout: Duration::from_secs(5),
        };
        let failure = self.failure.map(|(ago, failures)| {
            let wait = freshness::back_off(failures);
            let left = wait.saturating_sub(ago);
            Failure { ago, retry_in: left, back_off_in: left, overdue: ago.saturating_sub(wait) }
        });
        let first_in = Duration::ZERO;
        let history = History { budget_in: self.budget_in, first_in, failure, in_flight: false };
        let lifetime = Lifetime::new(ttl, max_stale, &limits, 0.0);
        let lookup = if self.has_key { Lookup::Hit } else { Lookup::Miss };
        match freshness::decide(lookup, self.age.map(|age| (age, lifetime)), &limits, history) {
            Decision::Use | Decision::UseAndRefresh => KeyDecision::Use,
            Decision::Fetch(_) => KeyDecision::Wait,
            Decision::Limited { .. } | Decision::Unavailable { .. } => KeyDecision::Reject,
        }
    }
}
