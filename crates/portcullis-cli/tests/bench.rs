//! Tests `portcullis bench`. The times are meaningless here. The tests check which figures the report
//! contains, and the values of those figures that do not depend on the machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};
use support::{Issuer, command, run};

const FAST: [&str; 9] =
    ["bench", "--rounds", "2", "--threads", "2", "--distinct", "8", "--rotation-secs", "0"];

fn bench(options: &[&str], input: &str) -> support::Ended {
    run(&[&FAST[..], options].concat(), input.as_bytes())
}

#[test]
fn help_and_guide_name_the_version_of_jsonwebtoken() {
    const WORKSPACE: &str = include_str!("../../../Cargo.toml");
    let (_, rest) = WORKSPACE.split_once("\njsonwebtoken = { version = \"").unwrap();
    let version = format!("jsonwebtoken {} ", rest.split('.').next().unwrap());
    let help = run(&["bench", "--help"], b"").expect(0).stdout;
    for text in [&help, include_str!("../../portcullis/src/guide/measure_it.md")] {
        assert!(text.contains(&format!("`decode` of {version}")), "{version}: {text}");
    }
}

#[test]
fn every_case_is_measured_in_one_run_and_written_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (html, csv, a) = (path("bench.html"), path("bench.csv"), path("a.json"));
    let options = ["--alg", "ES256", "--alg", "EdDSA", "--json", "--html", &html, "--csv", &csv];
    // `FAST[..7]` omits `--rotation-secs 0`, so that the rotation is measured.
    let options = [&options[..], &["--rotation-secs", "1", "--rotation-rps", "500"]].concat();
    let mut arguments = FAST[..7].to_vec();
    arguments.extend(options);
    let told = run(&arguments, b"").expect(0);
    let [report] = &told.json()[..] else { panic!("{}", told.stdout) };
    for (number, algorithm) in ["ES256", "EdDSA"].into_iter().enumerate() {
        let validation = &report["validations"][number];
        assert_eq!(validation["algorithm"], algorithm);
        let cases = validation["cases"].as_array().unwrap();
        let case = |name: &str| cases.iter().find(|case| case["name"] == name).unwrap();
        assert_eq!(cases.len(), 5);
        assert_eq!(case("bare signature check")["to_bare"]["median"], 1.0);
        assert_eq!(case("jsonwebtoken")["to_jsonwebtoken"]["median"], 1.0);
        // Counts are exact on any machine.
        assert_eq!(case("bare signature check")["allocations"], 0.0);
        assert_eq!(case("warm")["allocations"], 0.0);
        let of = |name: &str| case(name)["allocations"].as_f64().unwrap();
        assert!(0.0 < of("cold") && of("cold") < of("jsonwebtoken"), "{validation}");
        assert!(of("cold") < of("new tokens, cache on"), "{validation}");
        for case in cases {
            let single = &case["single"];
            let of = |name: &str| single[name].as_u64().unwrap();
            assert!(of("p50") <= of("p90") && of("p90") <= of("p99"), "{single}");
            assert!(of("p99") <= of("p999") && of("p999") <= of("max"), "{single}");
            assert!(of("count") > 1, "{single}");
        }
        let cold = case("cold")["nanos"]["median"].as_f64().unwrap();
        let cores = report["cores"][number]["cold"].as_f64().unwrap();
        assert!((cores / (cold * 20_000.0 / 1e9) - 1.0).abs() < 1e-9, "{cores}");
    }
    assert_eq!(report["threads"].as_array().unwrap().len(), 4);
    let distinct = report["distinct"].as_array().unwrap();
    assert_eq!(
        distinct.iter().map(|at| at["tokens"].as_u64().unwrap()).collect::<Vec<_>>(),
        [1, 4, 8]
    );
    let rotation = &report["rotation"];
    assert_eq!((&rotation["refused"], &rotation["fetches"]), (&json!(0), &json!(1)), "{rotation}");
    assert_eq!(rotation["before"]["count"], 250);
    assert_eq!(rotation["through"]["count"], 250);
    // Requests wait for the fetch, which takes 20 ms.
    assert!(rotation["through"]["max"].as_u64() > Some(15_000_000), "{rotation}");

    let page = std::fs::read_to_string(&html).unwrap();
    assert_eq!(page.matches("<figure class=\"plot\"").count(), 4);
    assert_eq!(page.matches("<div class=\"bars\"").count(), 1);
    for elsewhere in ["http:", "https:", "src=", "href=", "@import", "url(", "NaN", "inf"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    let csv = std::fs::read_to_string(csv).unwrap();
    assert!(csv.lines().all(|line| line.split(',').count() >= 4), "{csv}");
    assert!(csv.contains("validation ES256,\"cold\",to_bare,"), "{csv}");

    let command = report["command"].as_str().unwrap();
    assert!(command.starts_with("portcullis bench --rounds 2 --threads 2 "), "{command}");
    // The page wraps option names in `.option` spans, so that no line breaks inside a name.
    let plain = page.replace("<span class=\"option\">", "").replace("</span>", "");
    assert!(plain.contains("Generated by portcullis ") && plain.contains(command), "{page}");

    std::fs::write(&a, &told.stdout).unwrap();
    let again = run(&["bench", "--from", &a, "--json", "--html", &html], b"").expect(0);
    assert_same(&again.json()[0], report);
    assert_eq!(std::fs::read_to_string(&html).unwrap(), page);
    let same = run(&["bench", "--compare", &a, &a, "--json"], b"").expect(0).json().remove(0);
    assert_eq!(same["rows"].as_array().unwrap().len(), 10);
    assert!(same["rows"].as_array().unwrap().iter().all(|row| row["b_to_a"] == 1.0));
    let text = run(&["bench", "--compare", &a, &a], b"").expect(0).stdout;
    assert!(text.contains("B/A"), "{text}");
}

