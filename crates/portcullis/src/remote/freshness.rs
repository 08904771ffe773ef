//! What a key set of some age may still be used for: one pure table.

use std::time::Duration;

/// The operator's bounds on the life of fetched keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Until this age a set is used without asking; the server may say less.
    pub(crate) ttl: Duration,
    /// The least that the server may say.
    pub(crate) min_ttl: Duration,
    /// How long before its TTL a set is renewed, at least; zero: not before, and by no task of its
    /// own.
    pub(crate) refresh_ahead: Duration,
    /// For this long beyond its TTL a set is used while it can not be renewed.
    pub(crate) max_stale: Duration,
    /// Whether that is so even if the server's headers forbid it.
    pub(crate) ignore_must_revalidate: bool,
    /// The least time between two fetches that unknown `kid`s cause.
    pub(crate) cooldown: Duration,
    /// The deadline of one whole fetch.
    pub(crate) fetch_timeout: Duration,
}

impl Limits {
    /// Makes the TTL no longer than this.
    pub(crate) fn shorten_ttl(&mut self, ttl: Duration) {
        self.ttl = self.ttl.min(ttl);
        self.min_ttl = self.min_ttl.min(ttl);
        self.refresh_ahead = self.refresh_ahead.min(ttl / 10);
    }

    /// Whether sets are renewed before they are due.
    pub(crate) fn renews_ahead(&self) -> bool {
        !self.refresh_ahead.is_zero()
    }

    /// The longest that a withdrawn key is accepted while the issuer can be reached: the fetch
    /// that still brought it began up to a TTL ago, and the next one may take its time.
    pub(crate) fn withdrawal_bound(&self) -> Duration {
        self.ttl.saturating_add(self.fetch_timeout)
    }

    /// The longest that a withdrawn key is accepted while the issuer can not be reached.
    pub(crate) fn withdrawal_bound_in_outage(&self) -> Duration {
        self.ttl.saturating_add(self.max_stale)
    }
}

/// What those bounds and the server's headers make of one fetched set: ages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// From here on it is time to renew the set.
    pub(crate) ageing: Duration,
    /// From here on it must be renewed before it is used.
    pub(crate) ttl: Duration,
    /// From here on it is not used, whatever happens.
    pub(crate) end: Duration,
}

impl Lifetime {
    /// `spread`, from 0 to 1, sets services apart that were started together: each renews its
    /// keys between one and two times `refresh_ahead` before the TTL. The server may have made
    /// that short, so it is never more than two thirds of it.
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

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct History {
    /// Since the last fetch that an unknown `kid` caused began, whether it failed or not.
    pub(crate) since_miss: Option<Duration>,
    /// Until the next attempt, while failures back off.
    pub(crate) retry_in: Option<Duration>,
    /// Whether a fetch is under way.
    pub(crate) in_flight: bool,
}

/// What to do for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Answer from the set at hand.
    Use,
    /// Answer from the set at hand, and have it renewed meanwhile.
    UseAndRefresh,
    /// Wait for a fetch, starting one if none is under way.
    Fetch(Reason),
    /// Answer that nobody can say before this time is over.
    Wait { retry_after: Duration },
}

/// What a fetch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There is no set, or it is past its time.
    Due,
    /// The set is fresh and has not the key: this is what the budget is for.
    UnknownKey,
}

