//! The wall clock as a NumericDate (RFC 7519 section 2).

use std::time::{Duration, SystemTime};

use portcullis::clock::Clock;

/// Whole seconds since 1970, rounded down.
pub(crate) fn now_secs(clock: &dyn Clock) -> i64 {
    clock.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, secs)
}

/// Milliseconds since 1970.
pub(crate) fn now_millis(clock: &dyn Clock) -> u64 {
    let since = clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A duration in whole seconds.
pub(crate) fn secs(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
