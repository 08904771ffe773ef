//! Counts of attempts, in bounded memory.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis::clock::Clock;

use crate::clock::now_millis;

/// The maximum number of keys (accounts or networks) with a count of their own. An entry is dropped
/// only when its whole budget has returned, so that a flood of names cannot reset a count.
const COUNTED: usize = 100_000;

/// The number of shared counts, which further keys use while [`COUNTED`] entries exist. A seeded
/// hash of the key selects the count.
const SHARED: usize = 4096;

/// The rejection of an attempt over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limited {
    /// The number of seconds after which the next attempt is accepted.
    pub(crate) retry_after_secs: u64,
    /// Whether this is the first rejected attempt after an accepted one.
    pub(crate) first: bool,
}

/// A rate limit with a budget per key, such as an account or a network.
#[derive(Debug)]
pub(super) struct Attempts {
    /// The time after which one attempt returns to the budget, in milliseconds. `None` disables the
    /// limit.
    interval: Option<u64>,
    /// The period of the budget, in milliseconds.
    window: u64,
    clock: Arc<dyn Clock>,
    taken: Mutex<Table>,
}

/// The used budget of each key, in bounded memory.
#[derive(Debug, Default)]
struct Table {
    counted: HashMap<String, Taken>,
    shared: HashMap<usize, Taken>,
    /// When entries whose whole budget had returned were last dropped.
    swept_at: u64,
    hasher: RandomState,
}

impl Table {
    /// Returns the entry of the key `what`.
    fn entry(&mut self, what: &str, now: u64) -> &mut Taken {
        if !self.counted.contains_key(what) && self.counted.len() >= COUNTED {
            // Runs at most once per second, because it reads the whole table.
            if self.swept_at + 1000 <= now {
                self.swept_at = now;
                self.counted.retain(|_, taken| taken.until > now);
            }
            if self.counted.len() >= COUNTED {
                #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
                let bucket = self.hasher.hash_one(what) as usize % SHARED;
                return self.shared.entry(bucket).or_default();
            }
        }
        self.counted.entry(what.to_owned()).or_default()
    }
}

/// The state of one budget by the generic cell rate algorithm: the time until which the attempts so
/// far use up the budget.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    until: u64,
    told: bool,
}

impl Attempts {
    /// Creates a limit of `limit` attempts at once, which return evenly over the window. 0 means no
    /// limit.
    pub(super) fn new(limit: u32, window: u64, clock: Arc<dyn Clock>) -> Self {
        let interval = (limit > 0).then(|| window / u64::from(limit));
        Self { interval, window, clock, taken: Mutex::default() }
    }

    /// Takes one attempt at `what`.
    pub(super) fn take(&self, what: &str) -> Result<(), Limited> {
        let Some(interval) = self.interval else { return Ok(()) };
        let now = now_millis(&*self.clock);
        let mut table = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = table.entry(what, now);
        let until = taken.until.max(now) + interval;
        let over = until.saturating_sub(now + self.window);
        if over > 0 {
            let first = !std::mem::replace(&mut taken.told, true);
            return Err(Limited { retry_after_secs: over.div_ceil(1000), first });
        }
        *taken = Taken { until, told: false };
        Ok(())
    }

    /// Returns one attempt to the budget.
    pub(super) fn give_back(&self, what: &str) {
        let Some(interval) = self.interval else { return };
        let now = now_millis(&*self.clock);
        let mut table = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = table.entry(what, now);
        taken.until = taken.until.saturating_sub(interval);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use portcullis::testing::{ManualClock, NOW};

    use super::*;

    const WINDOW: u64 = 5 * 60 * 1000;

    fn attempts(limit: u32) -> (Attempts, ManualClock) {
        let clock = ManualClock::at(NOW);
        (Attempts::new(limit, WINDOW, Arc::new(clock.clone())), clock)
    }

    #[test]
    fn attempts_over_the_limit_return_one_by_one() {
        let (attempts, clock) = attempts(3);
        for _ in 0..3 {
            attempts.take("alice").unwrap();
        }
        let limited = |first| Err(Limited { retry_after_secs: 100, first });
        assert_eq!(attempts.take("alice"), limited(true));
        assert_eq!(attempts.take("alice"), limited(false));
        attempts.take("bob").unwrap();
        clock.advance(Duration::from_millis(99_999));
        assert!(attempts.take("alice").is_err());
        clock.advance(Duration::from_millis(1));
        attempts.take("alice").unwrap();
        assert_eq!(attempts.take("alice"), limited(true));
        clock.advance(Duration::from_secs(100_000));
        for _ in 0..3 {
            attempts.take("alice").unwrap();
        }
        assert!(attempts.take("alice").is_err(), "the budget exceeds the limit");
    }

    #[test]
    fn successful_attempts_do_not_use_up_the_budget() {
        let (attempts, _) = attempts(2);
        for _ in 0..100 {
            attempts.take("alice").unwrap();
            attempts.give_back("alice");
        }
        attempts.give_back("unknown");
        for _ in 0..2 {
            attempts.take("alice").unwrap();
        }
        assert!(attempts.take("alice").is_err(), "successes raised the budget");
    }

    #[test]
    fn limit_of_zero_accepts_every_attempt() {
        let (attempts, _) = attempts(0);
        for _ in 0..10_000 {
            attempts.take("alice").unwrap();
        }
    }

    /// A moka cache instead of the table would drop the count of `alice`.
    #[test]
    fn flood_of_names_resets_no_count_and_takes_bounded_memory() {
        let (attempts, clock) = attempts(3);
        let tries = |what: &str| (0..).take_while(|_| attempts.take(what).is_ok()).count();
        assert_eq!(tries("alice"), 3);
        for number in 0..COUNTED + 20_000 {
            let _ = attempts.take(&format!("name-{number}"));
        }
        assert_eq!(tries("alice"), 0);
        let sizes = || {
            let table = attempts.taken.lock().unwrap();
            (table.counted.len(), table.shared.len())
        };
        let (counted, shared) = sizes();
        assert!(counted == COUNTED && shared <= SHARED, "{counted} and {shared}");
        // New names share counts.
        assert!(tries("bob") <= 3);
        clock.advance(Duration::from_millis(WINDOW));
        assert_eq!((tries("carol"), tries("alice")), (3, 3));
        assert!(sizes().0 < 10, "entries with a full budget were kept");
    }
}
