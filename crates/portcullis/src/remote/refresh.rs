//! One fetch of a document, from the request to the record of its result.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::single_flight::{Deadline, bounded};
use super::{Remote, Snapshot};
use crate::clock::Timestamp;
use crate::fetch::FetchError;

/// A document of an issuer that is fetched and changes, such as its keys.
pub(crate) trait Document: Sized + Send + Sync + 'static {
    /// The part of a response that is cached.
    type Kept: Send + Sync;

    /// Returns the location, as shown to an operator.
    fn location(&self) -> String;

    /// Fetches the document once; `at_hand` is the cached version. The fetch is cancelled at the
    /// deadline.
    fn fetch(
        remote: &Remote<Self>,
        at_hand: Option<Arc<Snapshot<Self::Kept>>>,
        began: Timestamp,
        deadline: Duration,
    ) -> impl Future<Output = Result<Snapshot<Self::Kept>, FetchError>> + Send;

    /// Returns how much longer than usual a fetch may take, because the server was asked to delay its
    /// response.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    /// Returns whether the document should be refreshed in the background.
    fn is_wanted(&self, _now: Duration) -> bool {
        true
    }

    /// Returns the maximum back-off after failures.
    fn max_back_off(&self) -> Duration {
        Duration::MAX
    }

    /// Reports a successful fetch and the previous version.
    fn kept(
        remote: &Remote<Self>,
        snapshot: &Snapshot<Self::Kept>,
        before: Option<&Snapshot<Self::Kept>>,
    );

    /// Reports a failed fetch and the number of consecutive failures.
    fn failed(remote: &Remote<Self>, failures: u32, back_off: Duration, error: &FetchError);
}

impl<D: Document> Remote<D> {
    /// Fetches within the deadline, and stores the result.
    pub(super) async fn fetch(
        self: Arc<Self>,
        number: u64,
        began: Timestamp,
        deadline: Deadline,
    ) -> Result<(), FetchError> {
        let fetch = D::fetch(&self, self.snapshot.load_full(), began, deadline.after);
        let fetched = bounded(&deadline, fetch).await;
        let Some(flights) = self.line.land(number) else { return fetched.map(drop) };
        self.record.in_flight.store(false, Ordering::Release);
        // Report outside the lock, since a subscriber may be slow.
        match fetched {
            Ok(snapshot) => {
                let snapshot = Arc::new(snapshot);
                let before = self.snapshot.swap(Some(snapshot.clone()));
                self.record.succeeded();
                drop(flights);
                D::kept(&self, &snapshot, before.as_deref());
                if snapshot.is_modified(before.as_deref()) {
                    self.listeners.notify();
                }
                Ok(())
            }
            Err(error) => {
                let (now, longest) = (self.clock.monotonic(), self.document.max_back_off());
                let (failures, wait) = self.record.failed(&error, now, longest);
                drop(flights);
                D::failed(&self, failures, wait, &error);
                Err(error)
            }
        }
    }
}
