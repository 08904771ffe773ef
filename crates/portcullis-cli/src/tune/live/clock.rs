use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use portcullis::{claims::NumericDate, clock::Clock};

/// A clock that events advance. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub(super) struct EventClock(Arc<AtomicU64>);

impl EventClock {
    pub(super) fn set(&self, micros: u64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for EventClock {
    fn now(&self) -> SystemTime {
        // The date is arbitrary.
        SystemTime::from(NumericDate::from_secs(1_700_000_000)) + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }
}
