use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::clock::Clock;

/// A clock that moves only when advanced. Clones share the same time.
///
/// Pass a clone to [`AuthenticatorBuilder::clock`](crate::AuthenticatorBuilder::clock), and advance
/// the original.
#[derive(Debug, Clone)]
pub struct ManualClock {
    start: SystemTime,
    elapsed_nanos: Arc<AtomicU64>,
    suspended_nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// Creates a clock at `secs` seconds after 1970. Its monotonic reading starts at zero.
    #[must_use]
    pub fn at(secs: u64) -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        Self { start, elapsed_nanos: Arc::default(), suspended_nanos: Arc::default() }
    }

    /// Advances both readings by `by`.
    ///
    /// # Panics
    ///
    /// If `by` is longer than 584 years.
    pub fn advance(&self, by: Duration) {
        self.elapsed_nanos.fetch_add(nanos(by), Ordering::SeqCst);
    }

    /// Advances only the wall clock by `by`, as on a machine that was suspended.
    ///
    /// # Panics
    ///
    /// If `by` is longer than 584 years.
    pub fn suspend(&self, by: Duration) {
        self.suspended_nanos.fetch_add(nanos(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        let suspended = Duration::from_nanos(self.suspended_nanos.load(Ordering::SeqCst));
        self.start + self.monotonic() + suspended
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.elapsed_nanos.load(Ordering::SeqCst))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}

/// A clock that follows tokio's, which a test can pause (`#[tokio::test(start_paused = true)]`):
/// sleeping then takes no real time.
#[derive(Debug, Clone)]
pub struct TokioClock {
    start: SystemTime,
    origin: tokio::time::Instant,
}

impl TokioClock {
    /// Creates a clock that is now at `secs` seconds after 1970.
    #[must_use]
    pub fn at(secs: u64) -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
        Self { start, origin: tokio::time::Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> SystemTime {
        self.start + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}
