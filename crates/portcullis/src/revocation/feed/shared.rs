//! The state that the clones of a [`Revocations`](super::Revocations) share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::task::JoinHandle;

use super::bounds::Bounds;
use super::fresh::Fresh;
use super::known::Known;
use super::{Cursor, Entry, IssuerFeed, RevocationStore, StoreError, Storing, rounded_up};
use crate::clock::{Clock, Timestamp, default_clock};
use crate::duration::InSeconds;
use crate::metrics;

/// The deadline of each operation of the store.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The time for which entries are kept if this process does not know the token lifetime of their issuer.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The leeway for issuers that this process does not know: the largest configurable leeway.
const UNKNOWN_LEEWAY: Duration = Duration::from_secs(300);

/// The time between two removals of entries that are no longer needed, in seconds.
const BETWEEN_SWEEPS: u64 = 60;

pub(super) struct Shared {
    pub(super) store: Arc<dyn RevocationStore>,
    /// Whether all entries come from this process, so that no store must be read.
    pub(super) is_local: bool,
    /// The clock of the first authenticator.
    pub(super) clock: OnceLock<Arc<dyn Clock>>,
    pub(super) issuers: RwLock<HashMap<Box<str>, Arc<OfIssuer>>>,
    pub(super) entries: AtomicUsize,
    pub(super) max_entries: usize,
    pub(super) retention: Option<Duration>,
    pub(super) poll_interval: Duration,
    pub(super) follows: bool,
    pub(super) swept_at: AtomicU64,
    pub(super) pruned_at: AtomicU64,
    pub(super) known: ArcSwap<Known>,
    /// The start of the last complete read, as in `known`, in a form that is fast to check.
    pub(super) fresh: Fresh,
    /// The maximum ages that routes require, for the metrics.
    pub(super) bounds: Bounds,
    /// The position at which the last read of the store ended. Locked during a read.
    pub(super) cursor: AsyncMutex<Option<Cursor>>,
    /// Whether the store has passed the check that it keeps acknowledged entries.
    pub(super) is_checked: AtomicBool,
    pub(super) waiting: Semaphore,
    pub(super) follower: Mutex<Option<JoinHandle<()>>>,
    pub(super) has_started: AtomicBool,
}

/// The entries of one issuer, and the lifetimes of its tokens.
pub(super) struct OfIssuer {
    pub(super) feed: Arc<IssuerFeed>,
    pub(super) lifetimes: Mutex<Option<Lifetimes>>,
}

/// The time for which tokens of an issuer may be accepted after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    pub(crate) leeway: Duration,
    /// The maximum lifetime of a token plus twice the leeway.
    pub(crate) bound: Duration,
}

impl OfIssuer {
    /// Records the lifetimes of an authenticator. If several authenticators share the issuer, the longest
    /// lifetimes apply.
    pub(super) fn note(&self, lifetimes: Lifetimes) {
        let mut known = self.lifetimes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.unwrap_or(lifetimes);
        *known = Some(Lifetimes {
            leeway: before.leeway.max(lifetimes.leeway),
            bound: before.bound.max(lifetimes.bound),
        });
    }

