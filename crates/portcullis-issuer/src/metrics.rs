//! The metrics, through the [`metrics`] facade: without a recorder they cost next to nothing.
//!
//! Names and labels are a contract (see the crate's documentation), and every label's values are a
//! closed list of ours: nothing about a user, and nothing that a client sent.

use std::time::Duration;

use ::metrics::{counter, gauge, histogram};

/// An entry of the audit log.
pub(crate) fn event(kind: &'static str) {
    counter!("portcullis_issuer_events_total", "kind" => kind).increment(1);
}

/// A transaction with the changes that waited for it.
pub(crate) fn group_committed() {
    counter!("portcullis_issuer_group_commits_total").increment(1);
}

/// The result of a refresh.
pub(crate) fn refreshed(outcome: &'static str) {
    counter!("portcullis_issuer_refreshes_total", "outcome" => outcome).increment(1);
}

/// An access token.
pub(crate) fn token_issued(algorithm: &'static str) {
    counter!("portcullis_issuer_tokens_issued_total", "algorithm" => algorithm).increment(1);
}

/// An error that was answered.
pub(crate) fn refused(problem: &'static str) {
    counter!("portcullis_issuer_refusals_total", "problem" => problem).increment(1);
}

/// Publishes the counter, with 0, from the start.
pub(crate) fn publish_rejected_connections() {
    counter!("portcullis_issuer_connections_rejected_total").increment(0);
}

/// A connection that was closed because its address had too many.
pub(crate) fn connection_rejected() {
    counter!("portcullis_issuer_connections_rejected_total").increment(1);
}

/// How many keys there are of a state.
pub(crate) fn keys(state: &'static str, count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "there are a few")]
    gauge!("portcullis_issuer_keys", "state" => state).set(count as f64);
}

/// When something about the keys is due, in seconds since 1970.
pub(crate) fn next_key_change(next_change: Option<i64>) {
    #[expect(clippy::cast_precision_loss, reason = "whole seconds are exact beyond any calendar")]
    let due = next_change.map_or(f64::INFINITY, |due| due as f64);
    gauge!("portcullis_issuer_next_key_change_timestamp_seconds").set(due);
}

/// Whether this process looks after the keys.
pub(crate) fn leads(leads: bool) {
    gauge!("portcullis_issuer_leader").set(f64::from(u8::from(leads)));
}

/// One operation of the store.
pub(crate) fn store(operation: &'static str, took: Duration, ok: bool) {
    let outcome = if ok { "ok" } else { "failed" };
    histogram!("portcullis_issuer_store_seconds", "operation" => operation, "outcome" => outcome)
        .record(took.as_secs_f64());
}

/// A password that waits for its turn, for as long as this is there.
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
