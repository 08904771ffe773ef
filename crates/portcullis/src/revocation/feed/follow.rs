//! Reads the store: at start, in the background, and for requests that need more recent knowledge.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;

use super::known::{Known, Use};
use super::shared::Shared;
use super::{Revocations, StoreError, seconds};
use crate::clock::{Readings, Timestamp};
use crate::key_source::ResolveError;
use crate::maybe_ready::MaybeReady;
use crate::metrics;
use crate::remote::freshness::Ages;

/// The `Retry-After` of a rejected request.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The minimum time between two reads, so that a burst of events causes few reads.
const BETWEEN_READS: Duration = Duration::from_millis(5);

/// The time between two deletions of entries that are no longer needed, in seconds.
const BETWEEN_PRUNES: u64 = 300;

/// The time between the end of an entry and its deletion, in seconds. It allows for clock skew between
/// instances.
const PRUNE_MARGIN: u64 = 3600;

impl Revocations {
    /// Reads the store now, and applies the new entries.
    ///
    /// The background task does this by itself. Call it if
    /// [there is no such task](super::RevocationsBuilder::without_background_refresh).
    ///
    /// # Errors
    ///
    /// The error of the store. The known entries stay in use, within the limits of each route.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.0.read(self.0.now()).await
    }

    /// Loads the store's entries, and starts to follow the store in the background. Called at the start of
    /// each authenticator.
    ///
    /// # Errors
    ///
    /// An error if the store's settings could lose entries. If the store is unavailable, this is not an
    /// error: the service starts, but is not ready.
    pub(crate) async fn start(&self) -> Result<(), StoreError> {
        self.log_start();
        if self.0.is_local {
            return Ok(());
        }
        if !self.is_loaded()
            && let Err(error) = self.refresh().await
        {
            if error.is_unsuitable() {
                return Err(error);
            }
            tracing::error!(
                target: "portcullis::feed",
                "started without the revocations: requests that need them get a 503 until the store can be read",
            );
        }
        self.keep_following();
        Ok(())
    }

    /// Whether the entries of the store have been loaded.
    pub(crate) fn is_loaded(&self) -> bool {
        self.0.is_local || self.0.known.load().at.is_some()
    }

    /// Returns the time since the last complete read; `None` before the first one.
    pub(crate) fn age(&self) -> Option<Duration> {
        if self.0.is_local {
            return Some(Duration::ZERO);
        }
        self.0.known.load().age(self.0.now())
    }

    /// Returns the error of the last read if it failed.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.0.known.load().failure.as_ref().map(|(_, error)| error.clone())
    }

    /// Whether this instance's knowledge is at most as old as the route's usual maximum age
    /// (`Ages::usual`). The request's other checks share `readings`.
    pub(crate) fn is_fresh(&self, ages: Ages, readings: &Readings<'_>) -> bool {
        if self.0.is_local {
            return true;
        }
        let fresh = &self.0.fresh;
        if self.0.has_clock(readings.clock()) {
            fresh.is_within(ages.usual, readings)
        } else {
            fresh.is_within(ages.usual, &Readings::of(self.0.own_clock()))
        }
    }

    /// Waits until this instance's knowledge is recent enough.
    pub(crate) fn current(&self, ages: Ages) -> MaybeReady<Result<(), ResolveError>> {
        let unavailable = || ResolveError::Unavailable { retry_after: RETRY_AFTER, source: None };
        if self.0.is_local {
            return MaybeReady::Ready(Ok(()));
        }
        self.0.bounds.note(ages);
        match self.0.usable(ages) {
            Use::Apply => MaybeReady::Ready(Ok(())),
            Use::Unavailable => MaybeReady::Ready(Err(unavailable())),
            Use::Read => {
                let revocations = self.clone();
                MaybeReady::pending(async move {
                    // Without a runtime, the store cannot be read.
                    let Ok(_place) = revocations.0.waiting.try_acquire() else {
                        return Err(unavailable());
                    };
                    if Handle::try_current().is_err() {
                        return Err(unavailable());
                    }
                    revocations.keep_following();
                    // `usable` reads the error from the record.
                    let _ = revocations.refresh().await;
                    if revocations.0.usable(ages) == Use::Apply {
                        Ok(())
                    } else {
                        Err(unavailable())
                    }
                })
            }
        }
    }

    /// Starts the background task on the current runtime, unless it is running.
    fn keep_following(&self) {
        if !self.0.follows {
            return;
        }
        self.0.keep_following(|| {
            let shared = Arc::downgrade(&self.0);
            let follow = async move {
                while let Some(shared) = shared.upgrade() {
                    shared.follow().await;
                }
            };
            Handle::try_current().ok().map(|runtime| runtime.spawn(follow))
        });
    }
}

