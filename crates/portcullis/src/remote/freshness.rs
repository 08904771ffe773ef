//! How a key set may be used at a given age: one table without side effects.

use std::time::Duration;

/// The operator's limits on the lifetime of fetched keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The age up to which a set is used without a fetch. The server may shorten it.
    pub(crate) ttl: Duration,
    /// The lower limit for a lifetime set by the server.
    pub(crate) min_ttl: Duration,
    /// The minimum time before the TTL at which a set is refreshed. Zero disables both the early
    /// refresh and the background task.
    pub(crate) refresh_ahead: Duration,
    /// The maximum time past its TTL that a set is used while it cannot be refreshed.
    pub(crate) max_stale: Duration,
    /// Whether the server's headers may forbid stale use and caching.
    pub(crate) obey_no_cache: bool,
    /// The time until unknown `kid`s may cause one more fetch; a burst of [`BURST`] is allowed.
    pub(crate) cooldown: Duration,
    /// The deadline of one complete fetch.
    pub(crate) fetch_timeout: Duration,
}

impl Limits {
    /// Reduces the TTL to at most this value.
    pub(crate) fn shorten_ttl(&mut self, ttl: Duration) {
        self.ttl = self.ttl.min(ttl);
        self.min_ttl = self.min_ttl.min(ttl);
        self.refresh_ahead = self.refresh_ahead.min(ttl / 10);
    }

    /// Returns whether sets are refreshed before they are due.
    pub(crate) fn renews_ahead(&self) -> bool {
        !self.refresh_ahead.is_zero()
    }

    /// Returns how long a withdrawn key may still be accepted while the issuer is reachable. The last fetch
    /// with the key may have begun up to a TTL ago. The next fetch takes time and may fail once.
    pub(crate) fn withdrawal_bound(&self) -> Duration {
        let retry = BACK_OFF.0.mul_f64(1.0 + JITTER).saturating_add(self.fetch_timeout);
        self.ttl.saturating_add(self.fetch_timeout).saturating_add(retry)
    }

    /// Returns how long a withdrawn key may still be accepted while the issuer is unreachable.
    pub(crate) fn withdrawal_bound_in_outage(&self) -> Duration {
        self.ttl.saturating_add(self.max_stale)
    }
}

/// The maximum age of revocation information, as set for the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ages {
    /// The maximum age while the issuer is reachable. With zero, the issuer's response is used only
    /// if it was requested after the client's request arrived.
    pub(crate) usual: Duration,
    /// The maximum age while the issuer is unreachable.
    pub(crate) in_outage: Duration,
}

/// The ages that limit one fetched set, from the operator's limits and the server's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// From this age on, the set is due for a refresh.
    pub(crate) ageing: Duration,
    /// From this age on, the set must be refreshed before use.
    pub(crate) ttl: Duration,
    /// From this age on, the set is never used.
    pub(crate) end: Duration,
}

impl Lifetime {
    /// `spread`, from 0 to 1, distributes the refreshes of services that were started together. Each
    /// refreshes its keys between one and two times `refresh_ahead` before the end of the TTL. If the
    /// server sets a short TTL, a refresh begins at most two thirds of the TTL before its end.
    pub(crate) fn new(ttl: Duration, max_stale: Duration, limits: &Limits, spread: f64) -> Self {
        let ahead = limits.refresh_ahead.min(ttl / 3);
        let ageing = ttl.saturating_sub(ahead + ahead.mul_f64(spread.clamp(0.0, 1.0)));
        Self { ageing, ttl, end: ttl.saturating_add(max_stale) }
    }
}

/// Whether the set has the key that the token names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    Hit,
    Miss,
}

/// The fetch history of a document.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct History {
    /// Time until unknown `kid`s may cause another fetch; zero: now.
    pub(crate) budget_in: Duration,
    /// Time until a fetch may begin while there is no usable set; zero: now.
    pub(crate) first_in: Duration,
    /// The failure of the last fetch, if it failed.
    pub(crate) failure: Option<Failure>,
    /// Whether a fetch is in flight.
    pub(crate) in_flight: bool,
}

/// The times of the last failed fetch and of the next attempt, relative to now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Failure {
    /// Time since the failure.
    pub(crate) ago: Duration,
    /// Time until the back-off or the server's `Retry-After` ends, whichever is later; zero after
    /// that.
    pub(crate) retry_in: Duration,
    /// Time until our own back-off ends, regardless of `Retry-After`: no header extends a bound.
    pub(crate) back_off_in: Duration,
    /// Time since our own back-off ended; zero before that.
    pub(crate) overdue: Duration,
}

