//! What `--live` measures.

use serde::Serialize;

/// What was seen. Times are in seconds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measured {
    pub(super) sessions: u64,
    /// Refreshes in a second.
    pub(super) refreshes: f64,
    /// What chance makes of them at most, if each came for itself: 95 % lie within.
    pub(super) refreshes_error: f64,
    /// How long after the revocation of its session a token was last accepted: the true time is up to
    /// a step longer.
    pub(super) lag_median: f64,
    pub(super) lag_p99: f64,
    pub(super) lag_max: f64,
    pub(super) lag_step: f64,
    pub(super) without_lag: f64,
    pub(super) requests: u64,
    /// Requests with a token that should have been accepted, and was not.
    pub(super) wrongly_refused: u64,
}
