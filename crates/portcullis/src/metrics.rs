//! The metrics, through the [`metrics`] facade: without a recorder they cost next to nothing.
//!
//! Names and labels are a contract (see the guide's chapter on key sets), and every label's values
//! are a closed list: kinds, rules and outcomes of ours, and the locations that are configured.

use std::time::{Duration, SystemTime};

use ::metrics::{Counter, counter, gauge, histogram};

/// How many tokens were judged, by whether the token cache had them. Each counter is looked up once: a
/// recorder that is installed later than the authenticator is built does not see them.
pub(crate) struct Tokens {
    hits: Counter,
    misses: Counter,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        // An alarm needs the first of them, too: a series that begins with it has no rate.
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

/// A refused request.
pub(crate) fn refused(kind: &'static str, rule: &'static str) {
    counter!("portcullis_refusals_total", "kind" => kind, "rule" => rule).increment(1);
}

/// How a fetch of keys ended: `fetched`, `not_modified` or `failed`.
pub(crate) fn fetch_ended(location: &str, outcome: &'static str) {
    let location = location.to_owned();
    counter!("portcullis_jwks_fetches_total", "location" => location, "outcome" => outcome)
        .increment(1);
}

/// The number of keys that are not used.
pub(crate) struct Skipped {
    /// Something is wrong with them.
    pub(crate) faulty: usize,
    /// For encryption, an algorithm that is not allowed, or an unknown type.
    pub(crate) for_other_uses: usize,
}

/// The fetches that failed, before there is one: an alarm needs the first of them, too.
pub(crate) fn fetches_begin(location: &str) {
    for outcome in ["fetched", "failed"] {
        let location = location.to_owned();
        counter!("portcullis_jwks_fetches_total", "location" => location, "outcome" => outcome)
            .increment(0);
    }
}

/// The keys that a fetch brought or confirmed.
pub(crate) fn keys_kept(location: &str, usable: usize, skipped: Skipped, now: SystemTime) {
    #[expect(clippy::cast_precision_loss, reason = "there are a few dozen")]
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

/// A status list was fetched, or is as it was.
pub(crate) fn status_list_fetched(issuer: &str, modified: bool) {
    status_list_ended(issuer, if modified { "fetched" } else { "not_modified" });
}

/// A status list could not be fetched.
pub(crate) fn status_list_failed(issuer: &str) {
    status_list_ended(issuer, "failed");
}

fn status_list_ended(issuer: &str, outcome: &'static str) {
    let issuer = issuer.to_owned();
    counter!("portcullis_status_list_fetches_total", "issuer" => issuer, "outcome" => outcome)
        .increment(1);
}

/// How old a status list had become when the question ended that was to renew it: no request was
/// judged by an older one.
pub(crate) fn revocation_age(issuer: &str, age: Duration) {
    histogram!("portcullis_revocation_age_seconds", "issuer" => issuer.to_owned())
        .record(age.as_secs_f64());
}

/// How long before it was known here a revocation may have been published, at most.
pub(crate) fn revocation_lag(issuer: &str, lag: Duration) {
    histogram!("portcullis_revocation_lag_seconds", "issuer" => issuer.to_owned())
        .record(lag.as_secs_f64());
}

/// The longest that a token is accepted after the list was published that revokes it.
pub(crate) fn status_list_bounds(issuer: &str, reachable: Duration, unreachable: Duration) {
    for (list, bound) in [("reachable", reachable), ("unreachable", unreachable)] {
        let issuer = issuer.to_owned();
        gauge!("portcullis_status_list_bound_seconds", "issuer" => issuer, "list" => list)
            .set(bound.as_secs_f64());
    }
}

/// The same for the introspection of an issuer.
pub(crate) fn introspections_begin(issuer: &str) {
    for outcome in ["active", "failed"] {
        let issuer = issuer.to_owned();
        counter!("portcullis_introspections_total", "issuer" => issuer, "outcome" => outcome)
            .increment(0);
    }
}

/// What came of asking an issuer about a token: `active`, `inactive` or `failed`.
pub(crate) fn introspected(issuer: &str, outcome: &'static str) {
    let issuer = issuer.to_owned();
    counter!("portcullis_introspections_total", "issuer" => issuer, "outcome" => outcome)
        .increment(1);
}

/// The longest that a withdrawn key is accepted.
pub(crate) fn withdrawal_bounds(location: &str, reachable: Duration, unreachable: Duration) {
    for (issuer, bound) in [("reachable", reachable), ("unreachable", unreachable)] {
        let location = location.to_owned();
        gauge!("portcullis_key_withdrawal_bound_seconds", "location" => location, "issuer" => issuer)
            .set(bound.as_secs_f64());
    }
}

/// The longest that a token is accepted whose session was revoked, if the configuration bounds it.
pub(crate) fn revocation_bound(issuer: &str, bound: Duration) {
    gauge!("portcullis_revocation_bound_seconds", "issuer" => issuer.to_owned())
        .set(bound.as_secs_f64());
}
