//! `portcullis jws` end to end: one line of output for every line of input.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an answer that cannot be read has failed the test"
)]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};

use portcullis::Algorithm;
use portcullis_testing::TestKey;
use serde_json::{Value, json};
use support::{command, run};

/// Returns the answer to one line.
fn answer(line: &Value) -> Value {
    raw_answer(&line.to_string())
}

fn raw_answer(line: &str) -> Value {
    let ended = run(&["jws"], line.as_bytes()).expect(0);
    assert_eq!((ended.stdout.lines().count(), ended.stderr.as_str()), (1, ""), "{line}");
    let answer = ended.json().remove(0);
    let names: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(names, ["error", "id", "stage", "valid"]);
    answer
}

#[track_caller]
fn assert_stage(line: &Value, stage: &str) {
    let answer = answer(line);
    assert_eq!(answer["stage"], stage, "{line}: {answer}");
    assert_eq!((&answer["valid"], &answer["id"]), (&json!(false), &line["id"]));
    assert!(answer["error"].as_str().is_some_and(|error| !error.is_empty()), "{answer}");
}

#[test]
fn valid_signature_of_each_algorithm_verifies_and_a_forged_one_does_not() {
    for &algorithm in Algorithm::ALL {
        let key = TestKey::generate("k", algorithm);
        let header = json!({"alg": algorithm.as_str(), "kid": "k"}).to_string();
        let jws = key.sign(&header, "not even JSON");
        let forged = jws.replace(".bm90", ".bm91");
        assert_ne!(jws, forged);
        let line = |jws: &str| json!({"id": algorithm.as_str(), "jwk": key.jwk(), "jws": jws});
        assert_eq!(
            answer(&line(&jws)),
            json!({"id": algorithm.as_str(), "valid": true, "error": null, "stage": null})
        );
        assert_stage(&line(&forged), "signature");
    }
}

