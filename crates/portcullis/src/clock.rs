//! Where time comes from: a trait, so that a test can move it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// The time that tokens and key sets are judged by.
///
/// Two readings, because they answer two questions: [`now`](Clock::now) is the wall clock that
/// `exp`, `nbf` and `iat` are compared with, and may jump; [`monotonic`](Clock::monotonic)
/// measures ages and never goes back.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall-clock time.
    fn now(&self) -> SystemTime;

    /// The time since an arbitrary but fixed instant.
    fn monotonic(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

/// The machine's own clock, and the default.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic reading starts at zero.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}
