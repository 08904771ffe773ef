//! Inputs of a decision other than the figures: outages to survive, shares of routes, peaks.

use std::time::{Duration, SystemTime};

use super::report;
use crate::tune::memo::memo;
use crate::tune::scenario::Scenario;

/// The recommended expiry is the shortest that reaches the goal, in the simulation as well.
#[test]
fn outage_goal_yields_max_stale_and_expiry_with_their_costs() {
    for (outage, survivors) in [(1800, 90), (600, 95), (300, 50)] {
        let goal = format!("--sessions 20000 --survive {outage} --survivors {survivors}");
        let found = report(&goal).recommendation.unwrap();
        let (expiry, stale) = (found.access_expiry.unwrap(), found.max_stale.unwrap());
        let with = |expiry: u64, stale: u64| {
            let options = format!(
                "--sessions 20000 --access-expiry {expiry} --max-stale {stale} --outage {outage}"
            );
            report(&options).settings.remove(0)
        };
        let lost = 1.0 - f64::from(survivors) / 100.0;
        let kept = with(expiry, stale);
        assert!(kept.locked_out.model <= lost, "{goal}: {expiry} s: {:?}", kept.locked_out);
        let off = (kept.locked_out.simulated - lost).abs();
        assert!(off < 2.5 * kept.locked_out.error, "{goal}: {:?}", kept.locked_out);
        assert_eq!((kept.keys_ended.model, kept.keys_ended.simulated), (0.0, 0.0), "{goal}");
        assert!(with(expiry - 1, stale).locked_out.model > lost, "{goal}");
        // The margin is 38 s: up to 33 s until the next attempt, and a fetch of up to 5 s.
        assert_eq!(with(expiry, stale - 38).keys_ended.model, 0.0, "{goal}");
        assert!(with(expiry, stale - 39).keys_ended.model > 0.0, "{goal}");
        let why = found.why.join("\n");
        for part in [
            "refreshes/s",
            "a lag of at most",
            "an attacker with a stolen signing key",
            "Alternatively, clients that refresh",
            "In a partition",
        ] {
            assert!(why.contains(part), "{part}: {why}");
        }
    }
    // Without the issuer for 23 h, no expiry locks out fewer than one session in a million.
    let found = report("--survive 23h --survivors 99.9999").recommendation.unwrap();
    assert!(found.why[1].contains("No expiry up to 24 h"), "{found:?}");
    // The share that the text names can be reached.
    assert!(found.unmet && found.why[1].contains("The longest keeps "), "{found:?}");
    let kept = found.why[1].split("The longest keeps ").nth(1).unwrap();
    let kept = kept.split(' ').next().unwrap().parse::<f64>().unwrap();
    let less = report(&format!("--survive 23h --survivors {}", kept - 0.1)).recommendation.unwrap();
    assert!(!less.unmet && less.access_expiry.is_some(), "{less:?}");
}

#[test]
fn restart_in_an_outage_loses_the_keys_unless_they_are_kept() {
    let ended = |options: &str| report(&format!("--outage 30m {options}")).settings[0].keys_ended;
    assert_eq!(ended("").model, 0.0);
    let lost = ended("--restarted 20 --sessions 40000");
    assert!((lost.model - 0.2).abs() < 1e-9 && (lost.simulated - 0.2).abs() < 0.02, "{lost:?}");
    assert_eq!(ended("--restarted 20 --kept-keys").simulated, 0.0);
    // One of five services without keys is enough to reject a request.
    let of_five = ended("--restarted 20 --fan-out 5 --sessions 40000");
    assert!((of_five.model - (1.0 - 0.8_f64.powi(5))).abs() < 1e-9, "{of_five:?}");
    assert!((of_five.simulated - of_five.model).abs() < 0.03, "{of_five:?}");
}

