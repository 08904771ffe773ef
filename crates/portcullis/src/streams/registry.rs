//! The open streams of one authenticator.

use std::sync::{Arc, OnceLock, PoisonError, Weak};

use tokio::sync::Semaphore;

use super::ended::Ended;
use super::entry::{Ending, Entry, Watcher};
use super::group::{Watch, second};
use super::names::Hasher;
use super::renew::Renews;
use super::standing::standing;
use super::table::Table;
use crate::authenticated::Authenticated;
use crate::clock::{Clock, Timestamp};
use crate::maybe_ready::MaybeReady;
use crate::revocation::Means;
use crate::sync::{Handle, Mutex, MutexGuard, Notify};

/// The maximum number of streams whose own check may wait for the issuer at the same time.
const MAX_ASKING: usize = 64;

/// The open streams, and the background task that ends them.
///
/// The table has weak references. A stream that is dropped removes itself from the table.
pub(crate) struct SessionsUnderWay {
    table: Mutex<Table>,
    /// Wakes the background task before its next second.
    pub(super) changed: Arc<Notify>,
    pub(super) clock: Arc<dyn Clock>,
    /// The runtime that the authenticator was built on.
    pub(super) runtime: Option<Handle>,
    pub(super) hasher: Hasher,
    home: OnceLock<Weak<dyn Renews>>,
    /// The places for streams whose own check is waiting for the issuer.
    pub(super) asking: Arc<Semaphore>,
}

impl SessionsUnderWay {
    /// Creates the registry of an authenticator that is being built on the current runtime.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let runtime = Handle::try_current().ok();
        let (table, changed, hasher, home) = Default::default();
        let asking = Arc::new(Semaphore::new(MAX_ASKING));
        Self { table, changed, clock, runtime, hasher, home, asking }
    }

    /// Sets the authenticator that validates the tokens of renewals.
    pub(crate) fn belongs_to(&self, home: &Arc<dyn Renews>) {
        let _ = self.home.set(Arc::downgrade(home));
    }

    pub(super) fn home(&self) -> Option<Arc<dyn Renews>> {
        self.home.get()?.upgrade()
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // A panic while the lock is held cannot leave the table inconsistent.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stream, and starts the background task if it is not running.
    pub(super) fn open(self: &Arc<Self>, who: Authenticated) -> Arc<Entry> {
        let watch = self.watch(&who);
        let entry = Entry::new(Some(self.clone() as Arc<dyn Watcher>), who);
        let starts = self.table().insert(&entry, watch);
        if starts {
            self.start();
        }
        self.check_anew(&entry);
        entry
    }

    /// Replaces the stream's token by that of a renewal. `Err` if the stream has ended.
    pub(super) fn replace(&self, entry: &Arc<Entry>, who: Authenticated) -> Result<(), Ended> {
        let watch = self.watch(&who);
        let mut table = self.table();
        entry.replace(who, || table.replace(entry, watch))?;
        drop(table);
        self.check_anew(entry);
        Ok(())
    }

    /// Returns the properties of a token that the table needs.
    fn watch(&self, who: &Authenticated) -> Watch {
        let now = Timestamp::now(&*self.clock);
        let watch = Watch::new(who, now, &self.hasher);
        watch.group.notify(&self.changed);
        watch
    }

    /// Checks the stream again, because a status list or the feed may have changed between the
    /// request's check and the stream's entry in the table.
    fn check_anew(&self, entry: &Arc<Entry>) {
        let who = entry.caller();
        let mut local = who.demands().means();
        local.retain(|means| matches!(means, Means::StatusList(_) | Means::Feed(_)));
        if local.is_empty() {
            return;
        }
        match standing(who, local) {
            MaybeReady::Ready(Ok(())) => {}
            MaybeReady::Ready(standing) => {
                self.settle(entry, standing, second(Timestamp::now(&*self.clock)));
            }
            MaybeReady::Pending(_) => {
                self.table().check_at(entry, 0);
                self.changed.notify_one();
            }
        }
    }

    /// Wakes the futures that wait for the end of these streams, which are no longer in the table.
    pub(super) fn end(ending: Ending) {
        let mut counts: Vec<(Ended, usize)> = Vec::new();
        for (entry, reason) in ending {
            entry.wake();
            match counts.iter_mut().find(|(counted, _)| *counted == reason) {
                Some((_, count)) => *count += 1,
                None => counts.push((reason, 1)),
            }
        }
        for (reason, streams) in counts {
            tracing::info!(
                target: "portcullis::streams",
                reason = reason.as_str(), streams,
                "streams ended",
            );
        }
    }
}

impl Drop for SessionsUnderWay {
    fn drop(&mut self) {
        // The background task notices that no stream is left, and ends.
        self.changed.notify_one();
    }
}

impl Watcher for SessionsUnderWay {
    fn forget(&self, entry: &Entry) {
        self.table().remove(entry);
    }
}