#[test]
fn each_failure_is_reported_with_its_stage() {
    let (key, other) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("o", Algorithm::Es256));
    let jws = |header: &str| key.sign(header, "{}");
    let good = jws(r#"{"alg":"ES256","kid":"k"}"#);
    let line = |jws: &str| json!({"id": [1, null], "jwk": key.jwk(), "jws": jws});
    let with = |name: &str, value: Value| {
        let mut line = line(&good);
        line[name] = value;
        line
    };
    assert_eq!(answer(&line(&good))["valid"], true);
    for (line, stage) in [
        (with("jws", json!(1)), "input"),
        (with("jwk", json!("k")), "input"),
        (with("algs", json!("ES256")), "input"),
        (with("algs", json!(["HS256"])), "input"),
        (with("alg", json!(["ES256"])), "input"),
        (with("jwks", json!({"keys": []})), "input"),
        (with("jwk", json!({"kty": "oct", "k": "c2VjcmV0"})), "key"),
        (with("jwk", json!({})), "key"),
        (json!({"id": 1, "jwks": {"keys": 1}, "jws": good}), "key"),
        (with("jws", json!("a.b")), "form"),
        (with("jws", json!("")), "form"),
        (with("jws", json!(format!("{good}="))), "form"),
        (line(&jws("[]")), "header"),
        (line(&jws(r#"{"alg":"ES256","crit":["x"]}"#)), "header"),
        (line(&jws(r#"{"alg":"ES256","alg":"ES256"}"#)), "header"),
        (line(&jws(r#"{"alg":"none"}"#)), "algorithm"),
        (with("algs", json!(["RS256"])), "algorithm"),
        (with("algs", json!([])), "algorithm"),
        (with("jwk", other.jwk()), "select"),
        (json!({"id": 1, "jwks": {"keys": []}, "jws": good}), "select"),
        (line(&jws(r#"{"alg":"ES256","kid":"k"}"#).replace(".e30.", ".e31.")), "signature"),
    ] {
        assert_stage(&line, stage);
    }
}

#[test]
fn key_of_a_set_is_selected_by_kid_and_alg() {
    let keys = [("a", Algorithm::Es256), ("b", Algorithm::Es256), ("c", Algorithm::Ed25519)]
        .map(|(id, algorithm)| TestKey::generate(id, algorithm));
    let line = |jws: String| json!({"id": 1, "jwks": TestKey::jwks(&keys), "jws": jws});
    let [_, b, c] = &keys;
    assert_eq!(answer(&line(b.sign(r#"{"alg":"ES256","kid":"b"}"#, "")))["valid"], true);
    assert_eq!(answer(&line(c.sign(r#"{"alg":"EdDSA"}"#, "")))["valid"], true);
    // Without `kid` each key of the algorithm is tried, up to 4.
    assert_eq!(answer(&line(b.sign(r#"{"alg":"ES256"}"#, "")))["valid"], true);
    assert_stage(&line(b.sign(r#"{"alg":"ES256","kid":"a"}"#, "")), "signature");
    let many = ["a", "b", "c", "d", "e"].map(|id| TestKey::generate(id, Algorithm::Es256));
    let jws = many[0].sign(r#"{"alg":"ES256"}"#, "");
    assert_stage(&json!({"id": 1, "jwks": TestKey::jwks(&many), "jws": jws}), "select");
}

#[test]
fn rsa_key_without_alg_verifies_each_allowed_algorithm() {
    for algorithm in [Algorithm::Ps384, Algorithm::Rs512, Algorithm::Rs256] {
        let key = TestKey::generate("k", algorithm);
        let mut jwk = key.jwk();
        jwk.as_object_mut().unwrap().remove("alg");
        let alg = algorithm.as_str();
        let jws = key.sign(&json!({"alg": alg, "kid": "k"}).to_string(), "{}");
        for (algs, stage) in [
            (json!([alg]), None),
            (json!(["ES256", alg, "RS384"]), None),
            (json!(["RS384", alg]), None),
            (json!(["RS384"]), Some("algorithm")),
        ] {
            for keys in [("jwk", jwk.clone()), ("jwks", json!({"keys": [jwk]}))] {
                let line = json!({"id": 1, keys.0: keys.1, "jws": jws, "algs": algs});
                assert_eq!(answer(&line)["stage"].as_str(), stage, "{line}");
            }
        }
        assert_eq!(answer(&json!({"id": 1, "jwk": jwk, "jws": jws}))["valid"], true);
        // A key with `alg` is used only for that algorithm.
        jwk["alg"] = json!("RS384");
        assert_stage(&json!({"id": 1, "jwk": jwk, "jws": jws}), "select");
    }
}

/// RFC 7520 §4: the examples in compact form, with the keys of §3 as published.
#[test]
fn examples_of_the_jose_cookbook_verify() {
    const RSA: &str = r#"{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}"#;
    const EC: &str = r#"{"kty":"EC","kid":"bilbo.baggins@hobbiton.example","use":"sig","crv":"P-521","x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt","y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}"#;
    const OCT: &str = r#"{"kty":"oct","kid":"018c0ae5-4d9b-471b-bfd6-eef314bc7037","use":"sig","alg":"HS256","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}"#;
    const PAYLOAD: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";
    for (example, key, [header, signature], stage) in [
        (
            "4.1",
            RSA,
            [
                "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
                "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
            ],
            None,
        ),
        (
            "4.2",
            RSA,
            [
                "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
                "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
            ],
            None,
        ),
        (
            "4.3",
            EC,
            [
                "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
                "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2",
            ],
            None,
        ),
        (
            "4.4",
            OCT,
            [
                "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9",
                "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
            ],
            Some("key"),
        ),
    ] {
        let jwk: Value = serde_json::from_str(key).unwrap();
        let line =
            json!({"id": example, "jwk": jwk, "jws": format!("{header}.{PAYLOAD}.{signature}")});
        let answer = answer(&line);
        assert_eq!(answer["stage"].as_str(), stage, "{answer}");
        assert_eq!(answer["valid"], stage.is_none(), "{example}");
    }
}

#[test]
fn bad_line_is_answered_with_its_number_and_does_not_end_the_run() {
    let key = TestKey::generate("k", Algorithm::Ed25519);
    let jws = key.sign(r#"{"alg":"EdDSA"}"#, "{}");
    let good = json!({"id": "good", "jwk": key.jwk(), "jws": jws}).to_string();
    let twice = good.replace(r#""id":"good""#, r#""id":"good","id":"bad""#);
    let private = key.jwk().to_string().replacen('{', r#"{"kty":"OKP","#, 1);
    let lines: Vec<(Vec<u8>, Value, &str)> = vec![
        (b"not JSON".into(), json!(1), "not JSON"),
        (b"[]".into(), json!(3), "not a JSON object"),
        (b"\"s3cret\"".into(), json!(4), "not a JSON object"),
        (b"{}".into(), json!(5), "`id` is missing"),
        (b"{\"id\":7}".into(), json!(7), "`jwk` or `jwks` is missing"),
        (br#"{"id":8,"jwk":{}}"#.into(), json!(8), "`jws` is missing"),
        (twice.into(), json!(8), "`id` is repeated"),
        (good.replacen('{', r#"{"jws":"x","#, 1).into(), json!("good"), "`jws` is repeated"),
        (good.replacen('{', r#"{"\u006aws":"x","#, 1).into(), json!("good"), "`jws` is repeated"),
        (format!("{good}{good}").into(), json!(11), "not JSON"),
        (good[..good.len() - 1].into(), json!(12), "not JSON"),
        (b"{\"id\":\"\xff\"}".into(), json!(13), "not UTF-8"),
        (format!("{{\"id\":14,\"jws\":\"{}\"}}", "x".repeat(1 << 20)).into(), json!(14), "longer"),
        ([&b"{\"id\":"[..], &vec![b'['; 1 << 19]].concat(), json!(15), "not JSON"),
        (
            format!(r#"{{"id":"twice","jwk":{private},"jws":"{jws}"}}"#).into(),
            json!("twice"),
            "duplicated",
        ),
        (good.into(), json!("good"), ""),
    ];
    let mut input = Vec::new();
    for (at, (line, ..)) in lines.iter().enumerate() {
        input.extend_from_slice(line);
        input.extend_from_slice(if at == 0 { b"\n \r\n" } else { b"\n" });
    }
    let ended = run(&["jws"], &input).expect(0);
    let answers = ended.json();
    assert_eq!(answers.len(), lines.len());
    for (answer, (_, id, error)) in answers.iter().zip(&lines) {
        assert_eq!(answer["id"], *id, "{answer}");
        assert_eq!(answer["valid"].as_bool(), Some(error.is_empty()), "{answer}");
        assert!(answer["error"].as_str().unwrap_or_default().contains(error), "{answer} {error}");
    }
    assert!(!ended.stdout.contains("s3cret") && ended.stderr.is_empty());
}

#[test]
fn id_is_returned_unchanged() {
    for id in
        ["1e400", "123456789012345678901234567890", r#"{"a":1,"a":[1.0,2]}"#, "null", r#""é""#]
    {
        let ended = run(&["jws"], format!(r#"{{"id":{id}}}"#).as_bytes()).expect(0);
        assert!(ended.stdout.starts_with(&format!(r#"{{"id":{id},"valid":false,"#)), "{id}");
    }
    // A carriage return in an id does not split the output line.
    let ended = run(&["jws"], b"{\"id\":[1,\r2]}").expect(0);
    assert!(ended.stdout.starts_with(r#"{"id":[1, 2],"#) && ended.stdout.lines().count() == 1);
}

#[test]
fn example_in_the_help_gives_its_output() {
    let help = run(&["jws", "--help"], b"").expect(0).stdout;
    let (_, example) = help.split_once("$ portcullis jws <<'END'\n").unwrap();
    let (input, rest) = example.split_once("  END\n").unwrap();
    let output: Vec<_> = rest.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let ended = run(&["jws"], input.as_bytes()).expect(0);
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), output);
    assert_eq!(ended.json()[0]["valid"], true);
}

#[test]
fn ten_thousand_lines_are_answered_one_by_one_in_constant_memory() {
    let key = TestKey::generate("k", Algorithm::Ed25519);
    let jws = key.sign(r#"{"alg":"EdDSA"}"#, "{}");
    let mut child = command(&["jws"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut early = None;
    for number in 0..10_000 {
        let line = json!({"id": number, "jwk": key.jwk(), "jws": jws});
        writeln!(stdin, "{line}").unwrap();
        // The answer is read before the next line is sent: output must not be buffered.
        let mut answer = String::new();
        stdout.read_line(&mut answer).unwrap();
        let expected = format!(r#"{{"id":{number},"valid":true,"error":null,"stage":null}}"#);
        assert_eq!(answer.trim_end(), expected);
        if number == 1000 {
            early = resident_kib(child.id());
        }
    }
    if let (Some(early), Some(late)) = (early, resident_kib(child.id())) {
        assert!(late < early + 1024, "{early} KiB after 1,000 lines, {late} KiB after 10,000");
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Returns the resident memory in KiB, on systems with `/proc`.
fn resident_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
