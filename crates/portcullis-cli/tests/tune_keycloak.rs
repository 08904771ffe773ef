//! `portcullis tune --issuer` at a Keycloak, and with a user who logs in.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

#[path = "support/issuer.rs"]
mod issuer;

use issuer::{Issuer, PASSWORD};
use serde_json::Value;
use support::run;

/// Keycloak ends a session after 30 min without a new token, regardless of --costs-of.
#[test]
fn idle_time_of_a_keycloak_is_applied_with_its_source_and_repeated() {
    let options = ["--issuer-requests", "1", "--json"];
    let report = Issuer::keycloak().tune(true, &options).expect(0).json().remove(0);
    assert_eq!(report["settings"][0]["scenario"]["session_idle"], 1800.0);
    assert_eq!(report["cost_sources"]["session_idle"], "assumed: Keycloak's default");
    let repeat = report["repeat"].as_str().unwrap();
    assert!(repeat.contains("--session-idle 1800 ") && repeat.contains("--login-cost"), "{repeat}");
    let words: Vec<_> = repeat.split(' ').skip(1).chain(["--json"]).collect();
    let again = run(&words, b"").expect(0).json().remove(0);
    assert_eq!(again["settings"], report["settings"]);
    let own = Issuer::keycloak().tune(true, &[&options[..], &["--session-idle", "2h"]].concat());
    let own = own.expect(0).json().remove(0);
    assert_eq!(own["settings"][0]["scenario"]["session_idle"], 7200.0);
    assert_eq!(own["repeat"].as_str().unwrap().matches("--session-idle").count(), 1);
    let goal = ["--issuer-requests", "1", "--max-lag", "2m"];
    let text = Issuer::keycloak().tune(true, &goal).expect(0).stdout;
    let lifespan =
        "The issuer's tokens last 5 min: set 100 s at the issuer, with \"Access Token Lifespan\"";
    assert!(text.contains(lifespan), "{text}");
    let text = Issuer::keycloak().tune(false, &["--issuer-requests", "1"]).expect(0).stdout;
    assert!(text.contains("30 min (assumed: Keycloak's default)"), "{text}");
    let other = Issuer::start(|_| {}).tune(true, &options).expect(0).json().remove(0);
    assert!(!other["repeat"].as_str().unwrap().contains("--costs-of"), "{other}");
    assert_eq!(other["settings"][0]["scenario"]["session_idle"], Value::Null);
}

/// What is not measured at a Keycloak is Keycloak's, also without the issuer.
#[test]
fn repeat_of_a_keycloak_run_names_keycloak_and_not_the_companion_issuer() {
    for with_client in [true, false] {
        let options = ["--issuer-requests", "1", "--login-peak", "100", "--json"];
        let report = Issuer::keycloak().tune(with_client, &options).expect(0).json().remove(0);
        let repeat = report["repeat"].as_str().unwrap();
        assert!(repeat.contains("--costs-of keycloak "), "{repeat}");
        let words: Vec<_> = repeat.split(' ').skip(1).collect();
        let text = run(&words, b"").expect(0).stdout;
        assert!(text.contains("sets them: Keycloak 26 on two shared cores"), "{text}");
        assert!(!text.contains("ompanion"), "{text}");
        let again = run(&[&words[..], &["--json"]].concat(), b"").expect(0).json().remove(0);
        for part in ["settings", "mechanisms", "sizing", "affected", "tiers", "left_out"] {
            assert_eq!(again[part], report[part], "{part}: {repeat}");
        }
        assert_eq!(again["login_peak"]["cores"], report["login_peak"]["cores"], "{repeat}");
    }
    // The option takes precedence.
    let own = ["--issuer-requests", "1", "--costs-of", "companion", "--json"];
    let report = Issuer::keycloak().tune(false, &own).expect(0).json().remove(0);
    let repeat = report["repeat"].as_str().unwrap();
    assert_eq!(repeat.matches("--costs-of").count(), 1, "{repeat}");
    assert_eq!(report["cost_sources"]["refresh"], "assumed: --costs-of companion");
}

