//! The maximum ages that routes require of this instance's knowledge, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::metrics;
use crate::remote::freshness::Ages;

/// The shortest `max_age` and the longest `in_outage` of the routes used so far, in nanoseconds.
#[derive(Debug)]
pub(super) struct Bounds {
    shortest: AtomicU64,
    longest: AtomicU64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { shortest: AtomicU64::new(u64::MAX), longest: AtomicU64::new(0) }
    }
}

impl Bounds {
    /// Called for each token that has not been checked under the current generation.
    pub(super) fn note(&self, ages: Ages) {
        let [usual, in_outage] = [ages.usual, ages.in_outage].map(nanos);
        let shortest = self.shortest.fetch_min(usual, Ordering::Relaxed);
        let longest = self.longest.fetch_max(in_outage, Ordering::Relaxed);
        if usual < shortest || longest < in_outage {
            let of = |bound: &AtomicU64| Duration::from_nanos(bound.load(Ordering::Relaxed));
            metrics::feed_bounds(of(&self.shortest), of(&self.longest));
        }
    }
}

fn nanos(age: Duration) -> u64 {
    u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)
}
