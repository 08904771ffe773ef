//! `portcullis check`, as it is run: verdicts, and what is never shown.

mod support;

use portcullis::Algorithm;
use portcullis_testing::TestKey;
use serde_json::json;
use support::{AUDIENCE, ISSUED, Issuer, claims, run, serve};

#[test]
fn a_good_token_is_accepted_and_neither_it_nor_its_subject_is_shown() {
    let issuer = Issuer::new();
    let token = issuer.token(json!({}));
    let ended = issuer.check(&[&token], "").expect(0);
    assert_eq!(
        ended.stdout,
        "argument 1: accepted\n  key:     \"k1\", ES256\n  time:    expires in 240 s, issued 60 s ago\n"
    );
    assert_eq!(ended.stderr, "");
    let shown = issuer.check(&["--json"], &token).expect(0).json();
    assert_eq!(
        shown,
        [json!({
            "token": "line 1", "bearer_prefix": false, "verdict": "accepted", "key_id": "k1",
            "algorithm": "ES256", "expires_in_secs": 240, "issued_secs_ago": 60,
        })]
    );
}

#[test]
fn claims_are_shown_when_asked_for() {
    let issuer = Issuer::new();
    let token = issuer.token(json!({"sub": "al\u{9b}31mice"}));
    let text = issuer.check(&["--show-claims", &token], "").expect(0).stdout;
    assert!(text.contains(r#""sub":"al\u009b31mice""#), "{text}");
    let shown = issuer.check(&["--show-claims", "--json", &token], "").expect(0).json();
    assert_eq!(shown[0]["claims"], claims(support::ISSUER, json!({"sub": "al\u{9b}31mice"})));
}

#[test]
fn a_refusal_names_rule_reason_setting_and_remedy() {
    let issuer = Issuer::new();
    let expired = issuer.token(json!({"exp": ISSUED + 30}));
    let ended = issuer.check(&[&expired], "").expect(1);
    assert_eq!(
        ended.stdout,
        "argument 1: refused (401 invalid_token)\n  \
           rule:    exp\n  \
           reason:  `exp` passed 30 s ago\n  \
           setting: leeway (PORTCULLIS_LEEWAY_SECS); here --leeway\n  \
           remedy:  the client should refresh its token; check both clocks\n"
    );
    let refused = &issuer.check(&["--json", &expired], "").expect(1).json()[0];
    assert_eq!(
        *refused,
        json!({
            "token": "argument 1", "bearer_prefix": false, "verdict": "refused",
            "kind": "invalid_token", "status": 401, "rule": "exp",
            "reason": "`exp` passed 30 s ago", "setting": "leeway (PORTCULLIS_LEEWAY_SECS)",
            "option": "--leeway", "remedy": "the client should refresh its token; check both clocks",
        })
    );
}

#[test]
fn each_option_decides() {
    let issuer = Issuer::new();
    let good = issuer.token(json!({}));
    let jwt = issuer.key.sign(
        r#"{"alg":"ES256","typ":"JWT","kid":"k1"}"#,
        &claims(support::ISSUER, json!({})).to_string(),
    );
    let other_api = issuer.token(json!({"aud": "https://other.example"}));
    let late = (ISSUED + 400).to_string();
    for (options, token, rule) in [
        (&["--at", &late][..], &good, Some("exp")),
        (&["--at", &late, "--leeway", "101"], &good, None),
        (&["--max-lifetime", "299"], &good, Some("lifetime")),
        (&["--max-lifetime", "300"], &good, None),
        (&["--alg", "RS256"], &good, Some("alg")),
        (&["--alg", "RS256", "--alg", "ES256"], &good, None),
        (&["--profile", "rfc9068"], &good, None),
        (&["--profile", "rfc9068"], &jwt, Some("typ")),
        (&["--profile", "jwt"], &jwt, None),
        (&[], &other_api, Some("aud")),
        (&["--audience", "https://other.example"], &other_api, None),
        (&["--scope", "orders:read"], &good, None),
        (&["--scope", "orders:read", "--scope", "x"], &good, Some("scope")),
        (&["--any-scope", "orders:read", "--any-scope", "x"], &good, None),
        (&["--any-scope", "x"], &good, Some("scope")),
        (&["--role", "clerk"], &good, None),
        (&["--role", "clerk", "--role", "admin"], &good, Some("policy")),
        (&["--any-role", "clerk", "--any-role", "admin"], &good, None),
        (&["--any-role", "admin"], &good, Some("policy")),
        (&["--scope", "orders:read", "--role", "admin"], &good, Some("policy")),
        (&["--max-age", "40"], &good, Some("token_age")),
        (&["--max-age", "3600"], &good, None),
        (&["--require-claim", "sub"], &good, None),
        (&["--require-claim", "sub", "--require-claim", "tenant"], &good, Some("required_claim")),
        (&["--policy", r#"{"and":[{"scopes":["orders:read"]},{"roles":["clerk"]}]}"#], &good, None),
        (&["--policy", r#" {"not":{"roles":["clerk"]}}"#], &good, Some("policy")),
        (&["--scope", "orders:read", "--policy", r#"{"scopes":["x"]}"#], &good, Some("scope")),
    ] {
        let ended = issuer.check(&[&["--json"], options].concat(), token);
        let ended = ended.expect(i32::from(rule.is_some()));
        assert_eq!(ended.json()[0]["rule"].as_str(), rule, "{options:?}");
    }
}

#[test]
fn a_policy_may_stand_in_a_file_and_is_read_strictly() {
    let issuer = Issuer::new();
    let good = issuer.token(json!({}));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"any_role": ["admin"]}"#).unwrap();
    let path = file.path().to_str().unwrap();
    let refused = issuer.check(&["--json", "--policy", path], &good).expect(1);
    assert_eq!(refused.json()[0]["rule"], "policy");
    for (policy, told) in [
        ("no-such-file", "--policy: no-such-file"),
        (r#"{"scope":["a"]}"#, "--policy: no policy: unknown variant `scope`"),
        (r#"{"scopes":[]}"#, "an empty list"),
        (r#"{"custom":"employee"}"#, "the custom check \"employee\""),
    ] {
        let ended = issuer.check(&["--policy", policy], &good).expect(2);
        assert!(ended.stderr.contains(told), "{policy}: {}", ended.stderr);
    }
}

#[test]
fn a_batch_goes_on_after_a_refusal_and_is_counted() {
    let issuer = Issuer::new();
    let (good, expired) = (issuer.token(json!({})), issuer.token(json!({"exp": ISSUED})));
    let input = format!("{good}\n\n  \nBearer {good}\r\n{expired}\nnot a token\n\u{7}\n");
    let ended = issuer.check(&["--json"], &input).expect(1);
    let shown: Vec<_> = ended
        .json()
        .iter()
        .map(|line| json!([line["token"], line["bearer_prefix"], line["verdict"], line["rule"]]))
        .collect();
    assert_eq!(
        shown,
        [
            json!(["line 1", false, "accepted", null]),
            json!(["line 4", true, "accepted", null]),
            json!(["line 5", false, "refused", "exp"]),
            json!(["line 6", false, "refused", "credentials_grammar"]),
            json!(["line 7", false, "refused", "credentials_grammar"]),
        ]
    );
    assert!(
        ended.stderr.starts_with("5 tokens: 2 accepted, 3 refused, 0 undecided; "),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.ends_with(" tokens per second\n"), "{}", ended.stderr);
    let text = issuer.check(&["-"], &input).expect(1).stdout;
    assert!(text.contains("`Bearer` stood in front"), "{text}");
    for piece in good.split('.').chain(expired.split('.')) {
        assert!(!text.contains(piece) && !ended.stdout.contains(piece) && !text.contains("alice"));
    }
}

#[test]
fn arguments_and_lines_come_in_order() {
    let issuer = Issuer::new();
    let good = issuer.token(json!({}));
    let ended = issuer.check(&["--json", &good, "-", "x", ""], &good).expect(1);
    let places: Vec<_> = ended.json().iter().map(|line| line["token"].clone()).collect();
    assert_eq!(places, ["argument 1", "line 1", "argument 3", "argument 4"]);
}

#[test]
fn a_line_of_any_length_is_refused_for_it() {
    let issuer = Issuer::new();
    let good = issuer.token(json!({}));
    let input = format!("{}\n{good}\n", "a".repeat(3 << 20));
    let ended = issuer.check(&["--json"], &input).expect(1);
    assert_eq!(ended.json()[0]["rule"], "length");
    assert_eq!(ended.json()[1]["verdict"], "accepted");
}

#[test]
fn keys_are_discovered_and_foreign_ones_are_looked_for_again() {
    let (key, forger) =
        (TestKey::generate("a", Algorithm::Ed25519), TestKey::generate("a", Algorithm::Ed25519));
    let url = serve(&key, usize::MAX);
    let at = ISSUED.to_string();
    let base = ["check", "--json", "--issuer", &url, "--audience", AUDIENCE, "--at", &at];
    let mut input = key.token(&claims(&url, json!({}))) + "\n";
    input += &(forger.token(&claims(&url, json!({}))) + "\n");
    // Several `kid`s that nobody has: each is certain, though the issuer is not flooded.
    for id in ["b", "c"] {
        let unknown = TestKey::generate(id, Algorithm::Ed25519);
        input += &(unknown.token(&claims(&url, json!({}))) + "\n");
    }
    let ended = run(&base, input.as_bytes()).expect(1);
    let rules: Vec<_> = ended.json().iter().map(|line| line["rule"].clone()).collect();
    assert_eq!(rules, [json!(null), json!("signature"), json!("kid"), json!("kid")]);
    // The same keys named outright, for tokens that spell the issuer otherwise.
    let keys = format!("{url}/keys");
    let base = [
        "check",
        "--issuer",
        support::ISSUER,
        "--jwks",
        &keys,
        "--audience",
        AUDIENCE,
        "--at",
        &at,
    ];
    run(&base, key.token(&claims(support::ISSUER, json!({}))).as_bytes()).expect(0);
    run(&base, key.token(&claims(&url, json!({}))).as_bytes()).expect(1);
}

#[test]
fn keys_from_a_file_are_final_and_meant_for_the_algorithms_allowed() {
    let issuer = Issuer::new();
    let mut input = String::new();
    for number in 0..50 {
        let unknown = TestKey::generate(&format!("x{number}"), Algorithm::Es256);
        input += &(unknown.token(&claims(support::ISSUER, json!({}))) + "\n");
    }
    let ended = issuer.check(&["--json"], &input).expect(1);
    assert!(ended.json().iter().all(|line| line["rule"] == "kid"), "{}", ended.stdout);

    let key = TestKey::generate("k", Algorithm::Ps256);
    let mut jwks = TestKey::jwks([&key]);
    jwks["keys"][0].as_object_mut().unwrap().remove("alg");
    let (token, path) = (
        key.token(&claims(support::ISSUER, json!({}))),
        issuer.write("rsa.json", &jwks.to_string()),
    );
    let at = ISSUED.to_string();
    let base = [
        "check",
        "--json",
        "--issuer",
        support::ISSUER,
        "--jwks",
        &path,
        "--audience",
        AUDIENCE,
        "--at",
        &at,
    ];
    run(&base, token.as_bytes()).expect(0);
    for order in [&["--alg", "PS256"][..], &["--alg", "RS256", "--alg", "PS256"]] {
        run(&[&base[..], order].concat(), token.as_bytes()).expect(0);
    }
    let other = [&base[..], &["--alg", "RS256"]].concat();
    assert_eq!(run(&other, token.as_bytes()).expect(1).json()[0]["rule"], "alg");
}

#[test]
fn a_token_that_nobody_can_judge_is_undecided() {
    let key = TestKey::generate("a", Algorithm::Ed25519);
    let unknown = TestKey::generate("b", Algorithm::Ed25519);
    let url = serve(&key, 1);
    let at = ISSUED.to_string();
    let base = ["check", "--json", "--issuer", &url, "--audience", AUDIENCE, "--at", &at];
    let [unknown, good] = [&unknown, &key].map(|key| key.token(&claims(&url, json!({}))));
    let ended = run(&base, format!("{unknown}\nx\n{good}\n").as_bytes()).expect(3);
    let shown = ended.json();
    let verdicts: Vec<_> = shown.iter().map(|line| line["verdict"].clone()).collect();
    assert_eq!(verdicts, ["undecided", "refused", "accepted"]);
    assert_eq!((&shown[0]["status"], &shown[0]["rule"]), (&json!(429), &json!("key_budget")));
    let reason = shown[0]["reason"].as_str().unwrap();
    assert!(reason.contains("/keys answered 503"), "{reason}");
}
