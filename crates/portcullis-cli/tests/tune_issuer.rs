//! `portcullis tune --issuer`: the requests to the issuer, and the use of the responses.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

#[path = "support/issuer.rs"]
mod issuer;

use std::time::Duration;

use issuer::Issuer;
use serde_json::{Value, json};
use support::run;

#[test]
fn issuer_gets_the_stated_number_of_requests_and_its_answers_are_the_inputs() {
    let issuer = Issuer::start(|_| {});
    let told = issuer.tune(true, &["--issuer-requests", "3", "--json"]).expect(0);
    let report = &told.json()[0];
    let found = &report["issuer"];
    assert_eq!(found["requests"], issuer.asked.lock().unwrap().len());
    assert_eq!((issuer.asked("/token"), issuer.asked("/introspect")), (3, 3));
    // One fetch as a service does, and three to measure.
    assert_eq!(issuer.asked("/keys"), 4);
    assert!(found["requests"].as_u64() <= Some(3 * 3 + 4), "{found}");
    // The inputs are the issuer's token lifetime, cache headers and measured costs.
    let scenario = &report["settings"][0]["scenario"];
    assert_eq!(
        (&found["token_lifetime"], &scenario["access_expiry"]),
        (&300.0.into(), &300.0.into())
    );
    assert_eq!((&found["cache_control"], &found["max_age"]), (&"no-cache".into(), &Value::Null));
    assert_eq!(scenario["verifier"]["used_ttl"], 300.0);
    for (cost, measured) in [("refresh", "grant"), ("lookup", "introspection"), ("fetch", "fetch")]
    {
        let cost = scenario["costs"][cost].as_f64().unwrap();
        let measured = found[measured]["median"].as_f64().unwrap();
        // In whole microseconds.
        assert!((cost - measured).abs() < 0.51e-6, "{cost} for {measured}");
    }
    // The credentials are encoded as in RFC 6749 §2.3.1, and the output does not contain them.
    let client = "YmlsbGluZzpzM2NyZXQlMkZvZiUyMHRoZSUzQWNsaWVudA==";
    let asked = issuer.asked.lock().unwrap().clone();
    assert!(asked.iter().any(|(_, by)| *by == format!("Basic {client}")), "{asked:?}");
    assert!(!told.stdout.contains("s3cret") && !told.stderr.contains("s3cret"));
    // The issuer's tokens have no status list reference, so status lists are left out.
    let names: Vec<_> = report["mechanisms"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let text = issuer.tune(true, &["--issuer-requests", "1"]).expect(0).stdout;
    assert!(text.contains("left out: status lists"), "{text}");
    assert!(!text.contains("push of its status list"), "{text}");
    // The issuer's metadata announce logout tokens.
    assert!(
        text.contains("back-channel logout ") && !text.contains("but no access token"),
        "{text}"
    );
    assert!(text.contains("`Revocation::feed` reject the access tokens of a session"), "{text}");
    let told = issuer.tune(true, &["--issuer-requests", "1", "--list-share", "10"]).expect(2);
    for part in [
        "--list-share",
        "Use --feed-share, for logouts that the issuer reports, or --live-share for these routes",
        ".reuse_for(…)",
    ] {
        assert!(told.stderr.contains(part), "{part}: {}", told.stderr);
    }
    let own = issuer.tune(true, &["--access-expiry", "60", "--refresh-cost", "5000", "--json"]);
    let own = own.expect(0).json().remove(0);
    let scenario = own["settings"][0]["scenario"].clone();
    // A measurement that an option replaces is not printed as the source.
    let source = own["cost_sources"]["refresh"].as_str().unwrap();
    assert!(source.starts_with("--refresh-cost, instead of the measured "), "{source}");
    assert!(own["costs"].as_str().unwrap().contains("(not used: --refresh-cost is set)"), "{own}");
    assert_eq!(own["cost_sources"]["lookup"], "measured: median introspection");
    assert_eq!(
        (&scenario["access_expiry"], &scenario["costs"]["refresh"]),
        (&60.0.into(), &0.005.into())
    );
}

/// Discovery requests the second location while the first is slow. The command must use the
/// document of the first location.
#[test]
fn slow_metadata_is_read_at_the_location_that_discovery_used() {
    let issuer = Issuer::slow(Duration::from_millis(2500), |metadata| {
        metadata["issuer"] = format!("{}/tenant", metadata["issuer"].as_str().unwrap()).into();
    });
    let options = ["--issuer-requests", "1", "--issuer-timeout", "3s", "--json"];
    let told = issuer.tune(false, &options).expect(0);
    assert_eq!(issuer.asked("/.well-known/oauth-authorization-server/tenant"), 1);
    let found = &told.json()[0]["issuer"];
    assert_eq!(found["offers"]["introspection"], true);
    assert_eq!(found["requests"], issuer.asked.lock().unwrap().len());
}

#[test]
fn issuer_timeout_governs_discovery_and_its_error_names_the_option() {
    let issuer = Issuer::slow(Duration::from_millis(5500), |_| {});
    issuer.tune(false, &["--issuer-requests", "1"]).expect(0);
    let issuer = Issuer::slow(Duration::from_millis(5500), |_| {});
    let told = issuer.tune(false, &["--issuer-timeout", "300ms"]).expect(3).stderr;
    assert!(told.contains("within 300 ms; raise --issuer-timeout"), "{told}");
    assert!(!told.contains("PORTCULLIS_FETCH_TIMEOUT_SECS"), "{told}");
    let told = issuer.tune(false, &["--issuer-timeout", "61s"]).expect(2).stderr;
    assert!(told.contains("--issuer-timeout is 61 s; it must be from 100 ms to 60 s"), "{told}");
}

/// A colleague without access to the issuer gets the same figures.
#[test]
fn repeat_command_gives_the_same_figures_without_the_issuer() {
    let issuer = Issuer::start(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let [html, page] = ["tune.html", "page.html"].map(|name| folder.path().join(name));
    let page = format!("--page={}", page.display());
    let options = ["--issuer-requests", "3", "--issuer-timeout=9s", "--json", "--html"];
    let options = [&options[..], &[html.to_str().unwrap(), &page]].concat();
    let report = issuer.tune(true, &options).expect(0).json().remove(0);
    let repeat = report["repeat"].as_str().unwrap();
    assert!(repeat.contains("--lacks status-lists"), "{repeat}");
    // The files of the first run are not overwritten.
    for secret in ["client", "issuer", "billing", &issuer.url, ".html", "--json"] {
        assert!(!repeat.contains(secret), "{repeat}");
    }
    // A reader can append an option for the form of output.
    let words: Vec<_> = repeat.split(' ').skip(1).chain(["--json"]).collect();
    let again = run(&words, b"").expect(0).json().remove(0);
    for part in ["settings", "mechanisms", "left_out", "sweep", "tiers"] {
        assert_eq!(again[part], report[part], "{part}");
    }
    let memo = issuer.tune(true, &["--issuer-requests", "1", "--memo"]).expect(0).stdout;
    assert!(memo.contains("Command to repeat it without the issuer: `"), "{memo}");
    assert!(!memo.split("without the issuer: `").nth(1).unwrap().contains("--memo"), "{memo}");
    assert_eq!(again["issuer"], Value::Null);
}

/// The default of --costs-of announces logout tokens, so the repeat command must state that this
/// issuer does not send them.
#[test]
fn issuer_without_logout_tokens_has_no_feed_also_in_the_repeat_run() {
    let issuer = Issuer::start(|metadata| {
        metadata.as_object_mut().unwrap().remove("backchannel_logout_supported");
    });
    let options = ["--issuer-requests", "1", "--json"];
    let report = issuer.tune(true, &options).expect(0).json().remove(0);
    assert!(
        report["left_out"].to_string().contains("the feed: this issuer announces no"),
        "{report}"
    );
    let repeat = report["repeat"].as_str().unwrap();
    assert!(repeat.contains("--lacks backchannel-logout"), "{repeat}");
    let text = issuer.tune(true, &options[..2]).expect(0).stdout;
    assert!(text.contains("not announced in its metadata"), "{text}");
}

/// The algorithm is the `alg` of the issuer's tokens, or RS256 if the path of its metadata is that of
/// a Keycloak.
#[test]
fn validation_cost_follows_the_algorithm_of_the_issuer() {
    let verify = |issuer: &Issuer, with_client: bool| {
        let options = ["--issuer-requests", "1", "--json"];
        let report = issuer.tune(with_client, &options).expect(0).json().remove(0);
        let cost = report["settings"][0]["scenario"]["costs"]["verify"].as_f64().unwrap();
        ((cost * 1e7).round(), report["cost_sources"]["verify"].as_str().unwrap().to_owned())
    };
    let issuer = Issuer::start(|_| {});
    let (cost, source) = verify(&issuer, true);
    assert_eq!((cost, &*source), (736.0, "assumed: ES256; the issuer signs with ES256"));
    let (cost, source) = verify(&issuer, false);
    assert_eq!(cost, 736.0);
    assert!(source.contains("ES256, of --costs-of companion; RS256 takes 21.8 µs"), "{source}");
    let (cost, source) = verify(&Issuer::keycloak(), false);
    assert_eq!(cost, 218.0);
    assert!(source.contains("RS256, the default of Keycloak"), "{source}");
}

#[test]
fn noisy_measurement_is_marked_and_its_warning_names_the_option() {
    let issuer = Issuer::unsteady();
    let told = issuer.tune(true, &["--issuer-requests", "8"]).expect(0).stdout;
    let warning = told.lines().find(|line| {
        line.starts_with("WARNING: NOISY: the quartiles of a client-credentials grant")
    });
    let warning = warning.unwrap();
    for part in ["set --refresh-cost", "an issuer that was just started", "JVM", "a busy machine"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    let options = ["--issuer-requests", "8", "--refresh-cost", "5ms"];
    let told = issuer.tune(true, &options).expect(0).stdout;
    assert!(!told.contains("NOISY: the quartiles of a client-credentials grant"), "{told}");
}

#[test]
fn missing_introspection_is_left_out_and_unknown_costs_are_reported() {
    let issuer = Issuer::start(|metadata| {
        metadata.as_object_mut().unwrap().remove("introspection_endpoint");
    });
    let text = issuer.tune(false, &[]).expect(0).stdout;
    assert!(text.contains("left out: introspection: this issuer"), "{text}");
    assert!(!text.contains("introspection of each request *"), "{text}");
    assert!(text.contains("unknown: give a client"), "{text}");
    assert!(text.contains("push of its status list"), "{text}");
    assert_eq!(issuer.asked("/token"), 0);
}

/// Keycloak answers `"active": false` to a client that is not in the token's `aud`.
#[test]
fn client_that_may_not_introspect_is_reported_and_the_rest_is_measured() {
    let issuer = Issuer::start(|metadata| {
        let url = metadata["issuer"].as_str().unwrap().to_owned();
        metadata["introspection_endpoint"] = format!("{url}/never").into();
    });
    let text = issuer.tune(true, &["--issuer-requests", "2"]).expect(0).stdout;
    assert!(text.contains("not allowed to introspect (Keycloak"), "{text}");
    assert!(text.contains("a client-credentials grant "), "{text}");
    assert_eq!(issuer.asked("/never"), 1);
}

#[test]
fn secret_is_not_sent_over_plain_http_and_errors_name_the_endpoint() {
    let issuer = Issuer::start(|metadata| {
        metadata["token_endpoint"] = "http://auth.example/token".into();
    });
    let told = issuer.tune(true, &[]).expect(2);
    assert!(told.stderr.contains("is sent only over https"), "{}", told.stderr);
    let issuer = Issuer::start(|metadata| {
        let url = metadata["issuer"].as_str().unwrap().to_owned();
        metadata["token_endpoint"] = format!("{url}/elsewhere").into();
    });
    let told = issuer.tune(true, &[]).expect(3);
    assert!(
        told.stderr.contains("/elsewhere: 401 Unauthorized, invalid_client"),
        "{}",
        told.stderr
    );
    let told = run(&["tune", "--issuer", "http://127.0.0.1:9"], b"").expect(3);
    assert!(told.stderr.contains("--issuer"), "{}", told.stderr);
    run(&["tune", "--client-id", "a", "--client-secret-file", "/nowhere"], b"").expect(2);
}

#[test]
fn cost_of_a_validation_is_read_from_a_bench_report() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bench.json");
    let case = |name: &str, nanos: f64| json!({"name": name, "nanos": {"median": nanos}});
    let report = json!({
        "machine": {"cpu": "a machine"},
        "validations": [{"algorithm": "RS256", "cases": [case("cold", 21_000.0), case("warm", 210.0)]}],
    });
    std::fs::write(&file, report.to_string()).unwrap();
    let told =
        run(&["tune", "--sessions", "1000", "--json", "--bench", file.to_str().unwrap()], b"");
    let report = &told.expect(0).json()[0];
    let costs = &report["settings"][0]["scenario"]["costs"];
    assert!((costs["verify"].as_f64().unwrap() - 21e-6).abs() < 1e-12, "{costs}");
    assert!((costs["hit"].as_f64().unwrap() - 0.21e-6).abs() < 1e-12, "{costs}");
    assert!(report["costs"].as_str().unwrap().contains("RS256 on a machine"), "{report}");
    std::fs::write(&file, "{}").unwrap();
    let told = run(&["tune", "--bench", file.to_str().unwrap()], b"").expect(2);
    assert!(told.stderr.contains("not a report of `bench --json`"), "{}", told.stderr);
}
