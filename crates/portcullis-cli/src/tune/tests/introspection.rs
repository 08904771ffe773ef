//! Routes with introspection: reused responses, and partitions with `in_outage`.

use std::time::SystemTime;

use super::{refused, report};
use crate::document::prose;
use crate::tune::{html, memo};

#[test]
fn reused_responses_are_a_row_of_the_guarantees_and_lower_the_load_of_the_routes() {
    let options = "--sessions 3000 --instances 5 --fan-out 5 --live-share 50";
    let each = report(options);
    let reused = report(&format!("{options} --reuse-for 10s"));
    let row = reused.mechanisms.iter().find(|row| row.name.contains("reused for 10 s")).unwrap();
    assert!(row.only_modelled && (row.lag_bound, row.usual_lag) == (10.0, 10.0), "{row:?}");
    // Each of five instances sees each request. It introspects about every 20 s instead of every 10 s.
    let asked = each.mechanisms.iter().find(|row| row.name.contains("each request")).unwrap();
    let usual = each.mechanisms[0].issuer_requests;
    let share = (row.issuer_requests - usual) / (asked.issuer_requests - usual);
    assert!((0.5..0.52).contains(&share), "{share}");
    let [before, after] = [&each, &reused].map(|of| of.mechanisms.last().unwrap().issuer_cores);
    assert!(after < before, "{before}, {after}");
    let told = reused.to_string();
    for part in [
        "your routes: 50 % introspection reused for 10 s *",
        "introspection, a response reused for 10 s on all of --live-share *",
        "an introspection response is reused for",
        "50 % of the requests require introspection (each of the 5 services of a request introspects): a \
         lag of at most 10 s (--reuse-for)",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    for (options, told) in [
        ("--reuse-for 2h", "--reuse-for is 2 h; it must be from 100 ms to 1 h"),
        ("--reuse-for 10s --lacks introspection", "--reuse-for has no effect"),
    ] {
        let refused = refused(options);
        assert!(refused.contains(told), "{refused}");
    }
}

/// With many instances, few requests of a session reach the instance that introspected its token.
#[test]
fn reuse_saves_nothing_if_requests_are_spread_over_many_instances() {
    let options = "--sessions 30000 --instances 160 --fan-out 5 --live-share 5";
    let of = report(&format!("{options} --reuse-for 10s"));
    let asked = |name: &str| of.mechanisms.iter().find(|row| row.name.contains(name)).unwrap();
    let [each, reused] =
        ["introspection of each request", "introspection, a response reused"].map(asked);
    assert!(reused.issuer_cores > 0.95 * each.issuer_cores, "{reused:?}");
}

#[test]
fn partition_names_the_requests_that_get_503_with_in_outage_in_every_form() {
    let of =
        report("--sessions 1000 --live-share 5 --access-expiry 15m --instances 20 --fan-out 2");
    let shares: Vec<_> = of.in_partition.iter().map(|of| (of.after, of.rejected)).collect();
    assert!(shares.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{shares:?}");
    assert!(shares[0].1 < 1.0 && shares[2] == (1800.0, 1.0), "{shares:?}");
    let text = of.partition_text().unwrap();
    for part in ["in_outage(30 min)", "100 % after 30 min", "within 15 min, the expiry"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for told in [of.to_string(), memo::memo(&of, SystemTime::UNIX_EPOCH), html::page(&of)] {
        assert!(told.contains(&text) || told.contains(&prose(&text)), "{told}");
    }
    // Every token of 5 min is replaced within the first 5 min.
    let short = report("--sessions 1000 --access-expiry 5m").in_partition;
    assert!(short.iter().all(|of| of.rejected == 1.0), "{short:?}");
    let lists = report("--sessions 1000 --lacks introspection").partition_text().unwrap();
    assert!(lists.contains("until its `exp`") && !lists.contains("live()"), "{lists}");
    let keycloak = report("--sessions 1000 --costs-of keycloak").partition_text().unwrap();
    assert!(keycloak.contains("live()") && !keycloak.contains("`exp`"), "{keycloak}");
    let none = "--sessions 1000 --lacks introspection --lacks status-lists";
    assert!(report(none).partition_text().is_none());
}

#[test]
fn tiers_name_the_least_bound_of_an_age() {
    let told = report("--sessions 1000").to_string();
    let part = "No age gives a bound below twice the leeway: a shorter bound needs introspection, a status";
    assert!(told.contains(part), "{told}");
}
