//! One fetch of a document, from the request to the note of how it went.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::single_flight::{Deadline, bounded};
use super::{Remote, Snapshot};
use crate::clock::Timestamp;
use crate::fetch::FetchError;

/// What is fetched: an issuer's keys, or something else that it publishes and changes.
pub(crate) trait Document: Sized + Send + Sync + 'static {
    /// What is kept of an answer.
    type Kept: Send + Sync;

    /// Where it is, as an operator knows it.
    fn location(&self) -> String;

    /// Fetches it once; `at_hand` is what there is already. What is not done by the deadline is
    /// given up.
    fn fetch(
        remote: &Remote<Self>,
        at_hand: Option<Arc<Snapshot<Self::Kept>>>,
        began: Timestamp,
        deadline: Duration,
    ) -> impl Future<Output = Result<Snapshot<Self::Kept>, FetchError>> + Send;

    /// How much longer than usual a fetch may take, since the server is asked to wait.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether it is worth renewing before anybody asks.
    fn is_wanted(&self, _now: Duration) -> bool {
        true
    }

    /// The longest to wait after failures.
    fn max_back_off(&self) -> Duration {
        Duration::MAX
    }

    /// Reports that it was fetched, and what was there before.
    fn kept(
        remote: &Remote<Self>,
        snapshot: &Snapshot<Self::Kept>,
        before: Option<&Snapshot<Self::Kept>>,
    );

    /// Reports that it could not be fetched, and the number of consecutive failures.
    fn failed(remote: &Remote<Self>, failures: u32, back_off: Duration, error: &FetchError);
}

impl<D: Document> Remote<D> {
    /// Fetches within the deadline, and keeps what comes of it.
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
        // Nothing is reported under the lock: whoever listens may take its time.
        match fetched {
            Ok(snapshot) => {
                let snapshot = Arc::new(snapshot);
                let before = self.snapshot.swap(Some(snapshot.clone()));
                self.record.succeeded();
                drop(flights);
                D::kept(&self, &snapshot, before.as_deref());
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
