//! The metrics, through the [`metrics`] facade: without a recorder they cost next to nothing.
//!
//! Names and labels are part of the public API (see the crate's documentation). The values of every
//! label are a closed list: they contain nothing about a user and nothing that a client sent.

use std::time::Duration;

use ::metrics::{counter, gauge, histogram};

/// Counts an entry of the audit log.
pub(crate) fn event(kind: &'static str) {
    counter!("portcullis_issuer_events_total", "kind" => kind).increment(1);
}

/// Counts a group commit.
pub(crate) fn group_committed() {
    counter!("portcullis_issuer_group_commits_total").increment(1);
}

/// Counts the result of a refresh.
pub(crate) fn refreshed(outcome: &'static str) {
    counter!("portcullis_issuer_refreshes_total", "outcome" => outcome).increment(1);
}

/// Counts an access token.
pub(crate) fn token_issued(algorithm: &'static str) {
    counter!("portcullis_issuer_tokens_issued_total", "algorithm" => algorithm).increment(1);
}

/// Counts an introspection by an authenticated client.
pub(crate) fn introspected(outcome: &'static str) {
    counter!("portcullis_issuer_introspections_total", "outcome" => outcome).increment(1);
}

/// Counts an error response.
pub(crate) fn refused(problem: &'static str) {
    counter!("portcullis_issuer_refusals_total", "problem" => problem).increment(1);
}

/// Counts a message to a user.
pub(crate) fn message(outcome: &'static str) {
    counter!("portcullis_issuer_messages_total", "outcome" => outcome).increment(1);
}

/// Publishes the counter of rejected connections with the value 0 at the start.
pub(crate) fn publish_rejected_connections() {
    counter!("portcullis_issuer_connections_rejected_total").increment(0);
}

/// Counts a connection that was closed because its address had too many.
pub(crate) fn connection_rejected() {
    counter!("portcullis_issuer_connections_rejected_total").increment(1);
}

/// Publishes the metrics of logout tokens with the value 0 at the start.
pub(crate) fn publish_logouts() {
    for outcome in ["delivered", "rejected", "retried", "expired", "dropped"] {
        logouts(outcome, 0);
    }
    logouts_waiting(0);
}

/// Counts logout tokens by the outcome of an attempt to deliver them, or why they were dropped.
pub(crate) fn logouts(outcome: &'static str, count: u64) {
    counter!("portcullis_issuer_logouts_total", "outcome" => outcome).increment(count);
}

/// Sets the number of logout tokens that were not delivered yet.
pub(crate) fn logouts_waiting(count: i64) {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    gauge!("portcullis_issuer_logouts_waiting").set(count as f64);
}

/// Sets the number of keys with a state.
pub(crate) fn keys(state: &'static str, count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "there are a few")]
    gauge!("portcullis_issuer_keys", "state" => state).set(count as f64);
}

/// Sets the time of the next due change of the keys, in seconds since 1970.
pub(crate) fn next_key_change(next_change: Option<i64>) {
    #[expect(clippy::cast_precision_loss, reason = "whole seconds are exact beyond any calendar")]
    let due = next_change.map_or(f64::INFINITY, |due| due as f64);
    gauge!("portcullis_issuer_next_key_change_timestamp_seconds").set(due);
}

/// Sets whether this process is the leader.
pub(crate) fn leads(leads: bool) {
    gauge!("portcullis_issuer_leader").set(f64::from(u8::from(leads)));
}

/// Records the duration of an operation of the store.
pub(crate) fn store(operation: &'static str, took: Duration, ok: bool) {
    let outcome = if ok { "ok" } else { "failed" };
    histogram!("portcullis_issuer_store_seconds", "operation" => operation, "outcome" => outcome)
        .record(took.as_secs_f64());
}

/// Counts a waiting password until it is dropped.
pub(crate) struct Waiting(());

impl Waiting {
    pub(crate) fn begin() -> Self {
        gauge!("portcullis_issuer_passwords_waiting").increment(1.0);
        Self(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        gauge!("portcullis_issuer_passwords_waiting").decrement(1.0);
    }
}
