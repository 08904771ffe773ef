//! `tollgate tune`, as it is run: its forms, and what it refuses.

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
