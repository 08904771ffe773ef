//! `Revocation::feed`: its row, its share of the routes, and the events that it misses.

use std::time::SystemTime;

use super::{arguments, refused, report};
use crate::document::prose;
use crate::tune::mechanisms::Mechanism;
use crate::tune::{html, memo, page};

const KEYCLOAK: &str = "--sessions 1000 --costs-of keycloak";

fn feed(options: &str) -> Option<Mechanism> {
    report(options).mechanisms.into_iter().find(|row| row.name.starts_with("the feed"))
}

#[test]
fn feed_bounds_the_lag_without_requests_and_is_locked_out_as_the_expiry() {
    let of = report(&format!("{KEYCLOAK} --outage 2h"));
    let (expiry, row) = (&of.mechanisms[0], feed(&format!("{KEYCLOAK} --outage 2h")).unwrap());
    assert_eq!((row.lag_bound, row.usual_lag, row.only_modelled), (10.0, 0.5, true));
    assert_eq!(
        (row.issuer_requests, row.issuer_cores),
        (expiry.issuer_requests, expiry.issuer_cores)
    );
    assert_eq!((row.locked_out, row.in_partition), (expiry.locked_out, expiry.in_partition));
    assert!(row.locked_out > 0.9 && row.in_partition > 0.0, "{row:?}");
    assert_eq!(feed(&format!("{KEYCLOAK} --feed-max-age 1m")).unwrap().lag_bound, 60.0);
    // The lag bound is at most that of the expiry.
    let short = "--sessions 1000 --access-expiry 5 --leeway 1 --feed-max-age 1m";
    assert_eq!(feed(short).unwrap().lag_bound, 7.0);
    let told = refused("--feed-max-age 2s");
    assert!(told.contains("--feed-max-age is 2 s; it must be from 3 s to"), "{told}");
}

#[test]
fn feed_is_in_the_report_only_if_the_issuer_sends_logout_tokens() {
    for offered in ["--sessions 1000", KEYCLOAK] {
        let of = report(offered);
        let text = of.feed_text().unwrap();
        for part in ["with 200", "one POST", "disabled", "the expiry is the bound"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for told in [of.to_string(), memo::memo(&of, SystemTime::UNIX_EPOCH), html::page(&of)] {
            assert!(told.contains("the feed of reported logouts, at most 10 s old *"), "{told}");
            assert!(told.contains(&text) || told.contains(&prose(&text)), "{told}");
        }
    }
    let lacks = format!("{KEYCLOAK} --lacks backchannel-logout");
    let of = report(&lacks);
    assert!(feed(&lacks).is_none() && of.feed_text().is_none());
    assert!(of.to_string().contains("left out: the feed: this issuer announces no"), "{of}");
    let told = refused(&format!("{lacks} --feed-share 10"));
    assert!(told.contains("--feed-share is 10 %, but the issuer"), "{told}");
}

#[test]
fn share_of_the_feed_is_a_kind_of_route_without_load() {
    let options = format!("{KEYCLOAK} --live-share 5 --feed-share 95");
    let of = report(&options);
    let asked = of.mechanisms.iter().find(|row| row.name.starts_with("introspection")).unwrap();
    let (expiry, mix) = (&of.mechanisms[0], of.mechanisms.last().unwrap());
    assert_eq!(mix.name, "your routes: 5 % introspection, 95 % the feed");
    assert_eq!(mix.lag_bound, 10.0);
    let live = 0.05 * (asked.issuer_requests - expiry.issuer_requests);
    assert!((mix.issuer_requests - expiry.issuer_requests - live).abs() < 1e-9, "{mix:?}");
    assert!((mix.locked_out - 0.95 * expiry.locked_out - 0.05).abs() < 1e-9, "{mix:?}");
    let told = of.to_string();
    let routes =
        "95 % of the requests require the feed: a lag of at most 10 s from the service's 200, ";
    assert!(told.contains(routes), "{told}");
    assert!(told.contains("requests with the feed"), "{told}");
    let json = serde_json::to_value(&of).unwrap();
    assert_eq!(
        (&json["guarantees"]["feed_share"], &json["guarantees"]["feed_max_age"]),
        (&0.95.into(), &10.0.into())
    );
    let told = refused("--live-share 50 --list-share 30 --feed-share 30");
    assert!(told.contains("--feed-share is above 100 percent"), "{told}");
    let offline = page::page(&of, &arguments(&options));
    assert!(offline.contains("\"feed\":95.0") && offline.contains("id=\"feed\""), "{offline}");
}

#[test]
fn remaining_risk_tiers_and_the_error_of_list_share_name_the_feed() {
    let told = memo::memo(&report(KEYCLOAK), SystemTime::UNIX_EPOCH);
    let remains = told.split("## What remains").nth(1).unwrap();
    assert!(remains.contains("require the feed of reported logouts"), "{remains}");
    assert!(told.contains("needs introspection, a status list or the feed"), "{told}");
    let told = refused(&format!("{KEYCLOAK} --list-share 20"));
    assert!(told.contains("Use --feed-share") && told.contains("--live-share"), "{told}");
    let none = "--lacks introspection --lacks backchannel-logout";
    let told = refused(&format!("{KEYCLOAK} {none} --list-share 20"));
    assert!(!told.contains("Use --") && told.contains("max_token_age"), "{told}");
}
