//! Decides quickly whether this instance's knowledge of the store is recent enough for a route's
//! usual maximum age (`Ages::usual`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::clock::{Readings, Timestamp};

/// The binary logarithm of the length of a slice of wall-clock time, in nanoseconds. A slice has 16.8 ms.
const SLICE: u32 = 24;

/// The start of the last complete read, in nanoseconds of both clocks; 0 before the first read.
///
/// Every request reads the wall clock, because of `exp`. The age also needs the monotonic clock,
/// because the wall clock may be set back, but that reading would be most of the feed's cost. So the
/// age is measured once per slice of wall-clock time, and the other requests of the slice use an upper
/// bound on it.
///
/// This has one gap. If the wall clock is set back into the slice of the last measurement, the time since
/// that measurement is not counted for the rest of the slice. The gap is short: each attempt to read the
/// store, once a second, discards the measurement.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    monotonic: AtomicU64,
    wall: AtomicU64,
    /// The last [`Measured`], or 0.
    measured: AtomicU64,
}

/// A slice of wall-clock time, and an upper bound on the age during it, as a number of slices. The upper 32
/// bits are the number of the slice, which repeats after two years; the lower 32 bits are the bound.
#[derive(Clone, Copy)]
struct Measured(u64);

impl Measured {
    fn of(wall: u64, age: u64) -> Self {
        // Adds one for the remainder of the division, and one for the rest of the slice.
        let bound = (age >> SLICE).saturating_add(2).min(u64::from(u32::MAX));
        Self(slice(wall) << 32 | bound)
    }

    /// Whether the measurement proves that the age is at most `limit` at the wall-clock time `wall`.
    fn shows(self, wall: u64, limit: u64) -> bool {
        let bound = self.0 & u64::from(u32::MAX);
        // The largest bound may be saturated, so the age may be larger.
        bound != 0
            && bound != u64::from(u32::MAX)
            && self.0 >> 32 == slice(wall)
            && bound <= limit >> SLICE
    }
}

/// The lower 32 bits of the slice's number.
fn slice(wall: u64) -> u64 {
    (wall >> SLICE) & u64::from(u32::MAX)
}

impl Fresh {
    /// Called after the entries of a read have been applied. A concurrent reader may see only one of
    /// the two new times; the knowledge then seems older than it is.
    pub(super) fn set(&self, at: Timestamp) {
        self.wall.store(nanos_of(at.wall()), Ordering::Relaxed);
        self.monotonic.store(nanos(at.monotonic()).max(1), Ordering::Release);
    }

    /// Removes the last measurement. Called at each attempt to read the store.
    pub(super) fn forget_measured(&self) {
        self.measured.store(0, Ordering::Relaxed);
    }

    /// Whether the last read is at most this old, by the clock that shows the larger difference.
    pub(super) fn is_within(&self, limit: Duration, readings: &Readings<'_>) -> bool {
        let (limit, now_wall) = (nanos(limit), nanos_of(readings.wall()));
        // Entries that were read before the measurement are visible after this load.
        if Measured(self.measured.load(Ordering::Acquire)).shows(now_wall, limit) {
            return true;
        }
        let monotonic = self.monotonic.load(Ordering::Acquire);
        if monotonic == 0 {
            return false;
        }
        let wall = now_wall.saturating_sub(self.wall.load(Ordering::Relaxed));
        let age = nanos(readings.monotonic()).saturating_sub(monotonic).max(wall);
        self.measured.store(Measured::of(now_wall, age).0, Ordering::Release);
        age <= limit
    }
}

fn nanos_of(wall: SystemTime) -> u64 {
    nanos(wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Returns the nanoseconds, at most 584 years.
fn nanos(time: Duration) -> u64 {
    let nanos = u64::from(time.subsec_nanos());
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::clock::Clock;
    use crate::testing::{ManualClock, NOW};

    /// A manual clock that counts the readings of its monotonic clock.
    #[derive(Debug)]
    struct Counting(ManualClock, AtomicUsize);

    impl Clock for Counting {
        fn now(&self) -> SystemTime {
            self.0.now()
        }

        fn monotonic(&self) -> Duration {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.monotonic()
        }
    }

    fn is_within(fresh: &Fresh, clock: &Arc<dyn Clock>, limit: Duration) -> bool {
        fresh.is_within(limit, &Readings::of(clock))
    }

    #[test]
    fn freshness_is_the_age_by_the_clock_that_says_more() {
        let (manual, fresh) = (ManualClock::at(NOW), Fresh::default());
        let clock: Arc<dyn Clock> = Arc::new(manual.clone());
        let within = |secs| is_within(&fresh, &clock, Duration::from_secs(secs));
        assert!(!within(u64::from(u32::MAX)), "nothing was read");
        fresh.set(Timestamp::now(&manual));
        assert!(within(0));
        manual.advance(Duration::from_secs(3));
        assert_eq!([2, 3].map(within), [false, true]);
        manual.suspend(Duration::from_secs(60));
        assert_eq!([62, 63].map(within), [false, true]);
    }

    #[test]
    fn measured_age_never_hides_that_the_limit_has_passed() {
        let (manual, fresh) = (ManualClock::at(NOW), Fresh::default());
        let clock: Arc<dyn Clock> = Arc::new(manual.clone());
        let start = Timestamp::now(&manual);
        fresh.set(start);
        for step in 0..4000_u64 {
            // The limits are below and above the age, as with routes that alternate.
            for limit in [50, 1000, 1999].map(Duration::from_millis) {
                let age = Timestamp::now(&manual).since(start);
                assert_eq!(is_within(&fresh, &clock, limit), age <= limit, "{age:?} {limit:?}");
            }
            manual.advance(Duration::from_micros(487 + step % 5));
        }
    }

    #[test]
    fn monotonic_clock_is_read_once_per_slice() {
        let counting = Arc::new(Counting(ManualClock::at(NOW), AtomicUsize::new(0)));
        let (fresh, clock): (_, Arc<dyn Clock>) = (Fresh::default(), counting.clone());
        fresh.set(Timestamp::now(&counting.0));
        for _ in 0..1000 {
            assert!(is_within(&fresh, &clock, Duration::from_secs(5)));
            counting.0.advance(Duration::from_millis(1));
        }
        let read = counting.1.load(Ordering::Relaxed);
        assert!((59..=61).contains(&read), "{read}");
    }

    #[test]
    fn attempt_to_read_removes_the_measurement() {
        let (manual, fresh) = (ManualClock::at(NOW), Fresh::default());
        let clock: Arc<dyn Clock> = Arc::new(manual.clone());
        fresh.set(Timestamp::now(&manual));
        let limit = Duration::from_secs(5);
        assert!(is_within(&fresh, &clock, limit));
        // After 10 s, the wall clock is set back to the time of the measurement.
        let later = ManualClock::at(NOW - 10);
        later.advance(Duration::from_secs(10));
        let set_back: Arc<dyn Clock> = Arc::new(later);
        fresh.forget_measured();
        assert!(!is_within(&fresh, &set_back, limit));
    }
}
