//! Each figure states whether it is computed, simulated or both, and the texts are consistent.

use std::time::SystemTime;

use super::report;
use crate::tune::figures::Figures;
use crate::tune::{html, memo};

const MARKS: [&str; 3] = ["(simulated", "(computed", "(recorded"];

fn memo_of(options: &str) -> String {
    memo::memo(&report(options), SystemTime::UNIX_EPOCH)
}

#[track_caller]
fn assert_marked(name: &str, value: &str) {
    assert!(MARKS.iter().any(|mark| value.contains(mark)), "{name}: {value}");
}

#[test]
fn every_row_of_text_and_memo_is_computed_or_simulated_or_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.csv");
    std::fs::write(&file, "a,0\na,5\na,10\na,600\na,605\na,1200\na,1210\n").unwrap();
    let recorded = format!("--activity {}", file.display());
    for options in ["--sessions 1000 --vs-access-expiry 60", "--costs-of keycloak", &recorded] {
        let options = format!("{options} --session-idle 10m --simulate 60s");
        let of = report(&options);
        for (name, value) in of.settings.iter().flat_map(Figures::lines) {
            assert_marked(&name, &value);
        }
        let told = memo::memo(&of, SystemTime::UNIX_EPOCH);
        let values = told.split("## Values\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let rows: Vec<_> = values.lines().skip(2).filter(|row| row.starts_with('|')).collect();
        assert!(rows.len() > 12, "{values}");
        for row in rows {
            for cell in row.trim_matches('|').split('|').skip(1) {
                assert_marked(row, cell);
            }
        }
        for text in [of.to_string(), told, html::page(&of)] {
            assert!(text.contains("So are the lag bound and the"), "{text}");
        }
    }
}

#[test]
fn share_without_a_lag_does_not_hold_for_an_attacker_in_every_form() {
    let of = report("--sessions 1000");
    for text in [of.to_string(), memo::memo(&of, SystemTime::UNIX_EPOCH), html::page(&of)] {
        for part in ["had expired (no attacker uses it)", "attacker who uses the session"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

/// `in_outage` does not prolong a token, so the lag bound of a session stays the same.
#[test]
fn outage_age_of_a_route_is_said_to_end_with_the_list_and_the_token() {
    let told = memo_of("--sessions 1000");
    assert!(!told.contains("grows to that time"), "{told}");
    for part in ["use the last list until its `exp` at most", "no expired token"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn remaining_risk_names_the_guarantees_that_the_issuer_offers() {
    for (options, offered) in [
        (
            "",
            "require a status list, at most 10 s old, or the feed of reported logouts, at most 10 s old and only for \
             what the issuer reports, or an introspection of each request",
        ),
        (
            "--lacks introspection --lacks backchannel-logout",
            "require a status list, at most 10 s old.",
        ),
        (
            "--costs-of keycloak --lacks backchannel-logout",
            "require an introspection of each request, ",
        ),
        (
            "--costs-of keycloak --lacks introspection --lacks backchannel-logout",
            "require a `max_token_age`",
        ),
    ] {
        let told = memo_of(&format!("--sessions 1000 {options}"));
        assert!(told.contains(offered), "{offered}: {told}");
    }
}

#[test]
fn recommendation_is_told_apart_from_the_given_settings() {
    let told = memo_of("--sessions 1000 --survive 30m");
    for part in [
        "These sentences are about the recommended settings. ",
        "accepted for at most 35 min 8 s while the issuer is unavailable, and with the given max_stale for at \
         most 1 h 5 min",
        "With this expiry, there are ",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

/// Tiers are not named after routes: a route for payments may require introspection instead of a tier.
#[test]
fn tiers_have_no_names_of_routes() {
    let of = report("--sessions 1000 --live-share 5");
    let text = of.to_string();
    assert!(!text.contains("payments") && text.contains("max_token_age(60 s)"), "{text}");
}
