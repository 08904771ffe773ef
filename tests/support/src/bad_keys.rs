//! The table of bad keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::testing::TestKey;
use serde_json::{Value, json};

/// An odd number of this many bits, in base64url.
fn number(bits: usize) -> String {
    let mut bytes = vec![0xa5; bits / 8];
    bytes[0] = 0x80;
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `key` with some members changed, and the `kid` `bad`.
fn changed(key: &TestKey, changes: Value) -> String {
    let mut jwk = key.jwk();
    for (name, value) in changes.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk.to_string()
}

fn rsa(n: &str, e: &str) -> String {
    json!({"kty": "RSA", "kid": "bad", "alg": "RS256", "n": n, "e": e}).to_string()
}

/// Returns the rows: the element of the key set, the reported `kid`, and the reason.
#[must_use]
pub fn rows(ec: &TestKey, rsa_key: &TestKey) -> Vec<(String, Option<&'static str>, &'static str)> {
    let bad = Some("bad");
    let encoded = |length: usize| URL_SAFE_NO_PAD.encode(vec![7; length]);
    let text = ec.jwk().to_string();
    let twice = text.replacen('{', r#"{"kid":"good","#, 1);
    vec![
        (json!({"kty": "oct", "kid": "bad", "k": "c2VjcmV0"}).to_string(), bad, "a symmetric key"),
        (changed(ec, json!({"k": "c2VjcmV0"})), bad, "a symmetric key"),
        (changed(ec, json!({"d": encoded(32)})), bad, "a private key"),
        (changed(rsa_key, json!({"p": "AQ"})), bad, "a private key"),
        (changed(ec, json!({"use": "enc"})), bad, "not meant for verifying signatures"),
        (changed(ec, json!({"key_ops": ["sign"]})), bad, "not meant for verifying signatures"),
        (rsa(&number(1024), "AQAB"), bad, "an RSA modulus of 1024 bits; 2048 to 8192 are allowed"),
        (rsa(&number(2040), "AQAB"), bad, "an RSA modulus of 2040 bits; 2048 to 8192 are allowed"),
        (rsa(&number(8200), "AQAB"), bad, "an RSA modulus of 8200 bits; 2048 to 8192 are allowed"),
        (
            rsa(&number(16_384), "AQAB"),
            bad,
            "an RSA modulus of 16384 bits; 2048 to 8192 are allowed",
        ),
        (rsa("", "AQAB"), bad, "an RSA modulus of 0 bits; 2048 to 8192 are allowed"),
        (
            changed(rsa_key, json!({"e": "AQAA"})),
            bad,
            "an RSA exponent that is even, 1 or longer than 64 bits",
        ),
        (
            changed(rsa_key, json!({"e": "AQ"})),
            bad,
            "an RSA exponent that is even, 1 or longer than 64 bits",
        ),
        (
            changed(rsa_key, json!({"e": ""})),
            bad,
            "an RSA exponent that is even, 1 or longer than 64 bits",
        ),
        (
            changed(rsa_key, json!({"e": number(128)})),
            bad,
            "an RSA exponent that is even, 1 or longer than 64 bits",
        ),
        (changed(rsa_key, json!({"e": "AQAB="})), bad, "`e` is not base64url of the right length"),
        (changed(rsa_key, json!({"n": null})), bad, "`n` is absent"),
        (changed(rsa_key, json!({"n": 7})), bad, "`n` has a value of the wrong type"),
        (changed(ec, json!({"crv": "secp256k1"})), bad, "an unknown key type, curve or algorithm"),
        (changed(ec, json!({"crv": "P-384"})), bad, "`alg` does not fit the key"),
        (
            changed(ec, json!({"crv": "P-384", "alg": "ES384"})),
            bad,
            "`x` is not base64url of the right length",
        ),
        (changed(ec, json!({"x": encoded(31)})), bad, "`x` is not base64url of the right length"),
        (changed(ec, json!({"y": encoded(33)})), bad, "`y` is not base64url of the right length"),
        (changed(ec, json!({"x": encoded(32)})), bad, "not a valid public key"),
        (changed(ec, json!({"alg": "HS256"})), bad, "`alg` does not fit the key"),
        (changed(ec, json!({"alg": "none"})), bad, "an unknown key type, curve or algorithm"),
        (changed(ec, json!({"alg": 7})), bad, "`alg` has a value of the wrong type"),
        (changed(ec, json!({"kid": 7})), None, "`kid` has a value of the wrong type"),
        (twice, None, "a member is duplicated"),
        (
            json!({"kty": "AKP", "kid": "bad", "alg": "SLH-DSA-SHA2-128s", "pub": encoded(32)})
                .to_string(),
            bad,
            "an unknown key type, curve or algorithm",
        ),
        (json!({"kid": "bad"}).to_string(), bad, "`kty` is absent"),
        ("null".to_owned(), None, "not a JSON object"),
        ("[[[[]]]]".to_owned(), None, "not a JSON object"),
        (format!("{}{}", "[".repeat(9000), "]".repeat(9000)), None, "not a JSON object"),
    ]
}
