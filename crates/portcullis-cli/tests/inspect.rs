//! `portcullis inspect`: the decoded token and the notes. No output calls a token valid.

mod support;

use serde_json::{Value, json};
use support::{ISSUED, Issuer, claims, run};

fn at() -> String {
    (ISSUED + 60).to_string()
}

/// Returns a token with these changes to the usual claims.
fn token(changes: Value) -> String {
    Issuer::new().token(changes)
}

fn inspect(options: &[&str], token: &str) -> support::Ended {
    run(&[&["inspect", "--at", &at()][..], options, &["-"]].concat(), token.as_bytes())
}

#[test]
fn header_claims_and_relative_times_are_printed_without_the_signature() {
    let token = token(json!({}));
    let told = inspect(&[], &token).expect(0);
    for part in [
        "line 1: a signed JWT, signature not verified",
        "\"ES256\"",
        "https://auth.example",
        "1700000300  (in 4 min)",
        "1700000000  (60 s ago)",
    ] {
        assert!(told.stdout.contains(part), "{part}\n{}", told.stdout);
    }
    assert!(!told.stdout.contains(token.split('.').next_back().unwrap()));
}

#[test]
fn no_token_is_called_valid() {
    for changes in [json!({}), json!({"exp": 1}), json!({"aud": "account"})] {
        for options in [&[][..], &["--suggest"], &["--json"], &["--suggest", "--json"]] {
            let told = inspect(options, &token(changes.clone())).expect(0);
            assert!(!told.stdout.to_lowercase().contains("valid"), "{}", told.stdout);
        }
    }
    let shown = &inspect(&["--json"], &token(json!({}))).expect(0).json()[0];
    assert_eq!(shown["verified"], false);
    assert_eq!(shown["claims"], claims(support::ISSUER, json!({})));
}

#[test]
fn frequent_mistakes_are_noted() {
    let entra = "https://login.microsoftonline.com/t/v2.0";
    for (changes, note) in [
        (json!({"iss": "https://a.eu.auth0.com/"}), "`iss` ends with a slash"),
        (json!({"iss": "https://id.example/realms/main", "aud": "account"}), "audience mapper"),
        (json!({"iss": entra, "ver": "2.0"}), "an Entra v2 token"),
        (json!({"iss": "https://sts.windows.net/t/", "ver": "1.0"}), "an Entra v1 token"),
        (json!({"aud": "00000003-0000-0000-c000-000000000000"}), "Microsoft Graph"),
        (json!({"nonce": "n"}), "an ID token"),
        (json!({"exp": 1_700_000_300_000_u64}), "in milliseconds"),
        (json!({"exp": ISSUED + 30}), "the token has expired"),
        (json!({"iat": ISSUED + 90}), "in the future"),
        (json!({"exp": ISSUED + 172_800}), "the lifetime is 48 h"),
        (json!({"cnf": {"jkt": "x"}}), "not a plain bearer token"),
    ] {
        // `TestKey::token` sets `typ` to `at+jwt`, which marks every token as an access token.
        let issuer = Issuer::new();
        let token = issuer.key.sign(
            r#"{"alg":"ES256","typ":"JWT","kid":"k1"}"#,
            &claims(support::ISSUER, changes.clone()).to_string(),
        );
        let told = inspect(&[], &token).expect(0);
        assert!(told.stdout.contains(note), "{note}\n{}", told.stdout);
    }
    let usual = inspect(&["--json"], &token(json!({}))).expect(0).json();
    assert_eq!(usual[0]["notes"], json!([]));
}

#[test]
fn other_forms_than_a_signed_jwt_are_named_and_exit_with_1() {
    for (text, form) in [
        ("v^1.1#i", "opaque"),
        ("a.b", "opaque"),
        ("e30.a.b.c.d", "jwe"),
        ("e30.!.c", "unreadable"),
        ("e30.W10.c", "unreadable"),
    ] {
        let shown = inspect(&["--json"], text).expect(1).json();
        assert_eq!(shown[0]["form"], form, "{text}");
    }
    run(&["inspect", "-"], b"\n").expect(2);
}