/// The table. `set` is the age and the lifetime of the set at hand.
pub(crate) fn decide(
    lookup: Lookup,
    set: Option<(Duration, Lifetime)>,
    limits: &Limits,
    history: History,
) -> Decision {
    let retry_in = history.retry_in.filter(|rest| !rest.is_zero());
    let Some((age, lifetime)) = set else {
        return retry_in
            .map_or(Decision::Fetch(Reason::Due), |retry_after| Decision::Wait { retry_after });
    };
    let fresh = age < lifetime.ttl;
    match (lookup, fresh, retry_in) {
        (Lookup::Hit, true, None) if age >= lifetime.ageing => Decision::UseAndRefresh,
        (Lookup::Hit, true, _) => Decision::Use,
        // While failures back off nobody waits: there would be nothing to wait for.
        (Lookup::Hit, false, Some(_)) if age < lifetime.end => Decision::Use,
        (_, _, Some(retry_after)) => Decision::Wait { retry_after },
        (_, false, None) => Decision::Fetch(Reason::Due),
        // What is under way anyhow costs nothing, and may bring the key.
        (Lookup::Miss, true, None) if history.in_flight => Decision::Fetch(Reason::UnknownKey),
        (Lookup::Miss, true, None) => {
            // The budget counts attempts, so that failures do not refill it.
            let rest = history.since_miss.and_then(|since| limits.cooldown.checked_sub(since));
            rest.filter(|rest| !rest.is_zero())
                .map_or(Decision::Fetch(Reason::UnknownKey), |retry_after| Decision::Wait {
                    retry_after,
                })
        }
    }
}

