//! `portcullis check` end to end: verdicts, and data that is never printed.

mod support;

use portcullis::Algorithm;
use portcullis_testing::TestKey;
use serde_json::json;
use support::{AUDIENCE, ISSUED, Issuer, claims, run, run_with, serve};

#[test]
fn valid_token_is_accepted_without_printing_it_or_its_subject() {
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
fn show_claims_prints_the_claims_escaped() {
    let issuer = Issuer::new();
    let token = issuer.token(json!({"sub": "al\u{9b}31mice"}));
    let text = issuer.check(&["--show-claims", &token], "").expect(0).stdout;
    assert!(text.contains(r#""sub":"al\u009b31mice""#), "{text}");
    let shown = issuer.check(&["--show-claims", "--json", &token], "").expect(0).json();
    assert_eq!(shown[0]["claims"], claims(support::ISSUER, json!({"sub": "al\u{9b}31mice"})));
}

#[test]
fn rejection_names_rule_reason_setting_and_remedy() {
    let issuer = Issuer::new();
    let expired = issuer.token(json!({"exp": ISSUED + 30}));
    let ended = issuer.check(&[&expired], "").expect(1);
    assert_eq!(
        ended.stdout,
        "argument 1: refused (401 invalid_token)\n  \
           rule:    exp\n  \
           reason:  the token expired 30 s ago (`exp`)\n  \
           setting: leeway (PORTCULLIS_LEEWAY_SECS); option --leeway\n  \
           remedy:  the client should refresh its token; check the clocks of the issuer and of this host\n"
    );
    let refused = &issuer.check(&["--json", &expired], "").expect(1).json()[0];
    assert_eq!(
        *refused,
        json!({
            "token": "argument 1", "bearer_prefix": false, "verdict": "refused",
            "kind": "invalid_token", "status": 401, "rule": "exp",
            "reason": "the token expired 30 s ago (`exp`)",
            "setting": "leeway (PORTCULLIS_LEEWAY_SECS)", "option": "--leeway",
            "remedy": "the client should refresh its token; check the clocks of the issuer and of this host",
        })
    );
}

#[test]
fn each_option_changes_the_verdict() {
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
fn policy_is_read_from_a_file_and_parsed_strictly() {
    let issuer = Issuer::new();
    let good = issuer.token(json!({}));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"any_role": ["admin"]}"#).unwrap();
    let path = file.path().to_str().unwrap();
    let refused = issuer.check(&["--json", "--policy", path], &good).expect(1);
    assert_eq!(refused.json()[0]["rule"], "policy");
    for (policy, told) in [
        ("no-such-file", "--policy: no-such-file"),
        (r#"{"scope":["a"]}"#, "--policy: not a policy: unknown variant `scope`"),
        (r#"{"scopes":[]}"#, "an empty list"),
        (r#"{"custom":"employee"}"#, "the custom check \"employee\""),
    ] {
        let ended = issuer.check(&["--policy", policy], &good).expect(2);
        assert!(ended.stderr.contains(told), "{policy}: {}", ended.stderr);
    }
}

#[test]
fn batch_continues_after_a_rejection_and_is_counted() {
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
    assert!(text.contains("the prefix `Bearer` was removed"), "{text}");
    for piece in good.split('.').chain(expired.split('.')) {
        assert!(!text.contains(piece) && !ended.stdout.contains(piece) && !text.contains("alice"));
    }
}

#[test]
fn arguments_and_lines_are_validated_in_order() {
    let issuer = Issuer::new();
    let good = issuer.token(json!({}));
    let ended = issuer.check(&["--json", &good, "-", "x", ""], &good).expect(1);
    let places: Vec<_> = ended.json().iter().map(|line| line["token"].clone()).collect();
    assert_eq!(places, ["argument 1", "line 1", "argument 3", "argument 4"]);
}

#[test]
fn overlong_line_is_rejected_by_length() {
    let issuer = Issuer::new();
    let good = issuer.token(json!({}));
    let input = format!("{}\n{good}\n", "a".repeat(3 << 20));
    let ended = issuer.check(&["--json"], &input).expect(1);
    assert_eq!(ended.json()[0]["rule"], "length");
    assert_eq!(ended.json()[1]["verdict"], "accepted");
}

#[test]
fn keys_are_discovered_and_fetched_again_for_an_unknown_kid() {
    let (key, forger) =
        (TestKey::generate("a", Algorithm::Ed25519), TestKey::generate("a", Algorithm::Ed25519));
    let url = serve(&key, usize::MAX);
    let at = ISSUED.to_string();
    let base = ["check", "--json", "--issuer", &url, "--audience", AUDIENCE, "--at", &at];
    let mut input = key.token(&claims(&url, json!({}))) + "\n";
    input += &(forger.token(&claims(&url, json!({}))) + "\n");
    // Several unknown `kid`s: each gets a definite verdict, though fetches are rate-limited.
    for id in ["b", "c"] {
        let unknown = TestKey::generate(id, Algorithm::Ed25519);
        input += &(unknown.token(&claims(&url, json!({}))) + "\n");
    }
    let ended = run(&base, input.as_bytes()).expect(1);
    let rules: Vec<_> = ended.json().iter().map(|line| line["rule"].clone()).collect();
    assert_eq!(rules, [json!(null), json!("signature"), json!("kid"), json!("kid")]);
    // With `--jwks`, the same keys verify tokens of another issuer.
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
fn key_file_is_read_once_and_its_keys_are_limited_to_the_allowed_algorithms() {
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
fn token_whose_key_cannot_be_fetched_is_undecided() {
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
    assert!(reason.starts_with("a fetch is required"), "{reason}");
    let error = shown[0]["error"].as_str().unwrap();
    assert!(error.contains("/keys responded with 503"), "{error}");
}

#[test]
fn variables_of_the_service_apply_and_options_override_them() {
    let issuer = Issuer::new();
    let roles =
        json!({"resource_access": {"orders-api": {"roles": ["admin"]}}, "scope": 7, "scp": ["a"]});
    let token = issuer.token(roles);
    let (keys, at) = (issuer.keys(), (ISSUED + 60).to_string());
    let base = [
        ("PORTCULLIS_ISSUER", support::ISSUER),
        ("PORTCULLIS_AUDIENCE", "https://other.example,https://api.example"),
        ("PORTCULLIS_JWKS_FILE", &keys),
    ];
    let path = r#"["resource_access","orders-api","roles"]"#;
    for (more, options, rule) in [
        (&[][..], &[][..], None),
        (&[("PORTCULLIS_AUDIENCE", "x")], &[], Some("aud")),
        (&[("PORTCULLIS_AUDIENCE", "x")], &["--audience", AUDIENCE], None),
        (&[("PORTCULLIS_ISSUER", "https://x.example")], &[], Some("iss")),
        (&[("PORTCULLIS_ISSUER", "https://x.example")], &["--issuer", support::ISSUER], None),
        (&[("PORTCULLIS_PROFILE", "supabase")], &[], Some("missing_claim")),
        (&[("PORTCULLIS_PROFILE", "supabase")], &["--profile", "jwt"], None),
        (&[("PORTCULLIS_ALGORITHMS", "RS256")], &[], Some("alg")),
        (&[("PORTCULLIS_MAX_TOKEN_LIFETIME_SECS", "60")], &[], Some("lifetime")),
        (&[("PORTCULLIS_MAX_TOKEN_AGE_SECS", "20")], &[], Some("token_age")),
        (&[("PORTCULLIS_MAX_TOKEN_BYTES", "1024")], &[], None),
        (&[("PORTCULLIS_REQUIRED_CLAIMS", "tenant")], &[], Some("required_claim")),
        (&[], &["--role", "admin"], Some("policy")),
        (&[("PORTCULLIS_ROLES_AT", path)], &["--role", "admin"], None),
        (&[], &["--roles-at", path, "--role", "admin"], None),
        (&[("PORTCULLIS_SCOPES_AT", "scp")], &["--scope", "a"], None),
        (&[], &["--scopes-at", "scp", "--scope", "a"], None),
        (&[], &["--scope", "a"], Some("unreadable_claim")),
        // Settings about HTTP requests and stored keys are ignored.
        (&[("PORTCULLIS_TOKEN_PLACES", "header:X-Token")], &[], None),
        (&[("PORTCULLIS_KEPT_KEYS_FILE", "/nowhere/keys")], &[], None),
    ] {
        let options = [&["check", "--json", "--at", &at][..], options, &["-"]].concat();
        let set: Vec<_> = base.iter().chain(more).copied().collect();
        let ended = run_with(&set, &options, token.as_bytes());
        let ended = ended.expect(i32::from(rule.is_some()));
        let refused = &ended.json()[0];
        assert_eq!(refused["rule"].as_str(), rule, "{more:?} {options:?}: {refused}");
        assert!(ended.stderr.contains("settings from the environment: "), "{}", ended.stderr);
    }
    let ended = run_with(&base, &["check", "--at", &at, "-"], token.as_bytes()).expect(0);
    let told = "settings from the environment: PORTCULLIS_ISSUER, PORTCULLIS_AUDIENCE, PORTCULLIS_JWKS_FILE";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
}

#[test]
fn invalid_variable_is_2_with_the_services_error() {
    for (name, value, told) in [
        ("PORTCULLIS_LEEWAY_SECS", "ten", "leeway (PORTCULLIS_LEEWAY_SECS) is \"ten\""),
        ("PORTCULLIS_PROFILE", "x", "profile (PORTCULLIS_PROFILE) is \"x\": it must be one of"),
        ("PORTCULLIS_INTROSPECTION_CLIENT_ID", "x", "introspection_client_id"),
        ("PORTCULLIS_AUDIENCE", "", "audience (PORTCULLIS_AUDIENCE) is not set"),
    ] {
        let options = ["check", "--issuer", support::ISSUER, "-"];
        let set = [("PORTCULLIS_AUDIENCE", AUDIENCE), (name, value)];
        let ended = run_with(&set, &options, b"x").expect(2);
        assert!(ended.stderr.contains(told), "{name}: {}", ended.stderr);
    }
    let issuer = Issuer::new();
    let set = [("PORTCULLIS_JWKS_TTL", "60")];
    let options = [
        "check",
        "--issuer",
        support::ISSUER,
        "--audience",
        AUDIENCE,
        "--jwks",
        &issuer.keys(),
        "-",
    ];
    let ended = run_with(&set, &options, b"x").expect(1);
    assert!(ended.stderr.contains("PORTCULLIS_JWKS_TTL is not a setting"), "{}", ended.stderr);
}

#[test]
fn wrong_issuer_or_audience_is_shown_only_from_a_verified_token() {
    let issuer = Issuer::new();
    for (changes, found) in [
        (json!({"aud": ["https://x.example", "y"]}), r#""https://x.example", "y""#),
        (json!({"iss": "https://auth.example/"}), r#""https://auth.example/""#),
    ] {
        let token = issuer.token(changes);
        let text = issuer.check(&[&token], "").expect(1).stdout;
        assert!(text.contains(&format!("\n  found:   {found}\n")), "{text}");
        assert_eq!(issuer.check(&["--json", &token], "").expect(1).json()[0]["found"], found);
    }
    // Unverified claims are not printed.
    let forged = TestKey::generate("k1", Algorithm::Es256)
        .token(&claims(support::ISSUER, json!({"aud": "secret-name"})));
    let text = issuer.check(&[&forged], "").expect(1).stdout;
    assert!(!text.contains("secret-name") && !text.contains("found"), "{text}");
}

#[test]
fn feed_reports_what_can_revoke_a_token() {
    let issuer = Issuer::new();
    let of_session = issuer.token(json!({"sid": "s3cret", "jti": "t", "client_id": "web"}));
    let ended = issuer.check(&["--feed", "--max-lifetime", "900s", &of_session], "").expect(0);
    assert!(
        ended.stdout.ends_with(
            "\n  feed:    revocable by session (`sid`), subject, `jti`, client; not by none\n"
        ),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("s3cret"));
    assert!(ended.stderr.contains("PORTCULLIS_LOGOUT_CLIENTS is not set"), "{}", ended.stderr);

    // The feed needs to know how long tokens live.
    let ended = issuer.check(&["--feed", &of_session], "").expect(2);
    assert!(ended.stderr.contains("--max-lifetime"), "{}", ended.stderr);
}

#[test]
fn feed_warns_of_a_token_without_the_session_that_logouts_name() {
    let issuer = Issuer::new();
    let token = issuer.token(json!({"ext": {"sid": "s-1"}}));
    let options = ["--feed", "--max-lifetime", "900s", "--json", &token];
    let clients = ("PORTCULLIS_LOGOUT_CLIENTS", "web");
    let ended = issuer.check_in(&[clients], &options, "").expect(0);
    let feed = &ended.json()[0]["feed"];
    assert_eq!((&feed["session"], &feed["subject"]), (&json!(false), &json!(true)));
    assert!(feed["note"].as_str().unwrap().contains("PORTCULLIS_SESSION_AT"));
    assert!(ended.stderr.contains("the tokens whose `sid` equals its `sid`"), "{}", ended.stderr);

    let at = ("PORTCULLIS_SESSION_AT", r#"["ext","sid"]"#);
    let feed = &issuer.check_in(&[clients, at], &options, "").expect(0).json()[0]["feed"];
    assert_eq!((&feed["session"], &feed["note"]), (&json!(true), &json!(null)));
}

#[test]
fn status_list_and_live_apply_as_on_a_route() {
    let issuer = Issuer::new();
    let token = issuer.token(json!({}));
    let ended = issuer.check(&["--json", "--status-list", "10", &token], "").expect(1);
    assert_eq!(ended.json()[0]["rule"], "no_status");
    let ended = issuer.check(&["--live", &token], "").expect(2);
    assert!(ended.stderr.contains("has no `introspection_url`"), "{}", ended.stderr);
    let secret = issuer.write("secret", "s");
    // A port without a listener: the verdict is undecided.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/introspect", listener.local_addr().unwrap());
    drop(listener);
    let set = [
        ("PORTCULLIS_INTROSPECTION_URL", url.as_str()),
        ("PORTCULLIS_INTROSPECTION_CLIENT_ID", "api"),
        ("PORTCULLIS_INTROSPECTION_SECRET_FILE", &secret),
    ];
    let (keys, at) = (issuer.keys(), (ISSUED + 60).to_string());
    let base = ["check", "--json", "--issuer", support::ISSUER, "--audience", AUDIENCE];
    let options = [&base[..], &["--jwks", &keys, "--at", &at, "--live", "-"]].concat();
    let shown = &run_with(&set, &options, token.as_bytes()).expect(3).json()[0];
    assert_eq!((&shown["verdict"], &shown["rule"]), (&json!("undecided"), &json!("status")));
    assert!(shown["error"].as_str().unwrap().contains(&url), "{shown}");
}
