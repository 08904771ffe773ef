//! `portcullis tune`, as it is run: its forms, and what it refuses.

mod support;

use support::run;

const FAST: [&str; 5] = ["tune", "--sessions", "2000", "--simulate", "10m"];

fn tune(options: &[&str]) -> support::Ended {
    run(&[&FAST[..], options].concat(), b"")
}

#[test]
fn two_expiries_are_compared_with_the_leeway_and_the_assumptions_said() {
    let told = tune(&["--access-expiry", "900", "--vs-access-expiry", "60"]).expect(0);
    for part in [
        "60 s instead of 900 s",
        "lag bound    70 s instead of 910 s, the leeway of 10 s included",
        "15.0 times as many for sessions that are always active",
        "times as many for these bursts",
        "The JWKS TTL bounds how long a withdrawn key is accepted. It does not shorten",
    ] {
        assert!(told.stdout.contains(part), "{part}\n{}", told.stdout);
    }
    assert!(told.stderr.contains(" s"), "{}", told.stderr);
}

#[test]
fn json_is_one_object_and_the_same_for_the_same_seed() {
    let told = tune(&["--json", "--max-lag", "60s"]).expect(0);
    let [object] = &told.json()[..] else { panic!("{}", told.stdout) };
    assert_eq!(object["settings"][0]["lag_bound"], 910.0);
    assert_eq!(object["recommendation"]["access_expiry"], 50);
    assert_eq!(told.stdout, tune(&["--json", "--max-lag", "60s"]).expect(0).stdout);
}

#[test]
fn real_activity_takes_the_place_of_the_assumed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.csv");
    // Fifty sessions, each with a burst of ten requests in every ten minutes.
    let mut text = "session,time\n".to_owned();
    for session in 0..50 {
        for request in 0..60 {
            let secs = session * 7 + request / 10 * 600 + request % 10 * 5;
            text += &format!("{session},{secs}\n");
        }
    }
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let told =
        run(&["tune", "--activity", file, "--access-expiry", "120", "--json"], b"").expect(0);
    let report = &told.json()[0];
    assert_eq!(report["recorded"]["sessions"], 50);
    assert_eq!(report["recorded"]["request_every"], 5.0);
    assert_eq!(report["recorded"]["burst"], 50.0);
    assert_eq!(report["recorded"]["pause"], 550.0);
    let figures = &report["settings"][0];
    assert_eq!(figures["scenario"]["sessions"], 50);
    // Each comes back five times, with a token that has expired.
    let replayed = figures["replayed"].as_f64().unwrap();
    let span = report["recorded"]["span"].as_f64().unwrap();
    assert!((replayed - 250.0 / span).abs() < 1e-9, "{replayed}");
    let told = run(&["tune", "--activity", file, "--burst", "5m"], b"").expect(2);
    assert!(told.stderr.contains("--burst"), "{}", told.stderr);
    let told = run(&["tune", "--activity", "/nowhere.csv"], b"").expect(2);
    assert!(told.stderr.contains("--activity: /nowhere.csv"), "{}", told.stderr);
}

#[test]
fn what_is_only_modelled_says_so() {
    let told = tune(&["--list-max-age", "30s"]).expect(0).stdout;
    for part in ["a status list, at most 30 s old, pushed *", "at each request *", "not simulated"]
    {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let rows = tune(&["--json"]).expect(0).json()[0]["mechanisms"].clone();
    assert_eq!((&rows[0]["lag_bound"], &rows[0]["only_modelled"]), (&910.0.into(), &false.into()));
    for row in [&rows[1], &rows[2]] {
        assert_eq!((&row["lag_bound"], &row["only_modelled"]), (&10.1.into(), &true.into()));
        // The outage is longer than the age that the route asks for.
        assert_eq!(row["locked_out"], 1.0);
    }
    assert_eq!((&rows[3]["lag_bound"], &rows[3]["locked_out"]), (&0.0.into(), &1.0.into()));
    // Pushed it is nearly as soon, and comes cheaper the longer the server may wait.
    assert!(rows[2]["usual_lag"].as_f64().unwrap() < 0.1);
    let rare = tune(&["--json", "--list-max-age", "60s"]).expect(0).json()[0]["mechanisms"].clone();
    let requests = |row: &serde_json::Value| row["issuer_requests"].as_f64().unwrap();
    assert!(requests(&rare[2]) < requests(&rows[2]));
    let told = run(&["tune", "--list-max-age", "2s"], b"").expect(2);
    assert!(
        told.stderr.contains("--list-max-age") && told.stderr.contains("from 3 to"),
        "{}",
        told.stderr
    );
}

#[test]
fn the_page_needs_nothing_else_and_the_memo_is_one_page() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tune.html");
    let told = tune(&["--memo", "--vs-access-expiry", "60", "--html", file.to_str().unwrap()]);
    let memo = told.expect(0).stdout;
    assert!(
        memo.contains("| a revoked session is accepted for at most | 910 s | 70 s |"),
        "{memo}"
    );
    assert!(memo.lines().count() < 70, "{memo}");
    let page = std::fs::read_to_string(file).unwrap();
    assert_eq!(page.matches("<svg").count(), 4);
    for elsewhere in ["http:", "https:", "src=", "href=", "@import", "url(", "NaN", "inf"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn what_can_not_be_is_refused_by_its_name() {
    for (options, name) in [
        (["--access-expiry", "0"], "--access-expiry"),
        (["--access-expiry", "2d"], "--access-expiry"),
        (["--jwks-ttl", "0"], "--jwks-ttl"),
        (["--outage", "5s"], "--outage"),
        (["--sessions", "0"], "--sessions"),
        (["--habit", "never"], "--habit"),
        (["--max-lag", "1y"], "--max-lag"),
    ] {
        let arguments = [&["tune"][..], &options].concat();
        let told = run(&arguments, b"").expect(2);
        assert!(told.stderr.contains(name), "{options:?}: {}", told.stderr);
    }
    run(&["tune", "--json", "--memo"], b"").expect(2);
}