/// A request is accepted only if both its token and an instance's keys are valid.
#[test]
fn outage_goal_counts_restarted_instances_without_keys() {
    let found = |options: &str| {
        report(&format!("--sessions 1000 --survive 30m --restarted 10 {options}"))
            .recommendation
            .unwrap()
    };
    let unmet = found("");
    let why = unmet.why.join("\n");
    assert!(unmet.unmet && unmet.access_expiry.is_none(), "{why}");
    for part in ["restarted instances have no keys", "only restarted instances lock sessions out"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let kept = found("--kept-keys --survivors 80").access_expiry.unwrap();
    let lost = found("--survivors 80");
    assert!(lost.access_expiry.unwrap() > kept, "{lost:?}");
    let options = format!(
        "--sessions 1000 --outage 30m --restarted 10 --access-expiry {}",
        lost.access_expiry.unwrap()
    );
    let locked_out = report(&options).settings[0].locked_out.model;
    assert!((0.199..=0.2).contains(&locked_out), "{locked_out}");
}

#[test]
fn early_refresh_raises_the_refresh_rate() {
    let rate = |options: &str| {
        report(&format!("--access-expiry 60 --pause 0 {options}")).settings[0].refreshes
    };
    let (late, early) = (rate(""), rate("--refresh-early 30s"));
    assert!((early.model / late.model - 2.0).abs() < 1e-9, "{early:?}");
    assert!((early.simulated / late.simulated - 2.0).abs() < 0.02, "{early:?}");
}

#[test]
fn routes_are_weighted_by_their_shares() {
    let rows = report("--live-share 5 --list-share 20").mechanisms;
    // The companion issuer pushes its lists.
    let [expiry, _, list, asked, _, mix] = &rows[..] else { panic!("{rows:?}") };
    let live = 0.05 * (asked.issuer_requests - expiry.issuer_requests);
    assert!((mix.issuer_requests - list.issuer_requests - live).abs() < 1e-9, "{mix:?}");
    let locked = 0.75 * expiry.locked_out + 0.2 * list.locked_out + 0.05 * asked.locked_out;
    assert!((mix.locked_out - locked).abs() < 1e-9, "{mix:?}");
    // The mix has the lag bound of the routes that rely on the expiry, which is the longest.
    assert_eq!(mix.lag_bound, expiry.lag_bound);
    assert_eq!(report("--live-share 100").mechanisms[5].lag_bound, 0.0);
    // Each kind of route has a bound of its own.
    let told = report("--sessions 1000 --live-share 5 --list-share 20").to_string();
    for part in [
        "your routes: 5 % introspection, 20 % a status list, pushed",
        "75 % of the requests rely on the expiry: a lag of at most 15 min 20 s, ",
        "20 % of the requests require a status list: a lag of at most 10.1 s, 100 % locked out",
        "5 % of the requests require introspection: no lag, 100 % locked out",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(report("--sessions 1000").routes.is_none());
    let live = report("--sessions 1000 --live-share 5").mechanisms.pop().unwrap();
    assert_eq!(live.name, "your routes: 5 % introspection");
}

/// A token that is due but still accepted belongs to an inactive session.
#[test]
fn session_that_returns_in_an_outage_uses_its_remaining_token() {
    let options = "--sessions 400000 --refresh-early 450s --burst 2m --pause 5m --outage 5m";
    let ended = report(options).settings[0].tokens_ended;
    assert!(ended.error < 0.005, "{ended:?}");
    assert!((ended.model - ended.simulated).abs() < 2.5 * ended.error, "{ended:?}");
}

#[test]
fn status_lists_expire_instance_by_instance() {
    let locked = |outage: f64| {
        let options = format!("--list-max-age 60 --access-expiry 24h --outage {outage}");
        report(&options).mechanisms[1].locked_out
    };
    let expiry = |outage: f64| {
        Scenario { access_expiry: 86_400.0, ..Scenario::for_test() }.locked_out(outage)
    };
    assert!((locked(30.0) - expiry(30.0)).abs() < 1e-3);
    assert!((0.45..0.55).contains(&locked(45.75)), "{}", locked(45.75));
    assert_eq!(locked(60.0), 1.0);
}

#[test]
fn login_peak_is_followed_by_a_peak_of_refreshes() {
    let options = "--login-peak 9000 --login-within 15m --login-cost 50000 --access-expiry 5m";
    let peak = report(options).login_peak.unwrap();
    assert_eq!(peak.logins, 10.0);
    assert!((0.5..0.6).contains(&peak.cores), "{peak:?}");
    let always = report(&format!("{options} --pause 0")).login_peak.unwrap();
    assert_eq!((always.refreshes_again, always.active), (30.0, 10_000.0));
    assert!(peak.refreshes_again < 20.0 && peak.refreshes_again > 5.0, "{peak:?}");
    // A token that outlives the peak becomes due only once, after the peak.
    let long = report("--login-peak 9000 --login-within 15m --access-expiry 1h --pause 0");
    assert_eq!(long.login_peak.unwrap().refreshes_again, 10.0);
}

/// A `max_token_age` that exceeds the expiry has no effect.
#[test]
fn tiers_of_the_memo_are_shorter_than_the_access_expiry() {
    for (expiry, ages) in
        [(30, &[][..]), (60, &[]), (300, &[60]), (900, &[60, 300]), (3600, &[60, 300, 900])]
    {
        let text = memo(
            &report(&format!("--sessions 1000 --access-expiry {expiry}")),
            SystemTime::UNIX_EPOCH,
        );
        for age in [60, 300, 900, 3600] {
            let named = text.contains(&format!("| max_token_age({age} s) |"));
            assert_eq!(named, ages.contains(&age), "{expiry}, {age}: {text}");
        }
        let rest = text.lines().find(|line| line.starts_with("| none: the expiry |")).unwrap();
        let bound = crate::units::duration(f64::from(expiry) + 20.0);
        assert!(rest.contains(&format!("| {bound} |")), "{rest}");
    }
}

#[test]
fn load_above_the_cores_of_the_issuer_is_marked_and_warned_of() {
    let options = "--sessions 100000 --costs-of keycloak --issuer-cores 2 --login-peak 90000";
    let over = report(options);
    let text = over.to_string();
    for part in
        ["overload: introspection of each request: needs ", "overload: the login peak: needs "]
    {
        assert!(over.warnings.iter().any(|warning| warning.contains(part)), "{:?}", over.warnings);
        assert!(text.contains(&format!("WARNING: {part}")), "{text}");
    }
    let row = text.lines().find(|line| line.contains("introspection of each request *")).unwrap();
    assert!(row.contains(" !"), "{row}");
    assert!(memo(&over, SystemTime::UNIX_EPOCH).contains("**Warning**: overload: "));
    let settings =
        report("--sessions 100000 --access-expiry 60 --refresh-cost 3ms --issuer-cores 0.5");
    assert!(settings.warnings[0].starts_with("overload: an expiry of 60 s: "), "{settings}");
    assert_eq!(report("--sessions 1000").warnings, Vec::<String>::new());
}

#[test]
fn bound_that_clock_skew_breaks_is_marked() {
    let off = report("--sessions 1000 --access-expiry 300 --clock-skew 5m");
    assert!(off.warnings[0].contains("48.7 % of the instances"), "{:?}", off.warnings);
    let bound = "5 min 20 s, and longer at 48.7 % of the instances";
    assert!(off.to_string().contains(bound), "{off}");
    assert!(
        memo(&off, SystemTime::UNIX_EPOCH).contains(&format!("| {bound}  (computed) |")),
        "{off}"
    );
    let agree = report("--sessions 1000 --access-expiry 300 --clock-skew 0");
    assert_eq!(agree.settings[0].session_bound(), "5 min 20 s");
}

#[test]
fn login_costs_a_refresh_and_a_hash_by_default_and_is_in_the_inputs() {
    for (options, cost) in [("", "50.1 ms"), ("--login-cost 20ms", "20 ms")] {
        let of = report(&format!("--sessions 1000 --login-peak 900 {options}"));
        let told = memo(&of, SystemTime::UNIX_EPOCH);
        assert!(told.contains(&format!("| CPU of a login at the issuer | {cost} (")), "{told}");
        assert!(told.contains("| login peak | 900 within 15 min |"), "{told}");
    }
}

#[test]
fn memo_has_a_date_both_models_the_partition_and_the_recovery() {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let told = memo(&report("--sessions 1000 --vs-access-expiry 60 --survive 30m"), at);
    for part in [
        "Date: 21 Sep 2026",
        "  (simulated ",
        "| because an instance's keys expired (partition) | 0 % ",
        "| sessions that request a token after the outage | ",
        "| time that 2 issuer cores need for these, in addition to refreshes and fetches | ",
        "In a partition, clients reach the issuer",
        "| CPU of a refresh at the issuer | 100 µs (",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let text = report("--sessions 1000").to_string();
    assert!(text.contains("\nInputs:\n") && text.contains("CPU of an introspection"), "{text}");
}

/// Keycloak ends a session after 30 min without a new token.
#[test]
fn session_idle_for_too_long_logs_in_after_an_outage() {
    for options in [
        "--session-idle 30m --outage 20m",
        "--session-idle 30m --outage 20m --habit lazy",
        "--session-idle 2h --outage 30m --pause 1h",
        "--session-idle 10m --outage 5m --access-expiry 5m --refresh-early 30s",
        "--session-idle 5m --outage 1m --access-expiry 15m",
    ] {
        let of = report(&format!("--sessions 100000 {options}")).settings.remove(0);
        let logins = of.logging_in_after_outage.unwrap();
        assert!(logins.model > 0.0 && logins.model <= of.waiting_after_outage.model, "{options}");
        let off = (logins.model - logins.simulated).abs();
        assert!(off <= 2.5 * logins.error, "{options}: {logins:?}");
        assert_eq!(of.agreement.len(), crate::tune::agreement::FIGURES + 2);
        assert!(of.agreement.iter().all(|figure| figure.agrees), "{options}: {:?}", of.agreement);
    }
    let of = |options: &str| {
        report(&format!("--sessions 20000 --outage 30m {options}")).settings.remove(0)
    };
    let never = of("");
    assert!(never.logging_in_after_outage.is_none());
    // A login costs more than a refresh.
    let all = of("--session-idle 30m --login-cost 50ms");
    assert_eq!(all.logging_in_after_outage.unwrap().model, all.waiting_after_outage.model);
    let refreshes = never.recovery.unwrap() * (2.0 - never.issuer_cores);
    assert!((refreshes - never.waiting_after_outage.model * 0.1e-3).abs() < 1e-9, "{never:?}");
    // Logins have one of the two cores.
    let logins = all.recovery.unwrap() * (1.0 - all.idle_logins.unwrap().model * 0.05);
    assert!((logins - all.waiting_after_outage.model * 0.05).abs() < 1e-6, "{all:?}");
    assert!(all.recovery_by_logins && !never.recovery_by_logins);
    let keycloak = report("--sessions 1000 --costs-of keycloak --outage 30m").to_string();
    assert!(keycloak.contains("of these, logins after a long idle time"), "{keycloak}");
    assert!(keycloak.contains("the issuer ends a session after an idle time of"), "{keycloak}");
}

/// The report's figures are those of the given settings, not of the recommended ones.
#[test]
fn recommendation_names_the_settings_of_the_figures() {
    let said = report("--sessions 1000 --survive 30m").recommendation.unwrap();
    let last = said.why.last().unwrap();
    let expiry = said.access_expiry.unwrap();
    for part in [
        "(expiry 15 min, TTL 5 min, max_stale 1 h, outage 5 min)",
        &format!("add `--access-expiry {expiry} --outage 1800`"),
    ] {
        assert!(last.contains(part), "{part}: {last}");
    }
    // The given max_stale was long enough in the runs above, and is too short here.
    let short = report("--sessions 1000 --survive 30m --max-stale 60").recommendation.unwrap();
    assert!(short.why.last().unwrap().contains(" --max-stale 1808 "), "{short:?}");
    let same = report("--sessions 1000 --access-expiry 40 --max-lag 60").recommendation.unwrap();
    assert_eq!((same.access_expiry, same.why.len()), (Some(40), 1));
}
