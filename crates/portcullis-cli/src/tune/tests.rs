//! Tests of whole reports: their comparisons, recommendations and bounds.

mod conflicts;
mod core;
mod decisions;
mod feed;
mod forms;
mod grid;
mod idle;
mod introspection;
mod marks;
mod outage;
mod page;
mod rows;
mod sources;
mod wording;

use clap::Parser;

use super::arguments::TuneArguments;
use super::report::Report;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    tune: TuneArguments,
}

fn arguments(options: &str) -> TuneArguments {
    let words = std::iter::once("tune").chain(options.split_whitespace());
    let arguments = Command::try_parse_from(words).unwrap().tune;
    arguments.check().unwrap();
    arguments
}

fn report(options: &str) -> Report {
    Report::new(&arguments(options), String::new(), &mut |_| {}).unwrap()
}

/// Returns the error of a run with these options.
fn refused(options: &str) -> String {
    let words = std::iter::once("tune").chain(options.split_whitespace());
    let arguments = match Command::try_parse_from(words) {
        Ok(command) => command.tune,
        Err(error) => return error.to_string(),
    };
    let report =
        arguments.check().and_then(|()| Report::new(&arguments, String::new(), &mut |_| {}));
    report.unwrap_err().to_string()
}

#[test]
fn expiry_of_60_s_has_15_times_the_refreshes_of_900_s_or_fewer() {
    let report = report("--access-expiry 900 --vs-access-expiry 60");
    let comparison = report.comparison.unwrap();
    assert!((comparison.always_active - 15.0).abs() < 1e-9, "{comparison:?}");
    assert!((2.0..10.0).contains(&comparison.as_given), "{comparison:?}");
    assert!((comparison.as_given / comparison.as_simulated - 1.0).abs() < 0.02, "{comparison:?}");
    let bounds: Vec<_> = report.settings.iter().map(|figures| figures.lag_bound).collect();
    assert_eq!(bounds, [920.0, 80.0]);
}

#[test]
fn shorter_ttl_leaves_the_session_lag_unchanged() {
    let [long, short] = ["--jwks-ttl 1h", "--jwks-ttl 10s"].map(|options| {
        let mut report = report(options);
        report.settings.remove(0)
    });
    assert_eq!(long.lag_bound, short.lag_bound);
    assert_eq!(long.lag_p99.simulated, short.lag_p99.simulated);
    assert_eq!((long.key_lag_bound, short.key_lag_bound), (3611.1, 21.1));
}

#[test]
fn same_seed_gives_the_same_report_and_another_seed_another() {
    let json = |options: &str| serde_json::to_string(&report(options)).unwrap();
    let first = json("--seed 7 --sessions 9000");
    assert_eq!(first, json("--seed 7 --sessions 9000"));
    assert_ne!(first, json("--seed 8 --sessions 9000"));
}

#[test]
fn goal_yields_settings_or_the_reason_why_none_reach_it() {
    let recommended = |options: &str| report(options).recommendation.unwrap();
    let met = recommended("--pause 0 --sessions 20000 --max-lag 60s --max-refresh-rps 500");
    assert_eq!((met.access_expiry, met.refreshes), (Some(40), Some(500.0)));
    let unmet = recommended("--pause 0 --sessions 50000 --max-lag 60s --max-refresh-rps 500");
    assert_eq!(unmet.access_expiry, None);
    assert!(
        unmet.why[0].contains(
            "For 500 refreshes/s, the expiry must be 100 s or more (a lag of at most 2 min)"
        ),
        "{unmet:?}"
    );
    let load = recommended("--pause 0 --sessions 50000 --max-refresh-rps 500");
    assert_eq!(load.access_expiry, Some(100));
    assert!(
        recommended("--max-lag 20s").why[0].contains("twice the leeway alone is a lag of 20 s")
    );
    let key = recommended("--max-key-lag 72s");
    assert_eq!((key.access_expiry, key.jwks_ttl), (None, Some(60)));
    assert!(key.why[0].contains("10 instances make 0.196 fetches/s"), "{key:?}");
}

#[test]
fn no_setting_is_better_than_one_on_the_front() {
    let sweep = report("--sessions 1000 --jwks-max-age 0").sweep;
    assert_eq!(sweep.len(), 48);
    let front: Vec<_> = sweep.iter().filter(|point| point.on_front).collect();
    assert!(front.len() > 3, "{front:?}");
    for point in &front {
        let worst = point.lag_bound.max(point.key_lag_bound);
        for other in &sweep {
            let better = other.lag_bound.max(other.key_lag_bound) < worst
                && other.issuer_cores < point.issuer_cores;
            assert!(!better, "{other:?} beats {point:?}");
        }
    }
}

/// The model and the bound hold for an issuer and instances.
#[cfg(feature = "live")]
#[test]
fn model_holds_for_a_running_system() {
    for options in [
        "--access-expiry 60 --pause 0 --request-every 5s",
        "--access-expiry 60 --pause 0 --request-every 2s --habit lazy",
    ] {
        assert_holds(&format!("{options} --sessions 200"), 0.05);
    }
}

/// Bursts are random, so the mean of few sessions is less certain. The tolerance is 5 % plus
/// twice the error of that mean, which is taken as 1/√sessions. `cargo xtask soak` runs thousands
/// of sessions.
#[cfg(feature = "live")]
#[test]
fn model_holds_for_sessions_with_pauses() {
    let sessions = std::env::var("PORTCULLIS_SOAK_SESSIONS").map_or(150, |n| n.parse().unwrap());
    let options = format!(
        "--access-expiry 60 --burst 30s --pause 60s --request-every 5s --sessions {sessions} \
         --live-sessions {sessions}"
    );
    assert_holds(&options, 0.05 + 2.0 / f64::from(sessions).sqrt());
}

#[cfg(feature = "live")]
#[track_caller]
fn assert_holds(options: &str, tolerance: f64) {
    let options = format!("{options} --instances 3 --jwks-ttl 30 --live");
    let report = report(&options);
    let figures = &report.settings[0];
    let live = figures.live.as_ref().unwrap();
    for (what, measured, model) in [
        ("refreshes", live.refreshes, figures.refreshes.model),
        ("median", live.lag_median, figures.lag_median.model),
        ("p99", live.lag_p99, figures.lag_p99.model),
    ] {
        let off = measured / model - 1.0;
        println!("{what}: {measured:.1}, by the model {model:.1}: {:+.1} %", off * 100.0);
        assert!(off.abs() < tolerance, "{options}: {what}: {measured} instead of {model}");
    }
    let said = figures.live_lines(live);
    assert!(said.iter().skip(1).take(3).all(|(_, text)| text.ends_with(" chance)")), "{said:?}");
    assert!(live.lag_max < figures.lag_bound, "{options}: {live:?}");
    assert!(live.requests > 5_000, "{options}: {live:?}");
    assert_eq!(live.wrongly_refused, 0, "{options}: {live:?}");
}
