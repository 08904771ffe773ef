//! `crit`: an extension that must be understood, and is not.
//!
//! No extension is supported, so the presence of the member rejects the token, with any value.

use portcullis::testing::TestKey;
use portcullis::{Algorithm, signature};
use serde_json::json;

use super::support::{auth, claims, encode, rule};

/// CVE-2025-59420 (Authlib), GHSA-752w-5fwx-jx9f (PyJWT).
#[tokio::test]
async fn crit_is_rejected_with_any_value() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for crit in [
        r#"["http://example.com/UNDEFINED"]"#,
        r#"["cnf"]"#,
        r#"["exp"]"#,
        r#"["alg"]"#,
        r#"["kid","kid"]"#,
        r#"["b64"]"#,
        r#"[""]"#,
        "[]",
        "[1]",
        "[[]]",
        "{}",
        "null",
        "false",
        "0",
        r#""""#,
        r#""exp""#,
    ] {
        for name in ["crit", "c\\u0072it"] {
            let header =
                format!(r#"{{"alg":"ES256","kid":"k","{name}":{crit},"exp":1,"cnf":{{}}}}"#);
            let token = key.sign(&header, &claims().to_string());
            assert_eq!(rule(&auth, &token).await, "crit", "{header}");
        }
    }
    let twice = r#"{"alg":"ES256","kid":"k","crit":[],"crit":["exp"]}"#;
    let token = key.sign(twice, &claims().to_string());
    assert_eq!(rule(&auth, &token).await, "duplicate_member");
}

/// RFC 7797: a payload that is not encoded, announced by `crit` or not.
#[tokio::test]
async fn unencoded_payload_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for b64 in ["false", "true", "null", "0", r#""false""#] {
        let header = format!(r#"{{"alg":"ES256","kid":"k","b64":{b64}}}"#);
        assert_eq!(rule(&auth, &key.sign(&header, &claims().to_string())).await, "b64", "{b64}");
        let header = format!(r#"{{"alg":"ES256","kid":"k","b64":{b64},"crit":["b64"]}}"#);
        assert_eq!(rule(&auth, &key.sign(&header, &claims().to_string())).await, "crit", "{b64}");
    }
}

/// Verification of a signature without a token does not support extensions either.
#[test]
fn crit_is_rejected_if_only_a_signature_is_verified() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.sign(r#"{"alg":"ES256","crit":["x"],"x":1}"#, "anything");
    let error = signature::verify(&token, &TestKey::key_set([&key]), Algorithm::ALL).unwrap_err();
    assert_eq!(error.rule(), "crit");
}

/// A member that is not critical is ignored (RFC 7515 §4.2), even if it has a similar meaning.
#[tokio::test]
async fn other_header_members_are_ignored() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let header = json!({
        "alg": "ES256", "kid": "k", "Crit": ["x"], "critical": ["x"], "x5t": encode("x"),
        "http://example.com/UNDEFINED": true,
    });
    let token = key.sign(&header.to_string(), &claims().to_string());
    assert_eq!(rule(&auth(&key).await, &token).await, "accepted");
}
