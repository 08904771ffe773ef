//! Text, memo, HTML and JSON contain the same facts.

use std::time::SystemTime;

use super::{Report, arguments, report};
use crate::document::{escape, prose};
use crate::tune::{html, memo};

/// The report as text, memo and HTML.
fn forms(report: &Report) -> [String; 3] {
    [report.to_string(), memo::memo(report, SystemTime::UNIX_EPOCH), html::page(report)]
}

/// Asserts that each form contains this text, either as plain text or as HTML.
#[track_caller]
fn assert_in_each(forms: &[String; 3], text: &str) {
    for form in forms {
        let [plain, code] = [escape(text), prose(text)];
        let found = [text, &plain, &code].iter().any(|text| form.contains(*text));
        assert!(found, "{text}:\n{form}");
    }
}

/// One session with a burst of requests every ten minutes.
const REQUESTS: &str = "a,0\na,5\na,10\na,600\na,605\na,1200\na,1210\n";

#[test]
fn warnings_routes_left_out_mechanisms_and_inputs_are_in_every_form() {
    let options = "--sessions 100000 --costs-of keycloak --issuer-cores 0.1 --live-share 5 \
                   --login-peak 900 --clock-skew 8s --max-lag 60s --simulate 60s";
    let report = report(options);
    let forms = forms(&report);
    assert!(report.warnings.len() > 2 && report.left_out.len() == 1, "{report}");
    let texts = report.warnings.iter().chain(&report.routes);
    let texts = texts.chain(&report.recommendation.as_ref().unwrap().why);
    let texts = texts.map(String::as_str).chain(report.left_out.iter().copied());
    for text in texts.chain(["CPU of a login at the issuer", "requests with introspection"]) {
        assert_in_each(&forms, text);
    }
    for (name, value) in report.affected.lines(&report.settings[0].scenario) {
        assert_in_each(&forms, name.trim());
        assert_in_each(&forms, &value);
    }
    for (name, value) in report.inputs() {
        assert_in_each(&forms, name);
        assert_in_each(&forms, &value);
    }
    for text in [report.agreement(), report.provenance(), report.costs.clone()] {
        assert_in_each(&forms, &text);
    }
    let json = serde_json::to_value(&report).unwrap();
    for name in [
        "version",
        "command",
        "warnings",
        "routes",
        "left_out",
        "guarantees",
        "seed",
        "tiers",
        "affected",
    ] {
        assert!(json.get(name).is_some_and(|value| !value.is_null()), "{name}");
    }
}

#[test]
fn recorded_requests_and_their_busiest_minute_are_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.csv");
    std::fs::write(&file, REQUESTS).unwrap();
    let options = format!("--activity {} --sessions 1000 --simulate 60s", file.display());
    let report = Report::new(&arguments(&options), String::new(), &mut |_| {}).unwrap();
    let forms = forms(&report);
    assert_in_each(&forms, "7 requests of 1 sessions in 20 min 10 s");
    assert_in_each(&forms, "cores in the busiest minute");
    let cores = report.mechanisms[0].busiest_cores.unwrap();
    assert_in_each(&forms, &crate::units::number(cores));
}

#[cfg(feature = "live")]
#[test]
fn measurements_of_a_live_run_are_in_every_form() {
    let options =
        "--access-expiry 60 --pause 0 --instances 1 --live --live-sessions 5 --simulate 60s";
    let report = report(options);
    let forms = forms(&report);
    let figures = &report.settings[0];
    for (name, value) in figures.live_lines(figures.live.as_ref().unwrap()) {
        assert_in_each(&forms, name.trim());
        assert_in_each(&forms, &value);
    }
}