    fn lifetimes(&self) -> Option<Lifetimes> {
        *self.lifetimes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    pub(super) fn has_clock(&self, clock: &Arc<dyn Clock>) -> bool {
        self.clock.get().is_some_and(|own| Arc::ptr_eq(own, clock))
    }

    pub(super) fn own_clock(&self) -> &Arc<dyn Clock> {
        self.clock.get_or_init(default_clock)
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now(&**self.own_clock())
    }

    /// The entries of an issuer. The issuer need not be trusted by an authenticator of this process,
    /// because a resolver may trust it later.
    pub(super) fn of(&self, issuer: &str) -> Arc<OfIssuer> {
        let found =
            self.issuers.read().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned();
        found.unwrap_or_else(|| {
            let mut issuers = self.issuers.write().unwrap_or_else(PoisonError::into_inner);
            let new = || {
                metrics::feed_issuer_begins(issuer);
                let (feed, lifetimes) = (Arc::new(IssuerFeed::new()), Mutex::new(None));
                Arc::new(OfIssuer { feed, lifetimes })
            };
            issuers.entry(issuer.into()).or_insert_with(new).clone()
        })
    }

    /// The lifetimes of tokens of `issuer`, for the entries that this process stores.
    pub(super) fn lifetimes(&self, issuer: &str) -> Lifetimes {
        match (self.known_lifetimes(issuer), self.retention) {
            (Some(known), retention) => {
                Lifetimes { bound: known.bound.max(retention.unwrap_or_default()), ..known }
            }
            (None, retention) => {
                Lifetimes { leeway: UNKNOWN_LEEWAY, bound: retention.unwrap_or(UNKNOWN_LIFETIME) }
            }
        }
    }

    fn known_lifetimes(&self, issuer: &str) -> Option<Lifetimes> {
        let issuers = self.issuers.read().unwrap_or_else(PoisonError::into_inner);
        issuers.get(issuer).and_then(|of_issuer| of_issuer.lifetimes())
    }

    /// Returns the time in whole seconds since 1970, rounded down: an entry must not end early.
    fn second(&self) -> u64 {
        let since = self.now().wall().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    }

    /// Applies an entry to the tokens of its issuer.
    pub(super) fn apply(&self, entry: &Entry) {
        let now = self.second();
        // The entry may come from a service whose tokens have a shorter maximum lifetime than those of
        // this one.
        let own = self.known_lifetimes(&entry.issuer).map(|own| rounded_up(own.bound));
        let until = entry.until.max(entry.at.saturating_add(own.unwrap_or(0)));
        if until <= now {
            return;
        }
        self.count(self.of(&entry.issuer).feed.add(entry, until));
        self.sweep(now);
        while self.entries.load(Ordering::Relaxed) > self.max_entries && self.condense() {}
    }

    /// Replaces the oldest entries of the issuer with the most entries by a watermark. Returns whether
    /// there were any entries.
    fn condense(&self) -> bool {
        let largest = {
            let issuers = self.issuers.read().unwrap_or_else(PoisonError::into_inner);
            let largest = issuers.iter().max_by_key(|(_, of_issuer)| of_issuer.feed.len());
            largest.map(|(name, of_issuer)| (name.clone(), of_issuer.clone()))
        };
        let Some((issuer, of_issuer)) = largest else { return false };
        let change = of_issuer.feed.condense();
        self.count(change);
        metrics::feed_condensed(&issuer);
        tracing::warn!(
            target: "portcullis::feed",
            %issuer, max_entries = self.max_entries, watermark = of_issuer.feed.watermark(),
            "too many revocations: the oldest became a watermark, and tokens issued before it are rejected",
        );
        change < 0
    }

    fn count(&self, change: isize) {
        self.entries.fetch_add(change.cast_unsigned(), Ordering::Relaxed);
    }

    /// Removes entries that are no longer needed, at most once a minute.
    fn sweep(&self, now: u64) {
        let before = self.swept_at.load(Ordering::Relaxed);
        let is_due = now >= before.saturating_add(BETWEEN_SWEEPS);
        let swap = || {
            let relaxed = Ordering::Relaxed;
            self.swept_at.compare_exchange(before, now, relaxed, relaxed).is_ok()
        };
        if is_due && swap() {
            let issuers = self.issuers.read().unwrap_or_else(PoisonError::into_inner);
            for of_issuer in issuers.values() {
                self.count(of_issuer.feed.expire(now));
            }
        }
    }

    /// Removes entries that are no longer needed, even if no new entry arrives.
    pub(super) fn tidy(&self) {
        self.sweep(self.second());
        metrics::feed_entries(self.entries.load(Ordering::Relaxed));
    }

    /// Runs `start` unless its task is already running.
    pub(super) fn keep_following(&self, start: impl FnOnce() -> Option<JoinHandle<()>>) {
        let mut task = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            *task = start();
        }
    }

    /// Runs an operation of the store, within its deadline.
    pub(super) async fn bounded<T>(operation: Storing<'_, T>) -> Result<T, StoreError> {
        let timeout = tokio::time::timeout(TIMEOUT, operation).await;
        timeout.unwrap_or_else(|_elapsed| {
            let error = format!("no response within {}", InSeconds(TIMEOUT));
            Err(StoreError::unavailable(error))
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let task = self.follower.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}
