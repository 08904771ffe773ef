//! Metrics through the [`metrics`] facade. Without a recorder their cost is negligible.
//!
//! Names and labels are a contract (see the guide's chapter on key sets). The values of every label
//! are a closed list: kinds, rules and outcomes from this crate, and the configured locations.

use std::time::{Duration, SystemTime};

use ::metrics::{Counter, counter, gauge, histogram};

/// The number of validated tokens, by token cache hit or miss. Each counter is looked up once, so a
/// recorder must be installed before the authenticator is built.
pub(crate) struct Tokens {
    hits: Counter,
    misses: Counter,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        // Each series begins at zero, because alerts must also detect the first event: a series that
        // begins with its first event has no rate.
        for kind in ["keys_unavailable", "revocation_unavailable"] {
            counter!("portcullis_refusals_total", "kind" => kind, "rule" => kind).increment(0);
        }
        let counter = |cache| counter!("portcullis_tokens_total", "cache" => cache);
        Self { hits: counter("hit"), misses: counter("miss") }
    }

    pub(crate) fn judged(&self, was_cached: bool) {
        if was_cached { self.hits.increment(1) } else { self.misses.increment(1) }
    }
}

/// Counts a rejected request.
pub(crate) fn refused(kind: &'static str, rule: &'static str) {
    counter!("portcullis_refusals_total", "kind" => kind, "rule" => rule).increment(1);
}

/// Counts a key fetch by outcome: `fetched`, `not_modified` or `failed`.
pub(crate) fn fetch_ended(location: &str, outcome: &'static str) {
    let location = location.to_owned();
    counter!("portcullis_jwks_fetches_total", "location" => location, "outcome" => outcome)
        .increment(1);
}

/// The number of keys that are not used.
pub(crate) struct Skipped {
    /// Faulty keys.
    pub(crate) faulty: usize,
    /// Keys for encryption, for an algorithm that is not allowed, or of an unknown type.
    pub(crate) for_other_uses: usize,
}

/// Registers the fetch counters at zero, because alerts must also detect the first failure.
pub(crate) fn fetches_begin(location: &str) {
    for outcome in ["fetched", "failed"] {
        let location = location.to_owned();
        counter!("portcullis_jwks_fetches_total", "location" => location, "outcome" => outcome)
            .increment(0);
    }
}

/// Records the keys that a fetch returned or confirmed.
pub(crate) fn keys_kept(location: &str, usable: usize, skipped: Skipped, now: SystemTime) {
    #[expect(clippy::cast_precision_loss, reason = "at most a few dozen keys")]
    let count = |count: usize| count as f64;
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let location = location.to_owned();
    gauge!("portcullis_jwks_keys", "location" => location.clone()).set(count(usable));
    for (fault, number) in [("true", skipped.faulty), ("false", skipped.for_other_uses)] {
        let location = location.clone();
        gauge!("portcullis_jwks_skipped_keys", "location" => location, "fault" => fault)
            .set(count(number));
    }
    gauge!("portcullis_jwks_last_success_timestamp_seconds", "location" => location).set(seconds);
}

/// Counts a status list that was fetched or confirmed.
pub(crate) fn status_list_fetched(issuer: &str, modified: bool) {
    status_list_ended(issuer, if modified { "fetched" } else { "not_modified" });
}

/// Counts a failed fetch of a status list.
pub(crate) fn status_list_failed(issuer: &str) {
    status_list_ended(issuer, "failed");
}

fn status_list_ended(issuer: &str, outcome: &'static str) {
    let issuer = issuer.to_owned();
    counter!("portcullis_status_list_fetches_total", "issuer" => issuer, "outcome" => outcome)
        .increment(1);
}

/// Records the age of a status list when its refresh ended. No request used an older list.
pub(crate) fn revocation_age(issuer: &str, age: Duration) {
    histogram!("portcullis_revocation_age_seconds", "issuer" => issuer.to_owned())
        .record(age.as_secs_f64());
}

/// Records the maximum time between the publication of a revocation and its arrival at this
/// service.
pub(crate) fn revocation_lag(issuer: &str, lag: Duration) {
    histogram!("portcullis_revocation_lag_seconds", "issuer" => issuer.to_owned())
        .record(lag.as_secs_f64());
}

