//! The wall clock as a NumericDate (RFC 7519 section 2).

use std::time::{Duration, SystemTime};

use portcullis::clock::Clock;

/// Returns the time in whole seconds since 1970, rounded down.
pub(crate) fn now_secs(clock: &dyn Clock) -> i64 {
    clock.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, secs)
}

/// Returns the time in milliseconds since 1970.
pub(crate) fn now_millis(clock: &dyn Clock) -> u64 {
    let since = clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Converts a duration to whole seconds.
pub(crate) fn secs(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// How far the clock may be ahead of the last run of housekeeping, in seconds.
const BOUND: i64 = 7 * 24 * 60 * 60;

/// Returns whether the clock is so far ahead of the last run that it may be wrong. Irreversible steps, such
/// as deletions, then wait for an operator.
pub(crate) fn is_ahead(last: i64, now: i64) -> bool {
    now.saturating_sub(last) > BOUND
}
