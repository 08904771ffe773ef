//! Regression tests of figures that were wrong.

use super::{refused, report};
use crate::tune::figures::Figures;

fn figures(options: &str) -> Figures {
    report(options).settings.remove(0)
}

#[test]
fn outage_beyond_max_stale_locks_out_sessions_with_valid_tokens() {
    let all = figures("--access-expiry 24h --outage 2h").locked_out;
    assert_eq!((all.model, all.simulated), (1.0, 1.0));
}

/// Each instance counts `max_stale` from its own last fetch.
#[test]
fn keys_expire_instance_by_instance() {
    for (outage, dead) in [
        (3600.0, 0.0),
        (3630.0, 0.0),
        (3700.0, 0.216),
        (3800.0, 0.608),
        (3890.0, 0.961),
        (3900.0, 1.0),
    ] {
        let ended =
            figures(&format!("--access-expiry 24h --outage {outage} --sessions 40000")).keys_ended;
        assert!((ended.model - dead).abs() < 1e-3, "{outage}: {ended:?}");
        assert!((ended.simulated - dead).abs() < 0.02, "{outage}: {ended:?}");
    }
}

#[test]
fn quantiles_rise_and_are_at_most_the_maximum() {
    for seed in 0..50 {
        for sessions in [1, 2, 7, 40] {
            let of =
                figures(&format!("--sessions {sessions} --instances {sessions} --seed {seed}"));
            assert!(of.lag_median.simulated <= of.lag_p99.simulated, "{of:?}");
            assert!(of.lag_p99.simulated <= of.lag_max, "{of:?}");
            assert!(of.lag_max <= of.lag_longest && of.lag_longest <= of.lag_bound, "{of:?}");
            assert!(of.lag_p99.model <= of.lag_longest, "{of:?}");
            assert!(of.key_lag_p99.simulated <= of.key_lag_bound, "{of:?}");
            assert!(of.key_lag_last_instance <= of.key_lag_bound, "{of:?}");
        }
    }
}

#[cfg(feature = "live")]
#[test]
fn quantiles_of_a_live_run_are_at_most_the_maximum() {
    for seed in 1..=5 {
        let options = "--access-expiry 60 --pause 0 --instances 2 --live --live-sessions 20";
        let live = figures(&format!("{options} --seed {seed}")).live.unwrap();
        assert!(live.lag_median <= live.lag_p99 && live.lag_p99 <= live.lag_max, "{live:?}");
    }
}

/// A positive `max-age` shortens the TTL; headers that forbid caching do not. Renewals come before the
/// TTL ends.
#[test]
fn fetches_follow_the_ttl_in_effect() {
    for (options, cycle) in [
        ("", 300.0 - 45.0),
        ("--jwks-max-age 86400", 300.0 - 45.0),
        ("--jwks-max-age 60", 60.0 - 30.0),
        ("--jwks-max-age 1", 10.0 - 5.0),
        ("--jwks-max-age 0", 300.0 - 45.0),
        ("--refresh-ahead 0", 300.0),
        ("--refresh-ahead 300", 300.0 - 150.0),
        ("--jwks-ttl 100", 100.0 - 15.0),
    ] {
        let of = figures(&format!("--instances 160 --rotations-per-day 0 {options}"));
        assert!((of.fetches.model - 160.0 / cycle).abs() < 1e-9, "{options}: {:?}", of.fetches);
        let off = (of.fetches.model - of.fetches.simulated).abs();
        assert!(off <= 2.5 * of.fetches.error, "{options}: {:?}", of.fetches);
    }
}

#[test]
fn costs_are_those_of_the_named_issuer() {
    let cores = |options: &str| {
        let rows = report(&format!("--sessions 30000 {options}")).mechanisms;
        rows.iter().find(|row| row.name == "introspection of each request").unwrap().issuer_cores
    };
    // 500 requests a second and 14 refreshes.
    assert!((0.4..0.6).contains(&cores("")), "{}", cores(""));
    let keycloak = cores("--costs-of keycloak");
    assert!((2.1..4.0).contains(&keycloak), "{keycloak}");
    let own = cores("--costs-of keycloak --lookup-cost 4200 --refresh-cost 7000");
    // The cores include the logins of sessions that ended while idle.
    assert!((2.5..2.8).contains(&own), "{own}");
}

