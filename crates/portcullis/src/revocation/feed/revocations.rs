//! The handle to a service's revocations, and what its clones share.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::task::JoinHandle;

use super::known::Known;
use super::{Cursor, Entry, IssuerFeed, MemoryStore, RevocationStore, rounded_up, seconds};
use crate::clock::{Clock, Timestamp, default_clock};
use crate::duration::InSeconds;
use crate::metrics;

/// The default maximum number of entries in memory, of all issuers.
const MAX_ENTRIES: usize = 200_000;

/// The default interval between two reads of a store that does not notify.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The deadline of each operation of the store.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long entries of an issuer are kept whose token lifetime this process does not know.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The leeway for issuers that this process does not know: the largest that can be configured.
const UNKNOWN_LEEWAY: Duration = Duration::from_secs(300);

/// The time between two removals of entries that matter no more, in seconds.
const BETWEEN_SWEEPS: u64 = 60;

/// The maximum number of requests that wait for a read.
const MAX_WAITING: usize = 1024;

/// The revocations that a service knows, for
/// [`AuthenticatorBuilder::revocations`](crate::AuthenticatorBuilder::revocations).
///
/// It applies to all routes with [`Revocation::feed`](crate::Revocation::feed). It is cheap to
/// clone: keep a clone to report events, for example in the handler of a webhook or in an
/// administrator's operation. Authenticators that share it must have the same clock.
///
/// ```
/// use std::time::Duration;
/// use portcullis::feed::Revocations;
/// use portcullis::testing::{ISSUER, Scene, gate_rule};
/// use portcullis::{Gate, Revocation};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let revocations = Revocations::in_memory();
/// # let given = revocations.clone();
/// let scene = Scene::with(|builder| {
///     builder.revocations(given).max_token_lifetime(Duration::from_secs(900))
/// })
/// .await;
/// let gate = scene.gate().revocation(Revocation::feed(Duration::from_secs(5)))?;
/// let token = scene.token("alice").claim("sid", "s-1");
/// assert_eq!(gate_rule(&gate, &token.headers()).await, "accepted");
///
/// // Returns when the entry is stored. The next request of this session is rejected.
/// revocations.revoke_session(ISSUER, "s-1").await?;
/// assert_eq!(gate_rule(&gate, &token.headers()).await, "revoked");
/// let other = scene.token("alice").claim("sid", "s-2");
/// assert_eq!(gate_rule(&gate, &other.headers()).await, "accepted");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Revocations(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) store: Arc<dyn RevocationStore>,
    /// Whether all entries come from this process, so that nothing needs to be read.
    pub(super) is_local: bool,
    /// The clock of the first authenticator.
    clock: OnceLock<Arc<dyn Clock>>,
    issuers: RwLock<HashMap<Box<str>, Arc<OfIssuer>>>,
    entries: AtomicUsize,
    max_entries: usize,
    retention: Option<Duration>,
    pub(super) poll_interval: Duration,
    pub(super) follows: bool,
    swept_at: AtomicU64,
    pub(super) pruned_at: AtomicU64,
    pub(super) known: ArcSwap<Known>,
    /// Where the last read of the store ended. Held during a read.
    pub(super) cursor: AsyncMutex<Option<Cursor>>,
    /// Whether the store was found to keep what it acknowledges.
    pub(super) is_checked: AtomicBool,
    pub(super) waiting: Semaphore,
    follower: Mutex<Option<JoinHandle<()>>>,
    has_started: AtomicBool,
}

/// The entries of one issuer, and how long its tokens live.
pub(super) struct OfIssuer {
    pub(super) feed: Arc<IssuerFeed>,
    lifetimes: Mutex<Option<Lifetimes>>,
}

/// How long tokens of an issuer may be accepted after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    pub(crate) leeway: Duration,
    /// The maximum lifetime of a token plus twice the leeway.
    pub(crate) bound: Duration,
}

