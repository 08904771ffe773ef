//! A sender-constrained token that is accepted from any sender.
//!
//! Proofs (DPoP, mutual TLS) are not verified here. There is therefore no replay store to flood
//! (CVE-2026-41707), no proof with a private key (CVE-2026-54431) and no `htu` to compare with a
//! forged Host. The remaining risk is the downgrade: RFC 9449 §7.1 requires that a bound token MUST
//! NOT be accepted as a bearer token.

use portcullis::Algorithm;
use portcullis::testing::TestKey;
use serde_json::{Value, json};

use super::support::{NOW, auth, authorization, bearer, claims, rule, rule_of};

#[tokio::test]
async fn sender_constrained_token_is_rejected_as_a_bearer_token() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    for cnf in [
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        json!({"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
        json!({"jwk": key.jwk()}),
        json!({"kid": "k"}),
        json!({"jkt": "a", "x5t#S256": "b"}),
        json!({"unknown": 1}),
        json!({}),
        // A malformed `cnf` is not treated as absent.
        json!(null),
        json!([]),
        json!(""),
        json!(false),
    ] {
        let mut bound: Value = claims();
        bound["cnf"] = cnf;
        let token = key.token(&bound);
        assert_eq!(rule(&auth, &token).await, "cnf", "{bound}");
        // A proof in the same request does not make the token acceptable, because proofs are not
        // verified.
        let mut headers = bearer(&token);
        headers.insert("dpop", proof(&key).parse().unwrap());
        assert_eq!(rule_of(&auth, &headers).await, "cnf", "{bound}");
    }
    let escaped = format!(r#"{},"c\u006ef":{{}}}}"#, claims().to_string().trim_end_matches('}'));
    let token = key.sign(r#"{"alg":"ES256","kid":"k"}"#, &escaped);
    assert_eq!(rule(&auth, &token).await, "cnf");
}

fn proof(key: &TestKey) -> String {
    let header = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": key.jwk()});
    let claims = json!({"htm": "GET", "htu": "https://api.example/", "iat": NOW, "jti": "1"});
    key.sign(&header.to_string(), &claims.to_string())
}

/// A proof is signed with its sender's key and contains what the sender chooses: it is not a token.
#[tokio::test]
async fn dpop_proof_is_rejected_as_a_token() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    assert_eq!(rule(&auth, &proof(&key)).await, "typ");
    let mut both = claims();
    both["htm"] = json!("GET");
    both["htu"] = json!("https://api.example/");
    assert_eq!(rule(&auth, &key.token(&both)).await, "access_token");
}

/// The scheme `DPoP` is not `Bearer`: its credential is ignored.
#[tokio::test]
async fn other_scheme_does_not_authenticate() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let token = key.token(&claims());
    for scheme in ["DPoP", "dpop", "Bearer-DPoP", "Token", "JWT"] {
        let headers = authorization(&format!("{scheme} {token}"));
        assert_eq!(rule_of(&auth, &headers).await, "missing_token", "{scheme}");
        assert!(auth.attempt(&headers).await.unwrap().is_none(), "{scheme}");
    }
}
