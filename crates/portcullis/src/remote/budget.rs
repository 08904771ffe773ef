//! The number of fetches that tokens may cause.
//!
//! A budget is stored outside the document that it limits, and outside the cache that may evict the
//! document, so an eviction does not reset the budget.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};

/// The number of fetches that the tokens of a configured issuer may cause in one burst.
const BURST: u32 = 3;

/// The burst for the rule sets of one bucket. It also covers first fetches, and a few rule sets may
/// share a bucket.
const BUCKET_BURST: u32 = 8;

/// The number of buckets for resolved issuers: several for each cached issuer, so that collisions
/// are rare.
const BUCKETS: usize = 4096;

/// The number of fetches that all resolved issuers together may cause in one burst: one for each
/// cached issuer, so that a restart is not limited.
const CAP_BURST: u32 = 1024;

/// The time until all resolved issuers together may cause one more fetch.
const CAP_INTERVAL: Duration = Duration::from_millis(100);

/// The budget for fetches of one document that tokens may cause.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    bucket: Arc<Bucket>,
    /// The cap for all resolved issuers; `None` for a configured issuer.
    cap: Option<Arc<Bucket>>,
}

impl Default for Budget {
    /// Returns the budget of a configured issuer.
    fn default() -> Self {
        Self { bucket: Bucket::new(BURST), cap: None }
    }
}

impl Budget {
    /// Returns whether a fetch spends the budget even if there is no usable document. For a configured
    /// issuer it does not, because the issuer's document is needed in any case. For a resolved issuer it
    /// does, because an unverified token caused the fetch.
    pub(super) fn covers_first_fetches(&self) -> bool {
        self.cap.is_some()
    }

    /// Returns the time until a fetch is allowed. `cooldown` is the cost of one fetch.
    pub(super) fn wait(&self, now: Duration, cooldown: Duration) -> Duration {
        let cap = self.cap.as_ref().map_or(Duration::ZERO, |cap| cap.wait(now, CAP_INTERVAL));
        self.bucket.wait(now, cooldown).max(cap)
    }

    /// Spends one fetch, if one is allowed now.
    pub(super) fn try_spend(&self, now: Duration, cooldown: Duration) -> bool {
        let taken = self.bucket.try_spend(now, cooldown);
        let within_cap = || self.cap.as_ref().is_none_or(|cap| cap.try_spend(now, CAP_INTERVAL));
        if taken && !within_cap() {
            self.bucket.refund(cooldown);
            return false;
        }
        taken
    }
}

/// The budgets of issuers that are known only at run time. A seeded hash of the rule set's name
/// selects one of a fixed number of buckets, and a cap limits the sum of all buckets.
pub(crate) struct IssuerBudgets {
    buckets: Vec<Arc<Bucket>>,
    cap: Arc<Bucket>,
    hasher: RandomState,
}

impl IssuerBudgets {
    pub(crate) fn new() -> Self {
        let buckets = (0..BUCKETS).map(|_| Bucket::new(BUCKET_BURST)).collect();
        Self { buckets, cap: Bucket::new(CAP_BURST), hasher: RandomState::new() }
    }

    /// Returns the budget of `rule_set`: always the same one.
    pub(crate) fn of(&self, rule_set: &str) -> Budget {
        #[expect(clippy::cast_possible_truncation, reason = "any bits are suitable")]
        let at = self.hasher.hash_one(rule_set) as usize % BUCKETS;
        let bucket = self.buckets.get(at).unwrap_or(&self.cap).clone();
        Budget { bucket, cap: Some(self.cap.clone()) }
    }
}

/// A token bucket in one number: the generic cell rate algorithm (GCRA).
#[derive(Debug)]
struct Bucket {
    /// The time when the bucket is full again, in nanoseconds of the monotonic clock.
    full_at: AtomicU64,
    burst: u32,
}

impl Bucket {
    fn new(burst: u32) -> Arc<Self> {
        Arc::new(Self { full_at: AtomicU64::new(0), burst })
    }

    fn wait(&self, now: Duration, interval: Duration) -> Duration {
        self.wait_until(self.full_at.load(Ordering::Relaxed), now, interval)
    }

    fn wait_until(&self, full_at: u64, now: Duration, interval: Duration) -> Duration {
        let debt = Duration::from_nanos(full_at).saturating_sub(now);
        debt.saturating_sub(interval.saturating_mul(self.burst - 1))
    }

    fn try_spend(&self, now: Duration, interval: Duration) -> bool {
        let spent = |full_at: u64| {
            let allowed = self.wait_until(full_at, now, interval).is_zero();
            allowed.then(|| full_at.max(nanos(now)).saturating_add(nanos(interval)))
        };
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent).is_ok()
    }

    /// Gives back the fetch that [`try_spend`](Self::try_spend) took.
    fn refund(&self, interval: Duration) {
        self.full_at.fetch_sub(nanos(interval), Ordering::Relaxed);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(30);

    #[test]
    fn budget_allows_a_burst_and_one_more_per_cooldown() {
        let budget = Budget::default();
        let mut spent = Vec::new();
        for second in 100..400 {
            let now = Duration::from_secs(second);
            while budget.wait(now, COOLDOWN).is_zero() {
                assert!(budget.try_spend(now, COOLDOWN));
                spent.push(second);
            }
            assert!(!budget.try_spend(now, COOLDOWN));
        }
        assert_eq!(spent, [100, 100, 100, 130, 160, 190, 220, 250, 280, 310, 340, 370]);
        // A bucket that was not used for a while is full again, but never holds more than the burst.
        let later = Duration::from_secs(10_000);
        for _ in 0..BURST {
            assert!(budget.try_spend(later, COOLDOWN));
        }
        assert_eq!(budget.wait(later, COOLDOWN), COOLDOWN);
    }

    #[test]
    fn each_issuer_has_its_budget_and_all_share_a_cap() {
        let budgets = IssuerBudgets::new();
        let now = Duration::from_secs(1);
        let spend = |issuer: &str| budgets.of(issuer).try_spend(now, COOLDOWN);
        assert_eq!((0..100).filter(|_| spend("a")).count(), 8);
        assert_eq!(budgets.of("a").wait(now, COOLDOWN), COOLDOWN);
        let of_many = (0..10_000).filter(|issuer| spend(&issuer.to_string())).count();
        assert_eq!(of_many, 1024 - 8);
        // If the cap rejects a fetch, the bucket spends nothing.
        let fresh = budgets.buckets.iter().find(|bucket| bucket.wait(now, COOLDOWN).is_zero());
        let budget = Budget { bucket: fresh.unwrap().clone(), cap: Some(budgets.cap.clone()) };
        // The first attempt moves the time of an unused bucket to `now`.
        assert!(!budget.try_spend(now, COOLDOWN));
        let before = budget.bucket.full_at.load(Ordering::Relaxed);
        assert!(!budget.try_spend(now, COOLDOWN));
        assert_eq!(budget.bucket.full_at.load(Ordering::Relaxed), before);
        assert_eq!(budget.wait(now, COOLDOWN), CAP_INTERVAL);
        assert!(budget.try_spend(now + CAP_INTERVAL, COOLDOWN));
    }
}
