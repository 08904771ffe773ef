//! How the report describes its figures, in every form.

use std::time::SystemTime;

use super::{arguments, report};
use crate::tune::{html, memo, page};

fn forms(options: &str) -> [String; 3] {
    let of = report(options);
    [of.to_string(), memo::memo(&of, SystemTime::UNIX_EPOCH), html::page(&of)]
}

/// Queues become long before all cores are busy.
#[test]
fn cores_at_the_peak_are_named_at_full_and_at_70_percent_utilisation() {
    let of = report("--login-peak 9000 --costs-of keycloak");
    let peak = of.login_peak.as_ref().unwrap();
    assert!((peak.cores_at_70_percent - peak.cores / 0.7).abs() < 1e-12, "{peak:?}");
    for told in forms("--login-peak 9000 --costs-of keycloak") {
        assert!(told.contains("cores then at 100 % utilisation, and "), "{told}");
        assert!(told.contains(" at 70 %:"), "{told}");
    }
}

#[test]
fn measured_login_is_said_to_be_a_password_grant_in_every_form() {
    for told in forms("--sessions 1000 --costs-of keycloak") {
        assert!(told.contains("authorization code"), "{told}");
        assert!(told.contains("the same password hash"), "{told}");
    }
}

#[test]
fn reuse_is_named_at_its_row_and_at_the_lag_of_the_routes() {
    for told in forms("--sessions 1000 --live-share 5 --reuse-for 10s") {
        assert!(told.contains("a response reused for 10 s on all of "), "{told}");
        assert!(told.contains("a lag of at most 10 s ("), "{told}");
    }
}

/// The first fetch after the outage may be late, and the oldest keys are close to the end of their TTL.
#[test]
fn max_stale_of_an_outage_goal_is_a_sum_whose_parts_are_named() {
    let why = report("--sessions 1000 --survive 30m").recommendation.unwrap().why.remove(0);
    let sum = "The oldest keys have 30 s of their TTL left when the outage begins, since an \
               instance renews its keys at least that long before their TTL ends: \
               30 min − 30 s + 38 s for the first fetch after the outage";
    assert!(why.contains(sum), "{why}");
    let why = report("--sessions 1000 --survive 30m --refresh-ahead 0")
        .recommendation
        .unwrap()
        .why
        .remove(0);
    assert!(
        why.contains("have nothing of their TTL left") && why.contains(": 30 min + 38 s for"),
        "{why}"
    );
}

/// The load of the routes continues while the waiting sessions are served.
#[test]
fn recovery_has_the_load_of_the_routes_or_is_never() {
    let options = "--sessions 20000 --costs-of keycloak --fan-out 2";
    let calm = report(options).affected;
    let busy = report(&format!("{options} --live-share 5")).affected;
    assert!(busy.recovery.unwrap() > calm.recovery.unwrap(), "{busy:?}");
    let served = "time to serve the sessions that request a token after the outage, in addition to your routes";
    for told in forms(&format!("{options} --live-share 5")) {
        assert!(told.contains(served), "{told}");
    }
    assert!(!report(options).to_string().contains(served));
    let never = report(&format!("{options} --live-share 80"));
    assert_eq!(never.affected.recovery, None);
    assert!(
        never.to_string().contains("never: refreshes, fetches and your routes need"),
        "{never}"
    );
    let text = page::page(&never, &arguments(options));
    assert!(text.contains("'never: refreshes, fetches and your routes need all cores'"));
}

/// Headings break only between words.
#[test]
fn headings_of_tables_do_not_break_inside_words() {
    let html = html::page(&report("--sessions 1000"));
    let style = html.split("\nth {").nth(1).unwrap().split('}').next().unwrap();
    assert!(style.contains("overflow-wrap: normal; hyphens: none;"), "{style}");
}
