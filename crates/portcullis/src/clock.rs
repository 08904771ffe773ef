//! The source of time, as a trait so that tests can control it.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use portcullis::Authenticator;
//! use portcullis::clock::Clock;
//!
//! /// A stopped clock.
//! #[derive(Debug)]
//! struct Stopped(SystemTime);
//!
//! impl Clock for Stopped {
//!     fn now(&self) -> SystemTime {
//!         self.0
//!     }
//!
//!     fn monotonic(&self) -> Duration {
//!         Duration::ZERO
//!     }
//! }
//!
//! let builder = Authenticator::builder("https://auth.example", "https://api.example")
//!     .clock(Stopped(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
//! ```

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

/// The clock for token and key set validation.
///
/// It has two readings. [`now`](Clock::now) is the wall clock for `exp`, `nbf` and `iat`, and may
/// jump. [`monotonic`](Clock::monotonic) never goes back, but may stop while the machine is
/// suspended. The age of a key set or a status list is measured with both readings, and the larger
/// result counts.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a clock",
    label = "not a `Clock`",
    note = "leave out `clock` to use `portcullis::clock::SystemClock`; in a test, implement \
            `portcullis::clock::Clock` for a clock that the test sets"
)]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the wall-clock time.
    fn now(&self) -> SystemTime;

    /// Returns the time since an arbitrary but fixed instant.
    fn monotonic(&self) -> Duration;
}

/// Both readings of a [`Clock`] at one moment, to measure the time since then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamp {
    monotonic: Duration,
    wall: SystemTime,
}

impl Timestamp {
    pub(crate) fn now(clock: &(impl Clock + ?Sized)) -> Self {
        Self { monotonic: clock.monotonic(), wall: clock.now() }
    }

    /// Combines two readings of the same moment.
    pub(crate) fn of(monotonic: Duration, wall: SystemTime) -> Self {
        Self { monotonic, wall }
    }

    /// Returns the reading for budgets and back-off.
    pub(crate) fn monotonic(self) -> Duration {
        self.monotonic
    }

    /// Returns the reading for `exp`, `nbf` and `iat`.
    pub(crate) fn wall(self) -> SystemTime {
        self.wall
    }

    /// Returns the time since `earlier`: the larger of the two differences. The monotonic clock
    /// stops while a machine is suspended, and the wall clock may be set back, but neither makes
    /// anything look younger than it is.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let monotonic = self.monotonic.saturating_sub(earlier.monotonic);
        monotonic.max(self.wall.duration_since(earlier.wall).unwrap_or_default())
    }
}

/// The readings for one decision. Each clock is read at most once, and only if a check needs it.
pub(crate) struct Readings<'c> {
    clock: &'c Arc<dyn Clock>,
    wall: Cell<Option<SystemTime>>,
    monotonic: Cell<Option<Duration>>,
}

impl<'c> Readings<'c> {
    pub(crate) fn of(clock: &'c Arc<dyn Clock>) -> Self {
        Self { clock, wall: Cell::new(None), monotonic: Cell::new(None) }
    }

    pub(crate) fn clock(&self) -> &'c Arc<dyn Clock> {
        self.clock
    }

    pub(crate) fn wall(&self) -> SystemTime {
        read_once(&self.wall, || self.clock.now())
    }

    pub(crate) fn monotonic(&self) -> Duration {
        read_once(&self.monotonic, || self.clock.monotonic())
    }

    pub(crate) fn at(&self) -> Timestamp {
        Timestamp::of(self.monotonic(), self.wall())
    }
}

fn read_once<T: Copy>(cell: &Cell<Option<T>>, read: impl FnOnce() -> T) -> T {
    cell.get().unwrap_or_else(|| {
        let reading = read();
        cell.set(Some(reading));
        reading
    })
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

/// The system clock, which is the default.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// Creates a clock whose monotonic reading starts at zero.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

/// Returns the default clock. All callers get the same clock, so that they can share readings.
pub(crate) fn default_clock() -> Arc<dyn Clock> {
    static CLOCK: LazyLock<Arc<dyn Clock>> = LazyLock::new(|| Arc::new(SystemClock::new()));
    CLOCK.clone()
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "only this type reads the system clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOW;

    #[test]
    fn elapsed_time_is_the_larger_of_both_clocks() {
        const HOUR: i64 = 3600;
        let at = |monotonic: u64, wall: i64| Timestamp {
            monotonic: Duration::from_secs(monotonic),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.saturating_add_signed(wall)),
        };
        for (later, expected) in [
            (at(100, 0), 0),
            (at(160, 60), 60),
            // The machine was suspended for ten hours.
            (at(101, 10 * HOUR), 36_000),
            // The wall clock was set back by an hour.
            (at(160, 60 - HOUR), 60),
        ] {
            assert_eq!(later.since(at(100, 0)), Duration::from_secs(expected), "{later:?}");
        }
        assert_eq!(at(100, 0).since(at(160, 60)), Duration::ZERO);
    }
}