/// Keycloak has tokens of 300 s, uses RS256 and has no status lists.
#[test]
fn named_issuer_brings_all_its_defaults() {
    let of = report("--sessions 1000 --costs-of keycloak");
    assert_eq!(of.settings[0].scenario.access_expiry, 300.0);
    assert_eq!(of.settings[0].scenario.verifier.used_ttl, 300.0);
    assert!((of.settings[0].scenario.costs.verify - 21.8e-6).abs() < 1e-9);
    assert!(of.mechanisms.iter().all(|row| !row.name.contains("list")), "{:?}", of.mechanisms);
    assert!(of.to_string().contains("left out: status lists"), "{of}");
    let own = report("--sessions 1000 --costs-of keycloak --access-expiry 600 --verify-cost 80");
    assert_eq!(own.settings[0].scenario.access_expiry, 600.0);
    assert!((own.settings[0].scenario.costs.verify - 80e-6).abs() < 1e-9);
    let refused = refused("--costs-of keycloak --list-share 20");
    assert!(refused.contains("--list-share") && refused.contains("--costs-of"), "{refused}");
}

#[test]
fn max_age_shortens_the_key_bound_and_the_ttls_of_the_sweep() {
    let of = report("--sessions 1000 --jwks-ttl 15m --jwks-max-age 300");
    let bound = of.settings[0].key_bound();
    assert_eq!(
        bound,
        "5 min 11 s while the issuer's max-age is 5 min; 15 min 11 s by the TTL alone"
    );
    let ttls = |options: &str| -> Vec<f64> {
        let sweep = report(&format!("--sessions 1000 {options}")).sweep;
        sweep.iter().filter(|at| at.access_expiry == 60.0).map(|at| at.jwks_ttl).collect()
    };
    assert_eq!(ttls("--jwks-max-age 300"), [30.0, 60.0, 120.0, 300.0]);
    assert_eq!(ttls("--jwks-max-age 10"), [30.0]);
    // The default is that of the companion issuer.
    assert_eq!(ttls(""), ttls("--jwks-max-age 300"));
    assert_eq!(ttls("--jwks-max-age 0").len(), 6);
    assert_eq!(figures("--sessions 1000 --jwks-ttl 900").scenario.verifier.used_ttl, 300.0);
}

/// The quantiles are over the sessions that have a lag.
#[test]
fn share_without_a_lag_stands_before_the_quantiles_of_the_others() {
    let of = figures("--access-expiry 300");
    assert!((0.73..0.75).contains(&of.without_lag.model), "{:?}", of.without_lag);
    let lines = of.lines();
    let at = |name: &str| lines.iter().position(|line| line.0.contains(name)).unwrap();
    assert_eq!(at("not accepted: its token had expired") + 1, at("lag of the others, median"));
    // The curve starts at the share of sessions whose token is accepted.
    assert!((of.lag_exceeds(0.0) - (1.0 - of.without_lag.model)).abs() < 1e-9);
}

/// A lazy client repeats the rejected request with its new token. No instance has cached that token
/// yet, and a slow clock rejects it as too young.
#[test]
fn repeated_request_of_a_lazy_client_is_a_cache_miss_of_age_zero() {
    let options = "--habit lazy --pause 0 --access-expiry 60 --leeway 2 --clock-skew 3";
    let of = figures(options);
    // Each token is used for one repeated request, and for 6.2 others until it is rejected.
    let misses = 1.0 + 9.0 * (1.0 - (-6.2_f64 / 10.0).exp());
    assert!((of.cache_hits.model - (1.0 - misses / 7.2)).abs() < 1e-9, "{:?}", of.cache_hits);
    // Computed by hand: 1.5 % of the other requests, and a quarter of the repeated ones, whose token
    // has age 0.
    assert!((of.refused_by_skew.model - 0.049_023).abs() < 1e-6, "{:?}", of.refused_by_skew);
    for figure in [of.cache_hits, of.refused_by_skew] {
        let off = (figure.model - figure.simulated).abs();
        assert!(off < 2.5 * figure.error + 1e-6, "{figure:?}");
    }
}

/// Each fetch starts a new TTL, even a fetch for an unknown key.
#[test]
fn fetch_for_a_rotated_key_postpones_the_next_renewal() {
    for (rotations, mean) in [
        (0.0, 102.0),
        // (1 − E e^(−ρD)) / ρ with one rotation in 300 s and D from 96 to 108 s.
        (288.0, 86.454_7),
        // One rotation per minute.
        (1440.0, 49.020_7),
    ] {
        let options = "--jwks-ttl 120 --jwks-max-age 0 --instances 40";
        let of = figures(&format!("{options} --rotations-per-day {rotations}")).fetches;
        assert!((40.0 / of.model - mean).abs() < 1e-3, "{rotations}: {of:?}");
        assert!((of.simulated - of.model).abs() < 2.5 * of.error, "{rotations}: {of:?}");
    }
}

#[test]
fn cache_hits_agree_for_sessions_with_pauses() {
    for options in ["--instances 160", "--habit lazy", "--burst 20 --pause 100 --request-every 3"] {
        let hits = figures(&format!("--sessions 40000 {options}")).cache_hits;
        let off = (hits.model - hits.simulated).abs();
        assert!(off <= 2.5 * hits.error && hits.error < 0.01, "{options}: {hits:?}");
    }
}
