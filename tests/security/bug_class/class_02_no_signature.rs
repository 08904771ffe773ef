//! `none`, an absent signature, and encryption instead of a signature.
//!
//! `none` is not a value of the type `Algorithm`, and a payload exists only after a signature is
//! verified.

use portcullis::testing::TestKey;
use portcullis::{Algorithm, signature, token::TokenError};
use serde_json::json;

use super::support::{algorithms, auth, claims, encode, rule, split};

/// The `none` vulnerabilities of 2015 in many libraries, CVE-2018-1000531, CVE-2021-44878,
/// CVE-2022-23540, CVE-2026-28802.
#[tokio::test]
async fn alg_none_is_rejected_in_every_spelling_signed_or_unsigned() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let spellings = [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!("nOnE"),
        json!("none "),
        json!(" none"),
        json!("none\u{0}"),
        json!("\u{ff4e}one"),
        json!(""),
        json!("null"),
    ];
    for alg in spellings {
        let header = json!({"alg": alg, "kid": "k"}).to_string();
        let signed = key.sign(&header, &claims().to_string());
        assert_eq!(rule(&auth, &signed).await, "alg", "{alg}");
        assert_eq!(rule(&auth, &format!("{}.", split(&signed).0)).await, "alg", "{alg}");
    }
    for alg in [json!(null), json!(["none"]), json!(0), json!(false), json!({})] {
        let header = json!({"alg": alg, "kid": "k"}).to_string();
        let token = key.sign(&header, &claims().to_string());
        assert_eq!(rule(&auth, &token).await, "wrong_type", "{alg}");
    }
    let absent = key.sign(r#"{"kid":"k"}"#, &claims().to_string());
    assert_eq!(rule(&auth, &absent).await, "alg");
    // `none` is escaped, or `alg` is duplicated: some parsers take the second value.
    let escaped = key.sign(r#"{"alg":"n\u006fne"}"#, &claims().to_string());
    assert_eq!(rule(&auth, &escaped).await, "alg");
    for header in [r#"{"alg":"ES256","alg":"none"}"#, r#"{"alg":"none","a\u006cg":"ES256"}"#] {
        let token = key.sign(header, &claims().to_string());
        assert_eq!(rule(&auth, &token).await, "duplicate_member", "{header}");
    }
}

#[tokio::test]
async fn token_without_signature_is_rejected_for_every_algorithm() {
    for algorithm in algorithms() {
        let key = TestKey::generate("k", algorithm);
        let auth = auth(&key).await;
        let token = key.token(&claims());
        let (input, _) = split(&token);
        assert_eq!(rule(&auth, &token).await, "accepted", "{algorithm}");
        assert_eq!(rule(&auth, &format!("{input}.")).await, "signature", "{algorithm}");
        assert_eq!(rule(&auth, &format!("{input}.AA")).await, "signature", "{algorithm}");
        assert_eq!(rule(&auth, input).await, "compact_form", "{algorithm}");
    }
}

/// CVE-2026-96760 (Authlib), CVE-2026-102946 (joserfc): a token with zero signatures was accepted,
/// because all of its signatures were valid.
#[test]
fn json_serialization_is_rejected_with_and_without_signatures() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let token = key.token(&claims());
    let (input, signature) = split(&token);
    let (protected, payload) = input.split_once('.').unwrap();
    for json in [
        json!({"payload": payload, "signatures": []}),
        json!({"payload": payload}),
        json!({"payload": payload, "signatures": null}),
        json!({"payload": payload, "protected": protected, "signature": signature}),
        json!({"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}),
    ] {
        for text in [json.to_string(), encode(json.to_string())] {
            let error =
                signature::verify(&text, &TestKey::key_set([&key]), Algorithm::ALL).unwrap_err();
            assert_eq!(error, TokenError::NotCompact, "{json}");
        }
    }
}

/// CVE-2026-29000 (pac4j), CVE-2023-51774 (json-jwt): anyone with the public key can encrypt.
#[tokio::test]
async fn encrypted_token_is_rejected() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    let auth = auth(&key).await;
    let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(claims().to_string()));
    for alg in ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5", "dir", "none", "RS256"] {
        let header = json!({"alg": alg, "enc": "A128GCM", "cty": "JWT", "kid": "k"}).to_string();
        let jwe = format!("{}.AAAA.AAAA.{}.AAAA", encode(&header), encode(&unsigned));
        assert_eq!(rule(&auth, &jwe).await, "encrypted", "{alg}");
        let empty = format!("{}....", encode(&header));
        assert_eq!(rule(&auth, &empty).await, "encrypted", "{alg}");
    }
    // This token has three parts, like a signed token, but names an encryption algorithm.
    let header = json!({"alg": "RSA-OAEP", "enc": "A128GCM", "kid": "k"}).to_string();
    assert_eq!(rule(&auth, &key.sign(&header, &claims().to_string())).await, "alg");
}

/// A nested JWT (`cty`) is not unwrapped: the signed payload must be the claims.
#[tokio::test]
async fn nested_token_is_not_unwrapped() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(claims().to_string()));
    let header = r#"{"alg":"ES256","kid":"k","cty":"JWT"}"#;
    let auth = auth(&key).await;
    for inner in [unsigned, key.token(&claims())] {
        assert_eq!(rule(&auth, &key.sign(header, &inner)).await, "json");
    }
}