/// Records how long a token may still be accepted after a status list that revokes it was
/// published.
pub(crate) fn status_list_bounds(issuer: &str, reachable: Duration, unreachable: Duration) {
    for (list, bound) in [("reachable", reachable), ("unreachable", unreachable)] {
        let issuer = issuer.to_owned();
        gauge!("portcullis_status_list_bound_seconds", "issuer" => issuer, "list" => list)
            .set(bound.as_secs_f64());
    }
}

/// Registers the introspection counters of an issuer at zero.
pub(crate) fn introspections_begin(issuer: &str) {
    for outcome in ["active", "failed"] {
        let issuer = issuer.to_owned();
        counter!("portcullis_introspections_total", "issuer" => issuer, "outcome" => outcome)
            .increment(0);
    }
}

/// Counts an introspection request by outcome: `active`, `inactive` or `failed`.
pub(crate) fn introspected(issuer: &str, outcome: &'static str) {
    let issuer = issuer.to_owned();
    counter!("portcullis_introspections_total", "issuer" => issuer, "outcome" => outcome)
        .increment(1);
}

/// Records how long a withdrawn key may still be accepted.
pub(crate) fn withdrawal_bounds(location: &str, reachable: Duration, unreachable: Duration) {
    for (issuer, bound) in [("reachable", reachable), ("unreachable", unreachable)] {
        let location = location.to_owned();
        gauge!("portcullis_key_withdrawal_bound_seconds", "location" => location, "issuer" => issuer)
            .set(bound.as_secs_f64());
    }
}

/// Records how long a token of a revoked session may still be accepted, if the configuration bounds
/// it.
pub(crate) fn revocation_bound(issuer: &str, bound: Duration) {
    gauge!("portcullis_revocation_bound_seconds", "issuer" => issuer.to_owned())
        .set(bound.as_secs_f64());
}

/// Registers the counters of the feed at zero.
pub(crate) fn feed_begins() {
    for outcome in ["read", "failed"] {
        counter!("portcullis_feed_reads_total", "outcome" => outcome).increment(0);
    }
    for kind in ["session", "token", "subject", "client"] {
        for outcome in ["stored", "failed"] {
            counter!("portcullis_revocations_total", "kind" => kind, "outcome" => outcome)
                .increment(0);
        }
    }
}

/// Registers an issuer's counter of feed watermarks at zero.
pub(crate) fn feed_issuer_begins(issuer: &str) {
    counter!("portcullis_feed_watermarks_total", "issuer" => issuer.to_owned()).increment(0);
}

/// Registers the counter of logout tokens at zero.
pub(crate) fn logout_tokens_begin() {
    for outcome in ["stored", "ignored", "replayed", "invalid", "unavailable"] {
        counter!("portcullis_logout_tokens_total", "outcome" => outcome).increment(0);
    }
}

/// Records the bounds that routes with the feed require: the shortest `max_age`, and the longest
/// `in_outage`.
pub(crate) fn feed_bounds(reachable: Duration, unreachable: Duration) {
    for (store, bound) in [("reachable", reachable), ("unreachable", unreachable)] {
        gauge!("portcullis_feed_bound_seconds", "store" => store).set(bound.as_secs_f64());
    }
}

/// Counts a read of the revocation store by outcome: `read` or `failed`.
pub(crate) fn feed_read(outcome: &'static str) {
    counter!("portcullis_feed_reads_total", "outcome" => outcome).increment(1);
}

/// Records the age of this instance's knowledge of the revocation store.
pub(crate) fn feed_age(age: Duration) {
    gauge!("portcullis_feed_age_seconds").set(age.as_secs_f64());
}

/// Records the number of revocations in memory.
pub(crate) fn feed_entries(entries: usize) {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    gauge!("portcullis_feed_entries").set(entries as f64);
}

/// Counts the times at which the oldest revocations of an issuer became a watermark.
pub(crate) fn feed_condensed(issuer: &str) {
    counter!("portcullis_feed_watermarks_total", "issuer" => issuer.to_owned()).increment(1);
}

/// Counts a revocation that was reported to this instance, by kind and outcome: `stored` or `failed`.
pub(crate) fn revocation_reported(kind: &'static str, outcome: &'static str) {
    counter!("portcullis_revocations_total", "kind" => kind, "outcome" => outcome).increment(1);
}

/// Counts a received logout token by outcome: `stored`, `replayed`, `invalid` or `unavailable`.
pub(crate) fn logout_token_received(outcome: &'static str) {
    counter!("portcullis_logout_tokens_total", "outcome" => outcome).increment(1);
}
