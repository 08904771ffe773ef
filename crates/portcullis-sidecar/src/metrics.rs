//! The metrics, through the [`metrics`] facade: without a recorder they cost next to nothing.
//!
//! Names and labels are part of the public API (see the crate's documentation). The values of every
//! label are a closed list: they contain nothing about a caller and nothing that a client sent.

use std::time::Duration;

use ::metrics::{counter, gauge, histogram};

/// Counts a request by its outcome.
pub(crate) fn request(outcome: &'static str) {
    counter!("portcullis_sidecar_requests_total", "outcome" => outcome).increment(1);
}

/// Records the time until an upstream's response began, or until it failed.
pub(crate) fn upstream(took: Duration) {
    histogram!("portcullis_sidecar_upstream_seconds").record(took.as_secs_f64());
}

/// Counts a reload of the settings file.
pub(crate) fn reload(outcome: &'static str) {
    counter!("portcullis_sidecar_reloads_total", "outcome" => outcome).increment(1);
}

/// Counts an open WebSocket until it is dropped.
pub(crate) struct OpenWebSocket(());

impl OpenWebSocket {
    pub(crate) fn begin() -> Self {
        gauge!("portcullis_sidecar_websockets").increment(1.0);
        Self(())
    }
}

impl Drop for OpenWebSocket {
    fn drop(&mut self) {
        gauge!("portcullis_sidecar_websockets").decrement(1.0);
    }
}

/// Publishes the counters with the value 0 at the start.
pub(crate) fn publish() {
    for outcome in [
        "accepted",
        "refused",
        "bad_request",
        "unknown_proxy",
        "upstream_unavailable",
        "upstream_timeout",
    ] {
        counter!("portcullis_sidecar_requests_total", "outcome" => outcome).increment(0);
    }
    for outcome in ["ok", "failed"] {
        counter!("portcullis_sidecar_reloads_total", "outcome" => outcome).increment(0);
    }
    gauge!("portcullis_sidecar_websockets").increment(0.0);
}
