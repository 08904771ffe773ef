//! What has happened to a key set's fetches: numbers that readers load without waiting, and the
//! rest behind a lock that is never held across an await.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::flight::Flight;
use super::freshness::{Failure, History};
use crate::fetch::FetchError;

#[derive(Default)]
pub(super) struct Record {
    /// When the last fetch failed; absent after one that succeeded.
    failed_at: Moment,
    /// When back-off ends, or what the server asked for.
    retry_at: Moment,
    /// When our own back-off ends.
    back_off_until: Moment,
    /// When the fetch under way began.
    pub(super) flight_began: Moment,
    progress: Mutex<Progress>,
}

/// What only those need who start, join or end a fetch, or ask how the keys are.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) flight: Option<Flight>,
    /// How many there have been: the number of the latest.
    pub(super) flights: u64,
    /// In a row.
    pub(super) failures: u32,
    pub(super) last_error: Option<FetchError>,
}

impl Record {
    pub(super) fn history(&self, now: Duration) -> History {
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
        let in_flight = self.flight_began.get().is_some();
        History { failure, in_flight, ..History::default() }
    }

    /// Notes that the last fetch succeeded.
    pub(super) fn succeeded(&self, progress: &mut Progress) {
        self.failed_at.set(None);
        progress.failures = 0;
        progress.last_error = None;
    }

    /// Notes that the last fetch failed, how long to back off, and for how long the server asks to be
    /// left alone, if that is longer.
    pub(super) fn failed(
        &self,
        progress: &mut Progress,
        error: &FetchError,
        now: Duration,
        back_off: Duration,
        asked: Duration,
    ) {
        self.retry_at.set(Some(now.saturating_add(back_off.max(asked))));
        self.back_off_until.set(Some(now.saturating_add(back_off)));
        self.failed_at.set(Some(now));
        progress.last_error = Some(error.clone());
    }

    /// The flight that may still end well. One that can not is forgotten.
    pub(super) fn under_way(&self, progress: &mut Progress, now: Duration) -> Option<Flight> {
        let flight = progress.flight.take()?;
        if !flight.is_under_way(now) {
            self.flight_began.set(None);
            progress.last_error = Some(FetchError::Abandoned);
            return None;
        }
        progress.flight = Some(flight.clone());
        Some(flight)
    }

    /// Notes that flight `number` is over; `None` if it had been given up, and its outcome is not
    /// to be kept: a later one may have ended before it.
    pub(super) fn land(&self, number: u64) -> Option<MutexGuard<'_, Progress>> {
        let mut progress = self.progress();
        if progress.flights != number {
            return None;
        }
        progress.flight = None;
        self.flight_began.set(None);
        Some(progress)
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        // Nothing that holds it can leave it half done.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, if nobody else holds it right now.
    pub(super) fn try_progress(&self) -> Option<MutexGuard<'_, Progress>> {
        match self.progress.try_lock() {
            Ok(progress) => Some(progress),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
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
    fn a_moment_is_kept_to_the_nanosecond() {
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
