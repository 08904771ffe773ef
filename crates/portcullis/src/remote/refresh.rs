//! One fetch of a document, from the request to the note of how it went.

use std::sync::Arc;
use std::time::Duration;

use super::{Remote, Snapshot, freshness, jitter};
use crate::clock::Timestamp;
use crate::fetch::FetchError;

/// What is fetched: an issuer's keys, or something else that it publishes and changes.
pub(crate) trait Document: Sized + Send + Sync + 'static {
    /// What is kept of an answer.
    type Kept: Send + Sync;

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
        deadline: Duration,
    ) -> Result<(), FetchError> {
        // Whatever a client of the user's own does, it counts as a failed attempt.
        let note_panic = NotePanic { remote: &self, number };
        let fetch = D::fetch(&self, self.snapshot.load_full(), began, deadline);
        let fetched = tokio::time::timeout(deadline, fetch)
            .await
            .unwrap_or(Err(FetchError::Timeout { after: deadline }));
        drop(note_panic);
        match fetched {
            Ok(snapshot) => {
                self.keep(number, snapshot);
                Ok(())
            }
            Err(error) => {
                self.note_failure(number, &error);
                Err(error)
            }
        }
    }

    fn keep(&self, number: u64, snapshot: Snapshot<D::Kept>) {
        let Some(mut progress) = self.record.land(number) else { return };
        let snapshot = Arc::new(snapshot);
        let before = self.snapshot.swap(Some(snapshot.clone()));
        self.record.succeeded(&mut progress);
        // Nothing is reported under the lock: whoever listens may take its time.
        drop(progress);
        D::kept(self, &snapshot, before.as_deref());
    }

    fn note_failure(&self, number: u64, error: &FetchError) {
        let Some(mut progress) = self.record.land(number) else { return };
        if !error.is_outage() {
            return;
        }
        progress.failures = progress.failures.saturating_add(1);
        let failures = progress.failures;
        let spread = 1.0 + freshness::JITTER * jitter::fraction();
        let [back_off, asked] =
            [freshness::back_off(failures), freshness::asked(error.retry_after())]
                .map(|wait| wait.min(self.document.max_back_off()).mul_f64(spread));
        self.record.failed(&mut progress, error, self.clock.monotonic(), back_off, asked);
        drop(progress);
        D::failed(self, failures, back_off.max(asked), error);
    }
}

/// Notes a failure if it is dropped by a panic.
struct NotePanic<'r, D: Document> {
    remote: &'r Remote<D>,
    number: u64,
}

impl<D: Document> Drop for NotePanic<'_, D> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.remote.note_failure(self.number, &FetchError::Abandoned);
        }
    }
}