impl Failure {
    /// Returns how long a request would wait for the next attempt to begin. The attempt begins
    /// at most [`MAX_DEMAND`] after the failure.
    pub(crate) fn retry_on_demand(&self) -> Duration {
        self.retry_in.min(MAX_DEMAND.saturating_sub(self.ago))
    }
}

/// What to do for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Answer from the cached set.
    Use,
    /// Answer from the cached set, and refresh it in the background.
    UseAndRefresh,
    /// Wait for a fetch, starting one if none is in flight.
    Fetch(Reason),
    /// Reject: the cached set lacks the key, and no fetch is allowed now.
    Limited { retry_after: Duration },
    /// Reject: the fetch failed, and there is no usable set.
    Unavailable { retry_after: Duration },
}

/// The reason for a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There is no usable set. The fetch spends the budget of a resolved issuer.
    First,
    /// The set is past its TTL, or the last fetch failed.
    Due,
    /// The set is fresh and lacks the key. The fetch spends the budget.
    UnknownKey,
}

/// The decision table. `set` is the age and the lifetime of the cached set.
pub(crate) fn decide(
    lookup: Lookup,
    set: Option<(Duration, Lifetime)>,
    limits: &Limits,
    history: History,
) -> Decision {
    let failure = history.failure;
    let retry_in = failure.unwrap_or_default().retry_in;
    let retry_on_demand = failure.unwrap_or_default().retry_on_demand();
    let Some((age, lifetime)) = set.filter(|(age, lifetime)| *age < lifetime.end) else {
        return if !retry_on_demand.is_zero() {
            Decision::Unavailable { retry_after: retry_on_demand }
        } else if history.in_flight || history.first_in.is_zero() {
            Decision::Fetch(Reason::First)
        } else {
            Decision::Limited { retry_after: history.first_in }
        };
    };
    let fresh = age < lifetime.ttl;
    match (lookup, failure) {
        (Lookup::Hit, _) if fresh => {
            if age >= lifetime.ageing && retry_in.is_zero() {
                Decision::UseAndRefresh
            } else {
                Decision::Use
            }
        }
        (Lookup::Hit, Some(failure)) if !failure.back_off_in.is_zero() => Decision::Use,
        // Stale keys are used without waiting only for a short time after the back-off, because the
        // issuer may have recovered.
        (Lookup::Hit, Some(failure))
            if history.in_flight || failure.overdue < limits.fetch_timeout =>
        {
            Decision::UseAndRefresh
        }
        (Lookup::Hit, _) => Decision::Fetch(Reason::Due),
        (Lookup::Miss, _) if !retry_on_demand.is_zero() => {
            Decision::Limited { retry_after: retry_on_demand }
        }
        (Lookup::Miss, Some(_)) => Decision::Fetch(Reason::Due),
        (Lookup::Miss, None) if !fresh => Decision::Fetch(Reason::Due),
        // Joining the fetch in flight spends no budget, and that fetch may return the key.
        (Lookup::Miss, None) if history.in_flight || history.budget_in.is_zero() => {
            Decision::Fetch(Reason::UnknownKey)
        }
        (Lookup::Miss, None) => Decision::Limited { retry_after: history.budget_in },
    }
}

/// The maximum time from a failed fetch to the next attempt if a request would wait for it.
const MAX_DEMAND: Duration = Duration::from_secs(5);

/// The maximum random fraction that is added to a back-off, so that services that could not reach
/// the same issuer do not retry at the same time.
pub(crate) const JITTER: f64 = 0.1;

/// The minimum and the maximum wait after a failed fetch.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The maximum `Retry-After` that is respected. A longer value may be a mistake, and the cached keys
/// would expire before the next fetch.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Returns the wait after this number of consecutive failures: 1 s, doubling, at most 30 s.
pub(crate) fn back_off(failures: u32) -> Duration {
    let (min, max) = BACK_OFF;
    min.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(max)
}