impl Revocations {
    /// Creates revocations that only this process knows, and that end with it.
    ///
    /// They are right for a service of one instance: the log says so at start. A service with
    /// several instances needs a shared [store](Self::new), because a logout reaches only one of
    /// them. After a restart, tokens that were revoked before are accepted until they expire.
    #[must_use]
    pub fn in_memory() -> Self {
        RevocationsBuilder { is_local: true, ..Self::builder(MemoryStore::new()) }.build()
    }

    /// Creates revocations that all instances of the service share through `store`.
    ///
    /// ```
    /// use portcullis::feed::{MemoryStore, Revocations};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Usually a store of `portcullis-postgres` or `portcullis-redis`.
    /// let store = MemoryStore::new();
    /// let revocations = Revocations::new(store);
    /// revocations.revoke_session("https://auth.example", "s-1").await?;
    /// // A value that no token can have is not stored.
    /// assert!(revocations.revoke_session("https://auth.example", "").await.is_err());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new(store: impl RevocationStore) -> Self {
        Self::builder(store).build()
    }

    /// Creates a builder, for other settings than those of [`new`](Self::new).
    pub fn builder(store: impl RevocationStore) -> RevocationsBuilder {
        RevocationsBuilder {
            store: Arc::new(store),
            is_local: false,
            max_entries: MAX_ENTRIES,
            retention: None,
            poll_interval: POLL_INTERVAL,
            follows: true,
        }
    }

    /// Returns the entries of an issuer. `lifetimes` are those of its tokens.
    pub(crate) fn of_issuer(&self, issuer: &str, lifetimes: Lifetimes) -> Arc<IssuerFeed> {
        let of_issuer = self.0.of(issuer);
        of_issuer.note(lifetimes);
        of_issuer.feed.clone()
    }

    /// Takes the clock of the first authenticator.
    pub(crate) fn adopt(&self, clock: &Arc<dyn Clock>) {
        self.0.clock.get_or_init(|| clock.clone());
    }

    pub(super) fn log_start(&self) {
        if self.0.has_started.swap(true, Ordering::Relaxed) {
            return;
        }
        if self.0.is_local {
            tracing::info!(
                target: "portcullis::feed",
                "revocations are kept in the memory of this process: for a service of one instance; several \
                 need a shared store",
            );
        } else {
            tracing::info!(
                target: "portcullis::feed",
                store = ?self.0.store, poll_interval = %InSeconds(self.0.poll_interval),
                max_entries = self.0.max_entries,
                "revocation feed started",
            );
        }
    }
}

impl OfIssuer {
    /// Records the lifetimes of an authenticator. If several share the issuer, the longest count.
    fn note(&self, lifetimes: Lifetimes) {
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
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now(&**self.clock.get_or_init(default_clock))
    }

    /// The entries of an issuer, also of one that no authenticator of this process trusts yet: a
    /// resolver may trust it later.
    pub(super) fn of(&self, issuer: &str) -> Arc<OfIssuer> {
        let found =
            self.issuers.read().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned();
        found.unwrap_or_else(|| {
            let mut issuers = self.issuers.write().unwrap_or_else(PoisonError::into_inner);
            let new = || {
                let (feed, lifetimes) = (Arc::new(IssuerFeed::new()), Mutex::new(None));
                Arc::new(OfIssuer { feed, lifetimes })
            };
            issuers.entry(issuer.into()).or_insert_with(new).clone()
        })
    }

    /// How long tokens of `issuer` may live, for the entries that this process stores.
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

    /// Applies an entry to the tokens of its issuer.
    pub(super) fn apply(&self, entry: &Entry) {
        let now = seconds(self.now().wall());
        // The entry may be from a service that accepts shorter tokens than this one.
        let own = self.known_lifetimes(&entry.issuer).map(|own| rounded_up(own.bound));
        let until = entry.until.max(entry.at.saturating_add(own.unwrap_or(0)));
        if until <= now {
            return;
        }
        self.count(self.of(&entry.issuer).feed.add(entry, until));
        self.sweep(now);
        while self.entries.load(Ordering::Relaxed) > self.max_entries && self.condense() {}
    }

