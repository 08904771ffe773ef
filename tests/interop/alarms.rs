//! Runs the alarms of `monitoring` in promtool, against timelines for which earlier versions of the
//! alarms were wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::process::Command;
use std::{env, fs};

const RULES: &str = include_str!("../../monitoring/prometheus-rules.yml");
const TIMELINES: &str = include_str!("../../monitoring/prometheus-rules-test.yml");

/// A required part of each alarm, and a replacement that breaks the alarm. A comment states what is
/// wrong with the replacement.
const BREAKS: &[(&str, &str)] = &[
    // With the replacement, one failed fetch, or one lost response, fires the alarm.
    (
        "outcome=\"failed\"}[15m]))\n          / sum by (job, location) (increase(portcullis_jwks_fetches_total[15m])) > 0.5",
        "outcome=\"failed\"}[15m])) > 0",
    ),
    (
        "> 0.05\n          and sum by (job, issuer) (increase(portcullis_introspections_total{outcome=\"failed\"}[5m])) > 3",
        "> 0",
    ),
    // With the replacement, Keycloak's encryption key fires the alarm.
    ("portcullis_jwks_skipped_keys{fault=\"true\"}", "portcullis_jwks_skipped_keys"),
    // The replacement is a constant instead of the service's bound.
    ("> ignoring (issuer) portcullis_key_withdrawal_bound_seconds{issuer=\"reachable\"}", "> 600"),
    // With the replacement, the alarm fires for keys that no request needed.
    (
        "increase(portcullis_jwks_fetches_total{outcome=\"failed\"}[15m]) > 0",
        "increase(portcullis_jwks_fetches_total{outcome=\"failed\"}[15m]) >= 0",
    ),
    (
        "0.25 * portcullis_key_withdrawal_bound_seconds",
        "2 * portcullis_key_withdrawal_bound_seconds",
    ),
    ("keys_unavailable|revocation_unavailable", "revocation_unavailable"),
    ("portcullis_jwks_keys == 0", "portcullis_jwks_keys < 0"),
    ("kind=\"key_budget_spent\"", "kind=\"invalid_token\""),
    // The replacement counts rejected tokens instead of computing their share, as an earlier
    // version did.
    (
        "          / on (job) group_left () (sum by (job) (rate(portcullis_tokens_total[5m])) > 0)",
        "          > 0",
    ),
    ("> 5 * avg_over_time", "> 500 * avg_over_time"),
    ("0.9 * portcullis_status_list_bound_seconds", "9 * portcullis_status_list_bound_seconds"),
    // The alarms of the revocation feed.
    (
        "portcullis_feed_age_seconds > ignoring (store) portcullis_feed_bound_seconds",
        "portcullis_feed_age_seconds > ignoring (store) 0.1 * portcullis_feed_bound_seconds",
    ),
    ("0.75 * portcullis_feed_bound_seconds", "0.1 * portcullis_feed_bound_seconds"),
    (
        "increase(portcullis_feed_reads_total{outcome=\"failed\"}[5m]) > 0",
        "portcullis_feed_age_seconds > 0",
    ),
    (
        "increase(portcullis_feed_reads_total[5m])) > 0.5",
        "increase(portcullis_feed_reads_total[5m])) > 0",
    ),
    ("portcullis_revocations_total{outcome=\"failed\"}", "portcullis_revocations_total"),
    (
        "increase(portcullis_feed_watermarks_total[15m])) > 0",
        "portcullis_feed_watermarks_total) >= 0",
    ),
    (
        "unless on (job) sum by (job) (increase(portcullis_logout_tokens_total{outcome=\"stored\"}[1h])) > 0",
        "",
    ),
    // The alarms of the issuer.
    (
        "portcullis_issuer_store_seconds_count{outcome=\"failed\"}[5m]))\n          / ",
        "portcullis_issuer_store_seconds_count{outcome=\"ok\"}[5m]))\n          / ",
    ),
    (
        "problem=~\"unavailable|temporarily_unavailable|not-ready\"",
        "problem=~\"temporarily_unavailable\"",
    ),
    ("not-ready\"}[5m])) > 3", "not-ready\"}[5m])) > 0"),
    (
        "outcome=~\"failed|dropped\"}[15m]))\n          / ",
        "outcome=\"dropped\"}[15m]))\n          / ",
    ),
    ("failed|dropped\"}[15m])) > 2", "failed|dropped\"}[15m])) > 1000"),
    ("sum by (job) (portcullis_issuer_leader) == 0", "portcullis_issuer_leader == 0"),
    ("and on (job, instance) portcullis_issuer_leader == 1", ""),
    ("login_failed|login_limited\"}[5m])) > 100", "login_failed|login_limited\"}[5m])) > 1"),
    ("outcome=\"reused\"}[15m]))\n          / ", "outcome=\"refused\"}[15m]))\n          / "),
    ("invalid_client|unauthorized_client", "invalid_scope"),
    ("connections_rejected_total[5m])) > 100", "connections_rejected_total[5m])) > 1"),
    ("portcullis_issuer_passwords_waiting > 10", "portcullis_issuer_passwords_waiting > 100"),
    // Tokens that are on their way fire the alarm.
    (
        "logouts_total{outcome=\"retried\"}[10m])) > 0",
        "logouts_total{outcome=\"retried\"}[10m])) >= 0",
    ),
    // A slow client without a failed attempt does not.
    ("logouts_waiting[10m])) > 1000", "logouts_waiting[10m])) > 100000"),
    ("outcome=~\"expired|dropped|rejected\"", "outcome=~\"expired|dropped\""),
    ("expired|dropped|rejected\"}[15m])) > 3", "expired|dropped|rejected\"}[15m])) > 0"),
];

/// Whether every timeline passes with `rules`, and promtool's output.
fn check(rules: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("prometheus-rules.yml"), rules).unwrap();
    fs::write(folder.path().join("timelines.yml"), TIMELINES).unwrap();
    let promtool = env::var_os("PORTCULLIS_PROMTOOL").unwrap_or_else(|| OsString::from("promtool"));
    let mut promtool = Command::new(promtool);
    promtool.current_dir(folder.path()).args(["test", "rules", "timelines.yml"]);
    let output = promtool.output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}

#[test]
#[ignore = "needs promtool: run cargo xtask test"]
fn alarms_fire_only_as_their_timelines_expect() {
    let (holds, told) = check(RULES);
    assert!(holds, "{told}");
    for (part, broken) in BREAKS {
        assert!(RULES.contains(part), "{part}");
        let (holds, told) = check(&RULES.replacen(part, broken, 1));
        assert!(!holds, "no timeline notices `{broken}` instead of `{part}`");
        assert!(told.contains("FAILED") && !told.contains("parse error"), "{told}");
    }
}

#[test]
fn each_alarm_has_a_timeline() {
    for alarm in RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(TIMELINES.contains(&format!("alertname: {alarm}\n        exp_alerts")), "{alarm}");
    }
}