/// Returns how long a `Retry-After` delays the next fetch.
pub(crate) fn asked(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        ttl: Duration::from_secs(300),
        min_ttl: Duration::from_secs(10),
        refresh_ahead: Duration::from_secs(30),
        max_stale: Duration::from_secs(3600),
        obey_no_cache: false,
        cooldown: Duration::from_secs(30),
        fetch_timeout: Duration::from_secs(5),
    };
    const LIFETIME: Lifetime = Lifetime {
        ageing: Duration::from_secs(270),
        ttl: Duration::from_secs(300),
        end: Duration::from_secs(3900),
    };

    /// The fetch history, in seconds.
    #[derive(Debug, Clone, Copy)]
    enum Past {
        /// The last fetch succeeded.
        Good,
        /// The last fetch succeeded, and the budget is spent for this long.
        Spent(u64),
        /// Like `Spent`, with a budget that covers first fetches.
        FirstSpent(u64),
        /// A fetch failed this long ago, and back-off lasts this much longer.
        Failed(u64, u64),
        /// Back-off ended this long ago.
        Overdue(u64),
        /// Like `Overdue`, and the server's `Retry-After` lasts this much longer.
        Asked(u64, u64),
    }

    impl Past {
        fn history(self) -> History {
            let secs = Duration::from_secs;
            let failure = |ago, retry_in, back_off_in, overdue| {
                let [ago, retry_in, back_off_in, overdue] =
                    [ago, retry_in, back_off_in, overdue].map(secs);
                Some(Failure { ago, retry_in, back_off_in, overdue })
            };
            let (budget_in, failure) = match self {
                Self::Good => (0, None),
                Self::Spent(budget_in) | Self::FirstSpent(budget_in) => (budget_in, None),
                Self::Failed(ago, retry_in) => (0, failure(ago, retry_in, retry_in, 0)),
                Self::Overdue(overdue) => (0, failure(overdue + 1, 0, 0, overdue)),
                Self::Asked(overdue, asked) => (0, failure(overdue + 1, asked, 0, overdue)),
            };
            let budget_in = secs(budget_in);
            let covers_first = matches!(self, Self::FirstSpent(_));
            let first_in = if covers_first { budget_in } else { Duration::ZERO };
            History { budget_in, first_in, failure, in_flight: false }
        }
    }

    fn decided(lookup: Lookup, age: Option<u64>, past: Past) -> Decision {
        let set = age.map(|age| (Duration::from_secs(age), LIFETIME));
        decide(lookup, set, &LIMITS, past.history())
    }

    #[test]
    fn decision_table_by_age_and_history() {
        use Decision::{Fetch, Use, UseAndRefresh};
        use Lookup::{Hit, Miss};
        use Past::{Asked, Failed, FirstSpent, Good, Overdue, Spent};
        const FIRST: Decision = Fetch(Reason::First);
        const DUE: Decision = Fetch(Reason::Due);
        const UNKNOWN: Decision = Fetch(Reason::UnknownKey);
        let limited = |secs| Decision::Limited { retry_after: Duration::from_secs(secs) };
        let unavailable = |secs| Decision::Unavailable { retry_after: Duration::from_secs(secs) };
        for (lookup, age, past, expected) in [
            // There is no usable set. A request waits: the next attempt begins at most 5 s after
            // the last failure.
            (Miss, None, Good, FIRST),
            (Miss, None, Spent(9), FIRST),
            (Miss, None, FirstSpent(9), limited(9)),
            (Miss, None, Failed(1, 1), unavailable(1)),
            (Miss, None, Failed(1, 29), unavailable(4)),
            (Miss, None, Failed(5, 25), FIRST),
            (Miss, None, Overdue(0), FIRST),
            (Hit, Some(3900), Good, FIRST),
            (Hit, Some(3900), FirstSpent(9), limited(9)),
            (Hit, Some(3900), Failed(1, 29), unavailable(4)),
            (Miss, Some(3900), Failed(1, 29), unavailable(4)),
            (Hit, Some(3900), Failed(5, 25), FIRST),
            // The key is known, and the set is fresh.
            (Hit, Some(0), Good, Use),
            (Hit, Some(269), Failed(0, 7), Use),
            // The set is ageing: it is refreshed in the background, unless failures back off.
            (Hit, Some(270), Good, UseAndRefresh),
            (Hit, Some(299), Overdue(0), UseAndRefresh),
            (Hit, Some(299), Failed(9, 20), Use),
            // Past the TTL: the request waits for the first fetch. After a failure, stale keys are
            // used immediately while the fetch is retried, but not without a retry.
            (Hit, Some(300), Good, DUE),
            (Hit, Some(300), FirstSpent(9), DUE),
            (Hit, Some(300), Failed(0, 1), Use),
            (Hit, Some(3899), Failed(9, 20), Use),
            (Hit, Some(300), Overdue(0), UseAndRefresh),
            (Hit, Some(3899), Overdue(4), UseAndRefresh),
            (Hit, Some(300), Overdue(5), DUE),
            // `Retry-After` is respected while the set is fresh, and extends no bound.
            (Hit, Some(299), Asked(0, 300), Use),
            (Hit, Some(300), Asked(0, 300), UseAndRefresh),
            (Hit, Some(300), Asked(5, 300), DUE),
            // The key is unknown, and the set is fresh: a fetch needs the budget.
            (Miss, Some(0), Good, UNKNOWN),
            (Miss, Some(299), Spent(1), limited(1)),
            // Fetches fail. A retry spends no budget, and the next one is at most 5 s away.
            (Miss, Some(0), Failed(0, 1), limited(1)),
            (Miss, Some(0), Failed(1, 29), limited(4)),
            (Miss, Some(0), Failed(5, 25), DUE),
            (Miss, Some(0), Overdue(0), DUE),
            // An unknown key past the TTL: the fetch is due anyway.
            (Miss, Some(300), Good, DUE),
            (Miss, Some(300), Spent(9), DUE),
            (Miss, Some(300), Failed(1, 29), limited(4)),
            (Miss, Some(300), Overdue(9), DUE),
        ] {
            assert_eq!(decided(lookup, age, past), expected, "{lookup:?} {age:?} {past:?}");
        }
    }

    /// Invariants of every row, for any numbers.
    #[test]
    fn invariants_hold_for_every_age_and_history() {
        let pasts = [0, 1, 4, 5, 6, 30, 31].into_iter().flat_map(|secs| {
            let failed = |retry_in| Past::Failed(secs, retry_in);
            [Past::Good, Past::Spent(secs), failed(1), failed(30), Past::Overdue(secs)]
        });
        let ages = (0..=4000).step_by(10).flat_map(|age| [age, age.max(1) - 1]);
        for (age, past) in ages.flat_map(|age| pasts.clone().map(move |past| (age, past))) {
            let hit = decided(Lookup::Hit, Some(age), past);
            let miss = decided(Lookup::Miss, Some(age), past);
            let case = format!("{age} {past:?}");
            let used = matches!(hit, Decision::Use | Decision::UseAndRefresh);
            assert!(used || age >= 300, "a known key waited within the TTL: {case}");
            assert!(!used || age < 3900, "a key was used past the end: {case}");
            assert!(!matches!(miss, Decision::Use | Decision::UseAndRefresh), "{case}");
            // 503 only if no usable set is left and a fetch has failed.
            for decision in [hit, miss] {
                if let Decision::Unavailable { retry_after } = decision {
                    assert!(age >= 3900 && matches!(past, Past::Failed(..)), "{case}");
                    assert!(retry_after <= MAX_DEMAND, "{case}");
                }
            }
            // A fetch for an unknown key spends a budget.
            if let Decision::Fetch(Reason::UnknownKey) = miss {
                assert!(matches!(past, Past::Good | Past::Spent(0)), "{case}");
            }
        }
    }

    #[test]
    fn unknown_key_joins_the_fetch_in_progress_with_any_budget() {
        let history = History { in_flight: true, ..Past::Spent(9).history() };
        let fresh = Some((Duration::ZERO, LIFETIME));
        let decision = decide(Lookup::Miss, fresh, &LIMITS, history);
        assert_eq!(decision, Decision::Fetch(Reason::UnknownKey));
        let decision = decide(Lookup::Hit, fresh, &LIMITS, history);
        assert_eq!(decision, Decision::Use);
    }

    #[test]
    fn withdrawal_bound_includes_one_failed_fetch_and_its_retry() {
        assert_eq!(LIMITS.withdrawal_bound(), Duration::from_millis(311_100));
        assert_eq!(LIMITS.withdrawal_bound_in_outage(), Duration::from_secs(3900));
    }

    #[test]
    fn key_set_is_refreshed_before_its_ttl_with_jitter() {
        let ageing = |ttl, limits: &Limits, spread| {
            Lifetime::new(Duration::from_secs(ttl), Duration::ZERO, limits, spread).ageing.as_secs()
        };
        assert_eq!(Lifetime::new(LIMITS.ttl, LIMITS.max_stale, &LIMITS, 0.0), LIFETIME);
        assert_eq!(ageing(300, &LIMITS, 1.0), 240);
        assert_eq!(ageing(300, &LIMITS, 7.0), 240);
        // The server set a short TTL.
        assert_eq!((ageing(9, &LIMITS, 0.0), ageing(9, &LIMITS, 1.0)), (6, 3));
        let off = Limits { refresh_ahead: Duration::ZERO, ..LIMITS };
        assert_eq!(ageing(300, &off, 1.0), 300);
    }

    #[test]
    fn back_off_doubles_up_to_its_bound() {
        let seconds: Vec<_> = (0..9).map(|failures| back_off(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(back_off(u32::MAX).as_secs(), 30);
    }

    #[test]
    fn retry_after_is_obeyed_up_to_its_bound() {
        for (secs, expected) in [(0, 0), (60, 60), (86_400, 300)] {
            assert_eq!(asked(Some(Duration::from_secs(secs))).as_secs(), expected);
        }
        assert_eq!(asked(None), Duration::ZERO);
    }
}