    /// Replaces the oldest entries of the issuer with the most entries by a watermark. Returns
    /// whether there were any.
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

    /// Removes entries that matter no more, once a minute.
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

    /// Removes entries that matter no more, if no entry arrived for a while.
    pub(super) fn tidy(&self) {
        self.sweep(seconds(self.now().wall()));
        metrics::feed_entries(self.entries.load(Ordering::Relaxed));
    }

    /// Runs `start` unless its task is running.
    pub(super) fn keep_following(&self, start: impl FnOnce() -> Option<JoinHandle<()>>) {
        let mut task = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            *task = start();
        }
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

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("store", &self.0.store)
            .field("entries", &self.0.entries)
            .finish_non_exhaustive()
    }
}

/// Builds [`Revocations`] with other settings than the defaults.
///
/// ```
/// use std::time::Duration;
/// use portcullis::feed::{MemoryStore, Revocations};
///
/// let revocations = Revocations::builder(MemoryStore::new())
///     .max_entries(50_000)
///     .retention(Duration::from_secs(3600))
///     .build();
/// # let _ = revocations;
/// ```
#[derive(Debug)]
#[must_use = "nothing happens before `build`"]
pub struct RevocationsBuilder {
    store: Arc<dyn RevocationStore>,
    is_local: bool,
    max_entries: usize,
    retention: Option<Duration>,
    poll_interval: Duration,
    follows: bool,
}

impl RevocationsBuilder {
    /// Sets the maximum number of entries in memory, of all issuers: 200,000 by default, about 100
    /// bytes each plus the values. At least 100.
    ///
    /// When the set is full, the oldest tenth of the largest issuer's entries becomes a watermark:
    /// every token that was issued before is refused. Nothing is forgotten, and tokens that were
    /// issued later are accepted.
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries.max(100);
        self
    }

    /// Keeps entries at least this long. By default, an entry is kept for as long as this service
    /// may accept a token that was issued before it: its `max_token_lifetime` or `max_token_age`,
    /// plus twice the leeway. For an issuer that this process does not know, the default is 24
    /// hours.
    ///
    /// If services with different limits share a store, set the longest of them in each.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Sets the interval at which the store is read, if it does not notify earlier: 1 second by
    /// default, at least 50 milliseconds. It must be shorter than the `max_age` of routes.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(50));
        self
    }

    /// Does not follow the store in the background: a request that finds older knowledge than its
    /// route allows reads the store. For runtimes that freeze between requests, and for tests.
    pub fn without_background_refresh(mut self) -> Self {
        self.follows = false;
        self
    }

    /// Creates the revocations. Nothing is read before an authenticator is built with them.
    #[must_use]
    pub fn build(self) -> Revocations {
        Revocations(Arc::new(Shared {
            store: self.store,
            is_local: self.is_local,
            clock: OnceLock::new(),
            issuers: RwLock::default(),
            entries: AtomicUsize::new(0),
            max_entries: self.max_entries,
            retention: self.retention,
            poll_interval: self.poll_interval,
            follows: self.follows,
            swept_at: AtomicU64::new(0),
            pruned_at: AtomicU64::new(0),
            known: ArcSwap::default(),
            cursor: AsyncMutex::new(None),
            is_checked: AtomicBool::new(self.is_local),
            waiting: Semaphore::new(MAX_WAITING),
            follower: Mutex::default(),
            has_started: AtomicBool::new(false),
        }))
    }
}

impl Shared {
    /// Waits for an operation of the store, within its deadline.
    pub(super) async fn bounded<T>(
        operation: super::Storing<'_, T>,
    ) -> Result<T, super::StoreError> {
        let timeout = tokio::time::timeout(TIMEOUT, operation).await;
        timeout.unwrap_or_else(|_elapsed| {
            let error = format!("no response within {}", InSeconds(TIMEOUT));
            Err(super::StoreError::unavailable(error))
        })
    }
}