/// The shortest and the longest wait after a failed fetch.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The longest `Retry-After` that is respected: an issuer that says more may have said it by
/// mistake, and the keys at hand end.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// How long to wait after that many failures in a row: 1 s, doubling, at most 30 s; or as long as
/// the server asks.
pub(crate) fn back_off(failures: u32, retry_after: Option<Duration>) -> Duration {
    let (min, max) = BACK_OFF;
    let doubled = min.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(max);
    retry_after.map_or(doubled, |asked| asked.clamp(min, MAX_RETRY_AFTER).max(doubled))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        ttl: Duration::from_secs(300),
        min_ttl: Duration::from_secs(10),
        refresh_ahead: Duration::from_secs(30),
        max_stale: Duration::from_secs(3600),
        ignore_must_revalidate: false,
        cooldown: Duration::from_secs(30),
        fetch_timeout: Duration::from_secs(5),
    };
    const LIFETIME: Lifetime = Lifetime {
        ageing: Duration::from_secs(270),
        ttl: Duration::from_secs(300),
        end: Duration::from_secs(3900),
    };

    fn decided(
        lookup: Lookup,
        age: Option<u64>,
        since_miss: Option<u64>,
        retry_in: Option<u64>,
    ) -> Decision {
        let history = History {
            since_miss: since_miss.map(Duration::from_secs),
            retry_in: retry_in.map(Duration::from_secs),
            in_flight: false,
        };
        let set = age.map(|age| (Duration::from_secs(age), LIFETIME));
        decide(lookup, set, &LIMITS, history)
    }

    #[test]
    fn the_table() {
        use Decision::{Fetch, Use, UseAndRefresh, Wait};
        use Lookup::{Hit, Miss};
        const DUE: Decision = Fetch(Reason::Due);
        const UNKNOWN: Decision = Fetch(Reason::UnknownKey);
        let wait = |secs| Wait { retry_after: Duration::from_secs(secs) };
        // lookup, age, seconds since the last miss, seconds until the next attempt
        for (lookup, age, since_miss, retry_in, expected) in [
            // Nothing fetched yet.
            (Miss, None, None, None, DUE),
            (Miss, None, Some(0), None, DUE),
            (Miss, None, None, Some(7), wait(7)),
            // Fresh: a hit asks nobody.
            (Hit, Some(0), None, None, Use),
            (Hit, Some(269), Some(0), Some(7), Use),
            // Ageing: a hit has the set renewed, unless failures back off.
            (Hit, Some(270), None, None, UseAndRefresh),
            (Hit, Some(299), None, Some(0), UseAndRefresh),
            (Hit, Some(299), None, Some(7), Use),
            // Fresh or ageing: a miss has a budget.
            (Miss, Some(0), None, None, UNKNOWN),
            (Miss, Some(0), Some(0), None, wait(30)),
            (Miss, Some(299), Some(29), None, wait(1)),
            (Miss, Some(299), Some(30), None, UNKNOWN),
            (Miss, Some(299), Some(30), Some(7), wait(7)),
            // Past the TTL: whoever comes waits for the fetch, known key or not.
            (Hit, Some(300), None, None, DUE),
            (Hit, Some(300), None, Some(0), DUE),
            (Miss, Some(300), Some(0), None, DUE),
            // Past the TTL, and failures back off: known keys are used up to the bound.
            (Hit, Some(300), None, Some(7), Use),
            (Hit, Some(3899), None, Some(7), Use),
            (Hit, Some(3900), None, Some(7), wait(7)),
            (Miss, Some(300), None, Some(7), wait(7)),
            (Hit, Some(3900), None, None, DUE),
        ] {
            let decision = decided(lookup, age, since_miss, retry_in);
            assert_eq!(decision, expected, "{lookup:?} {age:?} {since_miss:?} {retry_in:?}");
        }
    }

    /// What must hold of every row, whatever its numbers.
    #[test]
    fn the_invariants_hold_for_every_age_and_history() {
        let seconds = || [None, Some(0), Some(1), Some(29), Some(30), Some(31)].into_iter();
        let ages = (0..=4000).step_by(10).flat_map(|age| [age, age.max(1) - 1]);
        for age in ages {
            for since_miss in seconds() {
                for retry_in in seconds() {
                    let hit = decided(Lookup::Hit, Some(age), since_miss, retry_in);
                    let miss = decided(Lookup::Miss, Some(age), since_miss, retry_in);
                    let backs_off = retry_in.is_some_and(|rest| rest > 0);
                    let case = format!("{age} {since_miss:?} {retry_in:?}");
                    // A known key within the TTL never waits, and is never used past the end.
                    let used = matches!(hit, Decision::Use | Decision::UseAndRefresh);
                    assert!(used || age >= 300, "{case}");
                    assert!(!used || age < 3900, "{case}");
                    // While failures back off nobody starts a fetch.
                    let fetches =
                        |decision| matches!(decision, Decision::Fetch(_) | Decision::UseAndRefresh);
                    assert!(!backs_off || !fetches(hit) && !fetches(miss), "{case}");
                    // A miss is never answered from the set, and is no excuse to flood.
                    assert!(!matches!(miss, Decision::Use | Decision::UseAndRefresh), "{case}");
                    if let Decision::Fetch(Reason::UnknownKey) = miss {
                        assert!(since_miss.is_none_or(|since| since >= 30), "{case}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_miss_joins_what_is_under_way_whatever_its_budget() {
        let history = History { since_miss: Some(Duration::ZERO), retry_in: None, in_flight: true };
        let fresh = Some((Duration::ZERO, LIFETIME));
        let decision = decide(Lookup::Miss, fresh, &LIMITS, history);
        assert_eq!(decision, Decision::Fetch(Reason::UnknownKey));
        let decision = decide(Lookup::Hit, fresh, &LIMITS, history);
        assert_eq!(decision, Decision::Use);
    }

    #[test]
    fn a_set_is_renewed_ahead_of_its_ttl_and_not_by_all_at_once() {
        let ageing = |ttl, limits: &Limits, spread| {
            Lifetime::new(Duration::from_secs(ttl), Duration::ZERO, limits, spread).ageing.as_secs()
        };
        assert_eq!(Lifetime::new(LIMITS.ttl, LIMITS.max_stale, &LIMITS, 0.0), LIFETIME);
        assert_eq!(ageing(300, &LIMITS, 1.0), 240);
        assert_eq!(ageing(300, &LIMITS, 7.0), 240);
        // The server made it short.
        assert_eq!((ageing(9, &LIMITS, 0.0), ageing(9, &LIMITS, 1.0)), (6, 3));
        let off = Limits { refresh_ahead: Duration::ZERO, ..LIMITS };
        assert_eq!(ageing(300, &off, 1.0), 300);
    }

    #[test]
    fn back_off_doubles_up_to_its_bound_and_heeds_the_server() {
        let seconds: Vec<_> = (0..9).map(|failures| back_off(failures, None).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(back_off(u32::MAX, None).as_secs(), 30);
        for (failures, asked, expected) in [(1, 0, 1), (1, 60, 60), (1, 86_400, 300), (9, 5, 30)] {
            let asked = Some(Duration::from_secs(asked));
            assert_eq!(back_off(failures, asked).as_secs(), expected, "{failures} {asked:?}");
        }
    }
}