/// Asserts that the values are equal, except for the last digit of a float, which serde_json does
/// not preserve.
fn assert_same(one: &Value, other: &Value) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            assert!(one.keys().eq(other.keys()), "{one:?} {other:?}");
            one.values().zip(other.values()).for_each(|(one, other)| assert_same(one, other));
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len());
            one.iter().zip(other).for_each(|(one, other)| assert_same(one, other));
        }
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            assert!((one - other).abs() <= one.abs() * 1e-12, "{one} {other}");
        }
        _ => assert_eq!(one, other),
    }
}

#[test]
fn given_token_is_measured_with_its_key_even_if_expired() {
    let issuer = Issuer::new();
    let keys = issuer.keys();
    let token = issuer.token(json!({}));
    let told = bench(&["--jwks", &keys, "--json", "-"], &token).expect(0);
    let report = &told.json()[0];
    assert_eq!((&report["expired"], &report["generated"]), (&json!(true), &json!(false)));
    let cases = report["validations"][0]["cases"].as_array().unwrap();
    let names: Vec<_> = cases.iter().map(|case| case["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bare signature check", "cold", "warm", "jsonwebtoken"]);
    assert!(!told.stdout.contains(&token) && !told.stderr.contains(&token));
    // A token is a credential, so the report omits it even if it was an argument.
    let folder = tempfile::tempdir().unwrap();
    let html = folder.path().join("bench.html");
    let options = ["--jwks", &keys, "--html", html.to_str().unwrap(), &token];
    let told = bench(&options, "").expect(0);
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(
        told.stdout.contains("bench.html TOKEN`") && page.contains("bench.html TOKEN<"),
        "{page}"
    );
    assert!(!told.stdout.contains(&token) && !page.contains(&token));
    let text = bench(&["--jwks", &keys, "-"], &token).expect(0).stdout;
    assert!(text.contains("is validated as of the time when it was issued"), "{text}");
}

#[test]
fn rejected_token_is_not_measured() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let (keys, foreign) = (issuer.keys(), other.keys());
    let token = issuer.token(json!({}));
    for (options, input, code, named) in [
        (&["--jwks", &foreign, "-"][..], &token[..], 1, "no key of the set verifies the token"),
        (&["--jwks", &keys, "--audience", "other", "-"], &token, 1, "the rule aud"),
        (&["--jwks", &keys, "--issuer", "https://x.example", "-"], &token, 1, "the rule iss"),
        (&["--jwks", "/nowhere/keys.json", "-"], &token, 3, "/nowhere/keys.json"),
        (&["--jwks", &keys, "-"], "opaque", 2, "not a signed JWT"),
        (&["--jwks", &keys, "-"], "", 2, "no token on standard input"),
        (&["--alg", "HS256"], "", 2, "HS256"),
        (&["--jwks", &keys], "", 2, "TOKEN"),
        (&["--compare", &keys, &keys], "", 2, "not a report of `bench --json`"),
        (&["--with-layer", "http://127.0.0.1:9/", "-"], &token, 2, "--without-layer"),
    ] {
        let ended = bench(options, input).expect(code);
        assert!(ended.stderr.contains(named), "{named}: {}", ended.stderr);
    }
    // No file is left behind.
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (html, csv) = (path("bench.html"), path("bench.csv"));
    bench(&["--jwks", &foreign, "--html", &html, "--csv", &csv, "-"], &token).expect(1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Answers every request with this status, over persistent connections.
fn serve(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut request = [0; 4096];
                while connection.read(&mut request).is_ok_and(|length| length > 0) {
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    connection.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    url
}

#[test]
fn both_urls_are_measured_over_http_and_a_rejection_is_an_error() {
    let issuer = Issuer::new();
    let (keys, token) = (issuer.keys(), issuer.token(json!({})));
    let (good, bad) = (serve("200 OK"), serve("401 Unauthorized"));
    let compare = |with: &str| {
        let options = ["--jwks", &keys, "--with-layer", with, "--without-layer", &good];
        bench(&[&options[..], &["--http-requests", "100", "--json", "-"]].concat(), &token)
    };
    let report: Value = compare(&good).expect(0).json().remove(0);
    assert_eq!(report["http"]["with"]["count"], 100);
    assert_eq!(report["http"]["without"]["count"], 100);
    let ended = compare(&bad).expect(2);
    assert!(ended.stderr.contains("answered 401"), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn ctrl_c_reports_what_was_measured_and_no_zeros() {
    let arguments = ["bench", "--rounds", "10000", "--alg", "ES256", "--json"];
    let mut child = command(&arguments).spawn().unwrap();
    drop(child.stdin.take());
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(told.next().unwrap().unwrap().contains("measuring"));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = support::Ended::from(child.wait_with_output().unwrap()).expect(130);
    assert!(told.next().unwrap().unwrap().contains("stopping"));
    let report = &ended.json()[0];
    assert_eq!(report["interrupted"], true);
    let validations = report["validations"].as_array().unwrap();
    assert_eq!(validations.len(), 1);
    // Parts that were not measured are missing, and no figure is zero.
    assert!(validations[0]["rounds"].as_u64() > Some(0), "{report}");
    assert_eq!((&report["threads"], &report["distinct"]), (&json!([]), &json!([])), "{report}");
    for case in validations[0]["cases"].as_array().unwrap() {
        assert!(case["nanos"]["median"].as_f64() > Some(0.0), "{case}");
        assert!(case["single"]["count"].as_u64() > Some(0), "{case}");
    }
}
