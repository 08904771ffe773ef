//! The settings of [`Revocations`](super::Revocations).

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::bounds::Bounds;
use super::fresh::Fresh;
use super::shared::Shared;
use super::{MemoryStore, RevocationStore};

/// The default maximum number of entries in memory, of all issuers.
const MAX_ENTRIES: usize = 200_000;

/// The default interval between two reads of a store that does not notify.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The maximum number of requests that wait for a read.
const MAX_WAITING: usize = 1024;

/// Builds [`Revocations`](crate::feed::Revocations) with other settings than the defaults.
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
    pub(super) fn new(store: impl RevocationStore) -> Self {
        Self {
            store: Arc::new(store),
            is_local: false,
            max_entries: MAX_ENTRIES,
            retention: None,
            poll_interval: POLL_INTERVAL,
            follows: true,
        }
    }

    /// For entries that exist only in this process.
    pub(super) fn local(store: MemoryStore) -> Self {
        Self { is_local: true, ..Self::new(store) }
    }

    /// Sets the maximum number of entries in memory, for all issuers together: 200,000 by default. The
    /// minimum is 100. An entry takes about 100 bytes plus its value.
    ///
    /// When the set is full, the oldest tenth of the largest issuer's entries becomes a watermark:
    /// every token that was issued before it is rejected. So no revocation is lost, and tokens that were
    /// issued later are accepted.
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries.max(100);
        self
    }

    /// Keeps entries at least this long after the event. By default, an entry is kept for as long as this service
    /// may accept a token that was issued before it: its `max_token_lifetime` or `max_token_age`,
    /// plus twice the leeway. For an issuer that this process does not know, the default is 24
    /// hours.
    ///
    /// If services with different limits share a store, set the longest of these times in each service.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Sets the interval at which the store is read, unless it notifies earlier: 1 second by default, at
    /// least 50 milliseconds. It must be shorter than the `max_age` of routes.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(50));
        self
    }

    /// Disables the background reads of the store. A request then reads the store if the last read is
    /// older than the request's route allows. For runtimes that freeze between requests, and for tests.
    pub fn without_background_refresh(mut self) -> Self {
        self.follows = false;
        self
    }

    pub(super) fn shared(self) -> Shared {
        Shared {
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
            fresh: Fresh::default(),
            bounds: Bounds::default(),
            cursor: AsyncMutex::new(None),
            is_checked: AtomicBool::new(self.is_local),
            waiting: Semaphore::new(MAX_WAITING),
            follower: Mutex::default(),
            has_started: AtomicBool::new(false),
        }
    }
}
