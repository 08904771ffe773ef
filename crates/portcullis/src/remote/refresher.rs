//! The background task that refreshes a document ahead of time, so that it is fresh even in an idle
//! service.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Document, Remote};
use crate::clock::Timestamp;

/// Owns the task, which ends with the last handle to the document.
#[derive(Default)]
pub(super) struct Refresher(Mutex<Option<JoinHandle<()>>>);

impl Refresher {
    /// Starts the task on the current runtime, unless it is running. If that runtime shuts down,
    /// the next fetch starts the task again.
    pub(super) fn keep_running<D: Document>(&self, remote: &Arc<Remote<D>>) {
        let mut task = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let runtime = tokio::runtime::Handle::try_current();
            *task = runtime.ok().map(|runtime| runtime.spawn(run(Arc::downgrade(remote))));
        }
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        let task = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

async fn run<D: Document>(remote: Weak<Remote<D>>) {
    // Never hold a strong handle across an await: it would keep the document alive forever.
    while let Some(wait) = remote.upgrade().map(|remote| remote.until_refresh()) {
        tokio::time::sleep(wait).await;
        let Some(strong) = remote.upgrade() else { return };
        // The next use of the document starts the task again.
        if !strong.document.is_wanted(strong.clock.monotonic()) {
            return;
        }
        if !strong.until_refresh().is_zero() {
            continue;
        }
        let Some(flight) = strong.renew() else { return };
        drop(strong);
        // The result is in the record.
        let _ = flight.landed().await;
    }
}

impl<D: Document> Remote<D> {
    /// Returns the time until the next refresh is due.
    fn until_refresh(&self) -> Duration {
        let now = Timestamp::now(&*self.clock);
        if let Some(failure) = self.history(now).failure {
            return failure.retry_in;
        }
        let snapshot = self.snapshot.load();
        snapshot.as_ref().map_or(Duration::ZERO, |snapshot| {
            snapshot.lifetime.ageing.saturating_sub(snapshot.age(now))
        })
    }
}
