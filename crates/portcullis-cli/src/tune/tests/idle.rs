//! Logins of sessions that the issuer ended while they were idle. There is no outage.

use std::time::SystemTime;

use super::report;
use crate::document::prose;
use crate::tune::{html, memo};

#[test]
fn idle_logins_of_closed_form_and_simulation_agree() {
    for options in [
        "--session-idle 30m --access-expiry 5m",
        "--session-idle 30m --access-expiry 5m --habit lazy",
        "--session-idle 10m --access-expiry 5m --refresh-early 60s --burst 1m --pause 10m",
        "--session-idle 6m --access-expiry 5m --habit lazy --pause 0 --request-every 60s",
        "--session-idle 7m --access-expiry 5m --habit lazy --burst 30s --request-every 40s",
        // The idle limit is shorter than a token's lifetime, so each new token needs a login.
        "--session-idle 5m --access-expiry 15m",
    ] {
        let of = report(&format!("--sessions 100000 {options}")).settings.remove(0);
        let logins = of.idle_logins.unwrap();
        assert!(logins.model > 0.0 && logins.model <= of.refreshes.model, "{options}: {logins:?}");
        let off = (logins.model - logins.simulated).abs();
        assert!(off <= 2.5 * logins.error, "{options}: {logins:?}");
        assert!(of.agreement.iter().all(|figure| figure.agrees), "{options}: {:?}", of.agreement);
    }
}

/// With short-lived tokens, each pause that is longer than the limit causes a login.
#[test]
fn idle_logins_of_short_tokens_are_the_long_pauses() {
    let options = "--sessions 18000 --access-expiry 1 --session-idle 30m";
    let of = report(options).settings.remove(0).idle_logins.unwrap();
    // A burst and a pause take 30 min, so 10 bursts begin per second. Pauses last 25 min on average.
    let expected = 10.0 * (-30.0_f64 / 25.0).exp();
    assert!((of.model / expected - 1.0).abs() < 0.01, "{of:?} for {expected}");
}

#[test]
fn idle_logins_are_in_the_cores_the_peak_and_every_form() {
    let options = "--sessions 20000 --costs-of keycloak --login-peak 900 --login-cost 75ms";
    let of = report(options);
    let figures = &of.settings[0];
    let (logins, costs) = (figures.idle_logins.unwrap().model, figures.scenario.costs);
    let refreshes = (figures.refreshes.model - logins) * costs.refresh;
    let fetches = figures.fetches.model * costs.fetch;
    let cores = refreshes + fetches + logins * 0.075;
    assert!(logins > 3.0 && (figures.issuer_cores - cores).abs() < 1e-9, "{figures:?}");
    let parts = of.login_peak.as_ref().unwrap().parts;
    // 19,100 of the 20,000 sessions do not belong to the peak.
    let others = 19_100.0 / 20_000.0;
    assert!((parts.idle_logins - others * logins * 0.075).abs() < 1e-9, "{parts:?}");
    let usual = others * refreshes + fetches;
    assert!((parts.refreshes_and_fetches - usual).abs() < 1e-9, "{parts:?}");
    let parts = [
        "of these, logins of sessions that ended while idle",
        "for the logins of sessions that ended while idle (--session-idle)",
    ];
    let parent = "refreshes/s at the issuer";
    for text in [of.to_string(), memo::memo(&of, SystemTime::UNIX_EPOCH), html::page(&of)] {
        for part in parts {
            assert!(text.contains(part) || text.contains(&prose(part)), "{part}: {text}");
        }
        // The line follows the one with the total that includes it.
        let rows: Vec<_> = text.lines().flat_map(|line| line.split("<tr")).collect();
        let at = rows.iter().position(|row| row.contains(parts[0])).unwrap();
        assert!(rows[..at].iter().rfind(|row| !row.is_empty()).unwrap().contains(parent), "{text}");
    }
    let never = report("--sessions 20000 --login-peak 900");
    assert!(never.settings[0].idle_logins.is_none());
    assert_eq!(never.login_peak.unwrap().parts.idle_logins, 0.0);
}
