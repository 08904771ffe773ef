//! The measurements of --live.

use serde::Serialize;

/// The figures of a live run. Times are in seconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measured {
    pub(super) sessions: u64,
    /// Refreshes per second.
    pub(super) refreshes: f64,
    /// Half the width of the 95 % interval of `refreshes`, assuming independent refreshes.
    pub(super) refreshes_error: f64,
    /// The time from the revocation to the last accepted request. The true lag is up to a step longer.
    pub(super) lag_median: f64,
    pub(super) lag_p99: f64,
    pub(super) lag_max: f64,
    pub(super) lag_step: f64,
    pub(super) without_lag: f64,
    pub(super) requests: u64,
    /// Rejected requests with a valid token.
    pub(super) wrongly_refused: u64,
}
