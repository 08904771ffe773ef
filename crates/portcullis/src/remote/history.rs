//! The history of a document's fetches. Readers load its numbers without waiting. The rest is behind a
//! lock that is never held across an await.

use std::sync::PoisonError;
use std::time::Duration;

use super::freshness::{self, Failure, History};
use super::jitter;
use crate::fetch::FetchError;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};

#[derive(Default)]
pub(crate) struct Record {
    /// The time when the last fetch failed; absent if it succeeded.
    failed_at: Moment,
    /// The time when the back-off or the server's `Retry-After` ends.
    retry_at: Moment,
    /// The time when our own back-off ends.
    back_off_until: Moment,
    pub(super) in_flight: AtomicBool,
    progress: Mutex<Progress>,
}

/// State that is needed only at the end of a fetch and for the status.
#[derive(Default)]
pub(super) struct Progress {
    /// The number of consecutive failures.
    failures: u32,
    pub(super) last_error: Option<FetchError>,
}

impl Record {
    pub(crate) fn history(&self, now: Duration) -> History {
        let failure = self.failed_at.get().map(|failed_at| {
            let retry_at = self.retry_at.get().unwrap_or(failed_at);
            let back_off_until = self.back_off_until.get().unwrap_or(failed_at);
            Failure {
                ago: now.saturating_sub(failed_at),
                retry_in: retry_at.saturating_sub(now),
                back_off_in: back_off_until.saturating_sub(now),
                overdue: now.saturating_sub(back_off_until),
            }
        });
        let in_flight = self.in_flight.load(Ordering::Acquire);
        History { failure, in_flight, ..History::default() }
    }

    /// Records that the last fetch succeeded.
    pub(crate) fn succeeded(&self) {
        let mut progress = self.progress();
        self.failed_at.set(None);
        progress.failures = 0;
        progress.last_error = None;
    }

    /// Records that the last fetch failed. Returns the number of consecutive failures and the time
    /// until the next attempt: our back-off, or `Retry-After` if that is longer, each at most
    /// `longest`.
    pub(crate) fn failed(
        &self,
        error: &FetchError,
        now: Duration,
        longest: Duration,
    ) -> (u32, Duration) {
        let mut progress = self.progress();
        progress.failures = progress.failures.saturating_add(1);
        progress.last_error = Some(error.clone());
        let spread = 1.0 + freshness::JITTER * jitter::fraction();
        let back_off = freshness::back_off(progress.failures);
        let [back_off, asked] = [back_off, freshness::asked(error.retry_after())]
            .map(|wait| wait.min(longest).mul_f64(spread));
        let wait = back_off.max(asked);
        self.retry_at.set(Some(now.saturating_add(wait)));
        self.back_off_until.set(Some(now.saturating_add(back_off)));
        self.failed_at.set(Some(now));
        (progress.failures, wait)
    }

    /// Returns the error of the last fetch, for the log.
    pub(crate) fn last_error(&self) -> Option<FetchError> {
        self.progress().last_error.clone()
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        // A panic while the lock is held cannot leave the data inconsistent.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading of the monotonic clock that may be absent, in nanoseconds plus one.
#[derive(Default)]
pub(super) struct Moment(AtomicU64);

impl Moment {
    pub(super) fn get(&self) -> Option<Duration> {
        self.0.load(Ordering::Acquire).checked_sub(1).map(Duration::from_nanos)
    }

    pub(super) fn set(&self, moment: Option<Duration>) {
        let nanos = moment.map_or(0, |moment| {
            u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX - 1).saturating_add(1)
        });
        self.0.store(nanos, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_stored_to_the_nanosecond() {
        let moment = Moment::default();
        assert_eq!(moment.get(), None);
        for nanos in [0, 1, 1_500_000_000, u64::MAX - 1] {
            moment.set(Some(Duration::from_nanos(nanos)));
            assert_eq!(moment.get(), Some(Duration::from_nanos(nanos)));
        }
        moment.set(None);
        assert_eq!(moment.get(), None);
    }
}