/// At Keycloak, a client-credentials grant costs half of a refresh.
#[test]
fn grant_that_stands_for_a_refresh_is_warned_of_at_a_keycloak() {
    let options = ["--issuer-requests", "1"];
    let text = Issuer::keycloak().tune(true, &options).expect(0).stdout;
    let warning = text.lines().find(|line| line.contains("stands for a refresh, and at Keycloak"));
    let warning = warning.unwrap();
    for part in ["WARNING: ", "--username", "--password-file", "--refresh-cost"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    let source = "which stands for a refresh; at Keycloak, a refresh costs about twice as much)";
    assert!(text.contains(source), "{text}");
    for silent in [
        Issuer::keycloak().tune_as_user(&options).expect(0).stdout,
        Issuer::keycloak()
            .tune(true, &["--issuer-requests", "1", "--refresh-cost", "8ms"])
            .expect(0)
            .stdout,
        Issuer::start(|_| {}).tune(true, &options).expect(0).stdout,
    ] {
        assert!(!silent.contains("and at Keycloak a refresh"), "{silent}");
    }
}

#[test]
fn user_measures_logins_and_real_refreshes_and_its_password_is_in_no_output() {
    let issuer = Issuer::keycloak();
    let told = issuer.tune_as_user(&["--issuer-requests", "3", "--login-peak", "900", "--json"]);
    let told = told.expect(0);
    let report = told.json().remove(0);
    let forms = issuer.forms.lock().unwrap().clone();
    let of = |kind: &str| forms.iter().filter(|form| form.starts_with(kind)).count();
    assert_eq!((of("grant_type=password&"), of("grant_type=refresh_token&")), (3, 3), "{forms:?}");
    assert_eq!((forms.len(), issuer.asked("/introspect")), (6, 3));
    assert_eq!(report["issuer"]["requests"], issuer.asked.lock().unwrap().len());
    let cost = |name: &str| report["settings"][0]["scenario"]["costs"][name].as_f64().unwrap();
    for (name, measured, source) in [
        ("refresh", "refresh", "measured: median refresh"),
        ("login", "password", "measured: median password grant"),
    ] {
        let median = report["issuer"][measured]["median"].as_f64().unwrap();
        assert!((cost(name) - median).abs() < 0.51e-6, "{name}: {report}");
        assert_eq!(report["cost_sources"][name], source);
    }
    assert_eq!(report["issuer"]["token_lifetime"], 300.0);
    let repeat = report["repeat"].as_str().unwrap();
    assert!(repeat.contains("--login-cost") && !repeat.contains("tester"), "{repeat}");
    // Only the assumed cost of a validation is not in whole microseconds.
    let measured = repeat.replace("--verify-cost 73.6", "");
    assert!(!measured.contains("password") && !measured.contains('.'), "{repeat}");
    for secret in [PASSWORD, "pass%20word", "s3cret", "\"r1\"", "refresh_token="] {
        assert!(!told.stdout.contains(secret) && !told.stderr.contains(secret), "{secret}");
    }
    let words: Vec<_> = repeat.split(' ').skip(1).chain(["--json"]).collect();
    assert_eq!(run(&words, b"").expect(0).json()[0]["settings"], report["settings"]);
}

#[test]
fn client_without_refresh_tokens_and_incomplete_user_are_rejected_with_the_remedy() {
    let issuer = Issuer::start(|metadata| {
        metadata["token_endpoint"] =
            format!("{}/no-refresh", metadata["issuer"].as_str().unwrap()).into();
    });
    let told = issuer.tune_as_user(&["--issuer-requests", "1"]).expect(2);
    for part in ["returned no `refresh_token`", "offline_access"] {
        assert!(told.stderr.contains(part), "{}", told.stderr);
    }
    let told = issuer.tune(true, &["--username", "tester"]).expect(2);
    assert!(told.stderr.contains("--password-file"), "{}", told.stderr);
}

/// Every other grant takes 30 ms longer, so the median is above 20 ms and the measurement is NOISY.
#[test]
fn cost_beyond_twice_the_range_of_keycloak_is_warned_of_and_overload_names_the_noise() {
    let slow = |metadata: &mut Value| {
        let url = metadata["issuer"].as_str().unwrap().to_owned();
        metadata["issuer"] = format!("{url}/realms/shop").into();
        metadata["token_endpoint"] = format!("{url}/unsteady").into();
    };
    let options = ["--issuer-requests", "8", "--issuer-cores", "0.0001"];
    let text = Issuer::start(slow).tune(true, &options).expect(0).stdout;
    let busy = "WARNING: measured on a busy machine, or over a slow network? The median of a client-credentials grant is";
    assert!(
        text.contains(busy) && text.contains("more than twice 10 ms, the highest CPU time"),
        "{text}"
    );
    let overload =
        text.lines().find(|line| line.starts_with("WARNING: overload: an expiry")).unwrap();
    assert!(overload.contains("; it may depend on the NOISY costs of "), "{overload}");
    assert!(overload.contains("a client-credentials grant"), "{overload}");
    let own = [&options[..], &["--refresh-cost", "5ms"]].concat();
    let text = Issuer::start(slow).tune(true, &own).expect(0).stdout;
    assert!(!text.contains("The median of a client-credentials grant"), "{text}");
}
