//! Goals that no setting reaches together, in every form of the report.

use std::time::SystemTime;

use super::{arguments, report};
use crate::document::prose;
use crate::tune::{html, memo, page};

const GOALS: &str = "--sessions 1000 --costs-of keycloak --max-lag 5m --survive 30m";

#[test]
fn conflict_has_the_expiry_of_each_goal_as_a_number_and_in_one_sentence() {
    let of = report(GOALS);
    let conflict = of.recommendation.as_ref().unwrap().conflict.unwrap();
    assert_eq!((conflict.max_lag_expiry, conflict.other_goal), (280, "--survive"));
    let alone = report("--sessions 1000 --costs-of keycloak --survive 30m").recommendation.unwrap();
    assert_eq!(Some(conflict.other_expiry), alone.access_expiry);
    let json = serde_json::to_value(&of).unwrap();
    assert_eq!(json["recommendation"]["conflict"]["max_lag_expiry"], 280);
    assert!(json["recommendation"]["conflict"]["other_expiry"].as_u64() > Some(3600));
    let sentence = conflict.text();
    let offline = page::page(&of, &arguments(GOALS));
    for text in [of.to_string(), memo::memo(&of, SystemTime::UNIX_EPOCH), html::page(&of), offline]
    {
        assert!(text.contains(&sentence) || text.contains(&prose(&sentence)), "{sentence}: {text}");
    }
    let rate = "--sessions 50000 --pause 0 --max-lag 60s --max-refresh-rps 500";
    let conflict = report(rate).recommendation.unwrap().conflict.unwrap();
    assert_eq!((conflict.max_lag_expiry, conflict.other_expiry), (40, 100));
    assert!(report("--max-lag 5m").recommendation.unwrap().conflict.is_none());
}

/// If two goals conflict, the recommendation's figures are those of the shorter expiry.
#[test]
fn options_to_add_in_a_conflict_have_the_expiry_of_max_lag_and_no_needless_max_stale() {
    let why = report(GOALS).recommendation.unwrap().why;
    let last = why.last().unwrap();
    let added = "For those of this recommendation with the expiry of --max-lag, add `--access-expiry 280 \
                 --outage 1800`";
    assert!(last.contains(added), "{last}");
}

#[test]
fn expiry_that_differs_from_that_of_the_issuer_says_where_to_change_it() {
    let changed = |options: &str| {
        let why = report(options).recommendation.unwrap().why;
        why.into_iter().find(|why| why.contains("at the issuer"))
    };
    let said = changed(GOALS).unwrap();
    assert_eq!(
        said,
        "The issuer's tokens last 5 min by default: set 4 min 40 s at the issuer, with \
         \"Access Token Lifespan\" in the realm's settings"
    );
    let given = changed(&format!("{GOALS} --access-expiry 1h")).unwrap();
    assert!(
        given.starts_with("The lifetime of tokens is a setting of the issuer: set 4 min"),
        "{given}"
    );
    assert_eq!(changed("--sessions 1000 --costs-of keycloak --max-lag 320s"), None);
    assert_eq!(changed("--sessions 1000 --max-lag 5m"), None);
}

#[test]
fn page_has_the_recommended_settings_at_its_top() {
    for (options, expected) in [
        (
            GOALS,
            "Recommendation, for the values of the command line: a max_stale of at least 30 min 8 s.",
        ),
        (
            "--sessions 1000 --max-lag 5m --max-key-lag 72s",
            "command line: an access expiry of 4 min 40 s, a JWKS TTL of 60 s.",
        ),
        ("--sessions 1000 --max-lag 20s", "command line: no setting reaches a goal; "),
    ] {
        let text = page::page(&report(options), &arguments(options));
        let at = text.find(expected).unwrap_or_else(|| panic!("{expected}: {text}"));
        assert!(at < text.find("<form").unwrap(), "{text}");
    }
    let survived = "--sessions 1000 --survive 30m";
    let text = page::page(&report(survived), &arguments(survived));
    assert!(text.contains(", a max_stale of at least 30 min 8 s."), "{text}");
}

#[test]
fn page_has_the_warnings_of_the_report_at_its_top() {
    let options = "--sessions 100000 --costs-of keycloak --login-peak 90000 --live-share 5";
    let of = report(options);
    let text = page::page(&of, &arguments(options));
    assert!(of.warnings.len() > 1, "{:?}", of.warnings);
    let controls = text.find("<form").unwrap();
    for warning in &of.warnings {
        assert!(text.find(&prose(warning)).unwrap() < controls, "{warning}");
    }
    let calm = page::page(&report("--sessions 1000"), &arguments("--sessions 1000"));
    assert!(!calm.contains("Warning, for") && !calm.contains("<!-- warnings"), "{calm}");
}