impl Shared {
    fn usable(&self, ages: Ages) -> Use {
        let is_retried = || self.follows || self.cursor.try_lock().is_err();
        let known = self.known.load();
        known.usable(ages, self.now(), known.failure.is_some() && is_retried())
    }

    /// Reads the store once, and waits until the next read is due. The wait is short, because the task
    /// holds a strong handle during it.
    async fn follow(&self) {
        let is_read = self.read(self.now()).await.is_ok();
        self.tidy();
        self.prune().await;
        let cursor = self.cursor.lock().await.clone();
        match cursor.filter(|_| is_read) {
            Some(cursor) => {
                let changed = self.store.changed(&cursor);
                // After the interval, the store is read even without a notification.
                let _ = tokio::time::timeout(self.poll_interval, changed).await;
                tokio::time::sleep(BETWEEN_READS).await;
            }
            None => tokio::time::sleep(self.poll_interval).await,
        }
    }

    /// Reads the new entries. Does nothing if another read, which began after `asked_at`, has already
    /// ended.
    ///
    /// # Errors
    ///
    /// The error of this read, or of another one that has failed since `asked_at`.
    async fn read(&self, asked_at: Timestamp) -> Result<(), StoreError> {
        let mut cursor = self.cursor.lock().await;
        let known = self.known.load();
        if known.at.is_some_and(|at| at.monotonic() > asked_at.monotonic()) {
            return Ok(());
        }
        // A read that has failed in the meantime counts, too. Otherwise, the requests that wait for
        // a store that does not respond would try to read it one after another.
        if let Some((failed_at, error)) = &known.failure
            && failed_at.monotonic() > asked_at.monotonic()
        {
            return Err(StoreError::unavailable(error.clone()));
        }
        drop(known);
        self.fresh.forget_measured();
        let read = self.read_from(&mut cursor).await;
        match &read {
            Ok(began) => {
                if self.known.load().failure.is_some() {
                    tracing::info!(target: "portcullis::feed", "revocation store available again");
                }
                self.known.store(Arc::new(Known { at: Some(*began), failure: None }));
                self.fresh.set(*began);
                metrics::feed_read("read");
            }
            Err(error) => self.note_failure(error),
        }
        if let Some(age) = self.known.load().age(self.now()) {
            metrics::feed_age(age);
        }
        read.map(drop)
    }

    /// Reads all pages of new entries. Returns the time at which the last page's read began.
    async fn read_from(&self, cursor: &mut Option<super::Cursor>) -> Result<Timestamp, StoreError> {
        if !self.is_checked.load(Ordering::Relaxed) {
            Self::bounded(self.store.check()).await?;
            self.is_checked.store(true, Ordering::Relaxed);
        }
        loop {
            let began = self.now();
            match Self::bounded(self.store.changes(cursor.as_ref())).await {
                Ok(changes) => {
                    for entry in &changes.entries {
                        self.apply(entry);
                    }
                    *cursor = Some(changes.cursor);
                    if !changes.has_more {
                        return Ok(began);
                    }
                }
                Err(error) if error.is_cursor_lost() && cursor.is_some() => {
                    tracing::warn!(
                        target: "portcullis::feed",
                        "the revocation store does not know where the last read ended: reading all entries again",
                    );
                    *cursor = None;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn note_failure(&self, error: &StoreError) {
        let known = self.known.load_full();
        // Logs one warning per outage.
        if known.failure.is_none() {
            tracing::warn!(
                target: "portcullis::feed",
                error = error as &dyn std::error::Error,
                "revocation store unavailable: known revocations apply as long as routes allow",
            );
        }
        let failure = Some((self.now(), format!("{error:?}")));
        self.known.store(Arc::new(Known { at: known.at, failure }));
        metrics::feed_read("failed");
    }

    /// Deletes entries that are no longer needed, every few minutes.
    pub(super) async fn prune(&self) {
        let now = seconds(self.now().wall());
        let before = self.pruned_at.load(Ordering::Relaxed);
        if now < before.saturating_add(BETWEEN_PRUNES) {
            return;
        }
        self.pruned_at.store(now, Ordering::Relaxed);
        if let Err(error) = Self::bounded(self.store.prune(now.saturating_sub(PRUNE_MARGIN))).await
        {
            tracing::debug!(
                target: "portcullis::feed",
                error = &error as &dyn std::error::Error,
                "expired revocations not deleted",
            );
        }
    }
}
