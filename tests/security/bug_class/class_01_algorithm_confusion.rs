//! A public key used as an HMAC secret, or a key used with an algorithm other than its own.
//!
//! No symmetric algorithm can be selected. Every key is pinned when it is parsed: to its `alg` or,
//! without an `alg`, to the allowed algorithms of its type. A token cannot select another
//! algorithm.

use aws_lc_rs::hmac;
use portcullis::testing::TestKey;
use portcullis::{Algorithm, keys::KeySet, signature};
use serde_json::{Value, json};

use super::support::{auth, builder, claims, decode, encode, parser, rule};

/// Returns the RSA key in DER, as PKCS #1 (`RSAPublicKey`) and as X.509 (`SubjectPublicKeyInfo`).
fn der(jwk: &Value) -> (Vec<u8>, Vec<u8>) {
    let n = decode(jwk["n"].as_str().unwrap());
    assert_eq!((n.len(), jwk["e"].as_str()), (256, Some("AQAB")));
    let pkcs1 = [b"\x30\x82\x01\x0a\x02\x82\x01\x01\x00", &n[..], b"\x02\x03\x01\x00\x01"].concat();
    let spki = [
        b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00",
        &pkcs1[..],
    ]
    .concat();
    (pkcs1, spki)
}

fn pem(label: &str, der: &[u8], line_end: &str) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(
        "-----BEGIN {label}-----{line_end}{}{line_end}-----END {label}-----{line_end}",
        lines.join(line_end)
    )
}

fn hmac_token(alg: &str, secret: &[u8]) -> String {
    let algorithm = match alg {
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let header = json!({"alg": alg, "kid": "k", "typ": "JWT"}).to_string();
    let input = format!("{}.{}", encode(header), encode(claims().to_string()));
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
    format!("{input}.{}", encode(tag.as_ref()))
}

/// CVE-2015-9235, CVE-2016-5431, CVE-2016-10555, CVE-2017-11424, CVE-2022-29217, CVE-2023-48223,
/// CVE-2024-33663, CVE-2024-37568, CVE-2024-54150, CVE-2026-22817, CVE-2026-23993,
/// CVE-2026-34950 (leading white space), CVE-2026-48526 (JWK text), CVE-2026-102268 and
/// CVE-2026-102273 (mutated PEM, further shapes).
#[tokio::test]
async fn public_key_in_any_form_is_not_an_hmac_secret() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    let jwk = key.jwk();
    let (pkcs1, spki) = der(&jwk);
    let public = pem("PUBLIC KEY", &spki, "\n");
    let secrets: Vec<(&str, Vec<u8>)> = vec![
        ("PEM", public.clone().into()),
        ("PEM without its last line end", public.trim_end().into()),
        ("PEM with CRLF", pem("PUBLIC KEY", &spki, "\r\n").into()),
        ("PEM on one line", public.replace('\n', "").into()),
        ("PEM after a space", format!(" {public}").into()),
        ("PEM after a line end", format!("\n{public}").into()),
        ("PEM after a byte order mark", format!("\u{feff}{public}").into()),
        ("PEM in lower case", public.to_lowercase().into()),
        ("PEM of PKCS #1", pem("RSA PUBLIC KEY", &pkcs1, "\n").into()),
        ("PEM with another label", pem("X509 KEY", &spki, "\n").into()),
        ("DER", spki),
        ("DER of PKCS #1", pkcs1),
        ("JWK", jwk.to_string().into()),
        ("JWK after a space", format!(" {jwk}").into()),
        ("JWK in lines", serde_json::to_vec_pretty(&jwk).unwrap()),
        ("JWK Set", TestKey::jwks([&key]).to_string().into()),
        ("modulus", decode(jwk["n"].as_str().unwrap())),
        ("modulus in base64url", jwk["n"].as_str().unwrap().into()),
        ("nothing", Vec::new()),
        ("kid", b"k".to_vec()),
    ];
    let auth = auth(&key).await;
    // A service that migrates from a shared secret allows both kinds of algorithms.
    let both = [Algorithm::Rs256, Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
    let migrating = builder(&key).algorithms(both).build().await.unwrap();
    for (form, secret) in secrets {
        for alg in ["HS256", "HS384", "HS512"] {
            let token = hmac_token(alg, &secret);
            assert_eq!(rule(&auth, &token).await, "alg", "{alg} with the {form}");
            assert_eq!(rule(&migrating, &token).await, "alg_of_key", "{alg} with the {form}");
            // An HMAC tag is not a valid signature under the name of an allowed algorithm either.
            let disguised = hmac_token("RS256", &secret);
            assert_eq!(rule(&auth, &disguised).await, "signature", "RS256 with the {form}");
        }
    }
}

/// GHSA-jq35-7prp-9v3f (PyJWT): the list was compared with the header, but another algorithm was
/// used. CVE-2026-22818 (Hono): a key without `alg` was accepted for any algorithm.
#[tokio::test]
async fn key_is_used_only_with_its_own_algorithm() {
    let family = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    let keys: Vec<_> =
        family.iter().map(|alg| TestKey::generate("k", alg.parse().unwrap())).collect();
    for (key, own) in keys.iter().zip(family) {
        for alg in family.into_iter().chain(["ES256", "EdDSA", "Ed25519", "HS256"]) {
            let token =
                key.sign(&json!({"alg": alg, "kid": "k"}).to_string(), &claims().to_string());
            let expected = match alg {
                _ if alg == own => "accepted",
                "HS256" => "alg",
                _ => "alg_of_key",
            };
            assert_eq!(rule(&auth(key).await, &token).await, expected, "{alg} with {own}");
        }
    }
}

/// CVE-2020-15084 (express-jwt): the list of algorithms was optional, and an absent list allowed
/// all.
#[tokio::test]
async fn disallowed_algorithm_is_rejected_with_a_valid_key() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let strict = builder(&key).algorithms([Algorithm::Ed25519]).build().await.unwrap();
    assert_eq!(rule(&strict, &key.token(&claims())).await, "alg");
    assert!(builder(&key).algorithms([]).build().await.is_err(), "an empty list does not mean all");
}

/// GHSA-jc38-x7x8-2xc8 (web-token): `alg` was read from a part that no signature covers.
#[tokio::test]
async fn algorithm_is_read_exactly_and_only_from_the_signed_header() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    let auth = auth(&key).await;
    for alg in ["rs256", "Rs256", "RS256 ", " RS256", "RS256\u{0}", "RS-256", "RSA", "SHA256"] {
        let header = json!({"alg": alg, "kid": "k"}).to_string();
        assert_eq!(rule(&auth, &key.sign(&header, &claims().to_string())).await, "alg", "{alg:?}");
    }
    // An algorithm only in an inner object, as in an unprotected header, is ignored.
    let header = r#"{"kid":"k","header":{"alg":"RS256"},"unprotected":{"alg":"RS256"}}"#;
    assert_eq!(rule(&auth, &key.sign(header, &claims().to_string())).await, "alg");
}

/// A key without `alg` verifies each allowed algorithm of its type and no other algorithm, in
/// whatever order the setting lists them.
#[tokio::test]
async fn key_without_alg_verifies_only_allowed_algorithms_of_its_type() {
    const RSA: [Algorithm; 6] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ];
    for signs in RSA {
        let key = TestKey::generate("k", signs);
        let mut jwk = key.jwk();
        jwk.as_object_mut().unwrap().remove("alg");
        let set = parser().key_set(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
        assert_eq!(set.len(), 1, "one key for all its algorithms");
        let token = key.sign(&json!({"alg": signs.as_str(), "kid": "k"}).to_string(), "{}");
        let rule = |token: &str, allowed: &[Algorithm]| {
            signature::verify(token, &set, allowed).err().map(|error| error.rule())
        };
        for allowed in [&[signs][..], &RSA, Algorithm::ALL] {
            assert_eq!(rule(&token, allowed), None, "{signs}");
        }
        let others: Vec<_> = RSA.into_iter().filter(|other| *other != signs).collect();
        assert_eq!(rule(&token, &others), Some("alg"), "{signs}");
        // The signature is not valid under another `alg`.
        for other in RSA.into_iter().filter(|other| *other != signs) {
            let header = json!({"alg": other.as_str(), "kid": "k"}).to_string();
            let confused = key.sign(&header, "{}");
            assert_eq!(rule(&confused, Algorithm::ALL), Some("signature"), "{signs} as {other}");
        }
        for other in ["ES256", "EdDSA", "ML-DSA-44"] {
            let header = json!({"alg": other, "kid": "k"}).to_string();
            assert_eq!(rule(&key.sign(&header, "{}"), Algorithm::ALL), Some("alg_of_key"));
        }
    }
}

/// A key set that is parsed for some algorithms keeps no key for other algorithms.
#[test]
fn key_without_alg_is_kept_only_for_allowed_algorithms() {
    let key = TestKey::generate("k", Algorithm::Ps256);
    let mut jwk = key.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let document = json!({"keys": [jwk]}).to_string();
    let set = KeySet::from_json_for(document.as_bytes(), &[Algorithm::Rs256, Algorithm::Rs512]);
    let set = set.unwrap();
    let token = key.sign(r#"{"alg":"PS256","kid":"k"}"#, "{}");
    let error = signature::verify(&token, &set, Algorithm::ALL).unwrap_err();
    assert_eq!(error.rule(), "alg_of_key");
}

/// Keys for another algorithm are not candidates, and do not count towards the limit of candidates.
#[test]
fn key_is_selected_by_algorithm() {
    let mut keys = vec![TestKey::generate("k", Algorithm::Es256)];
    keys.extend(["a", "b", "c", "d"].map(|id| TestKey::generate(id, Algorithm::Ed25519)));
    let token = keys[0].sign(r#"{"alg":"ES256"}"#, "{}");
    keys.rotate_left(1);
    assert!(signature::verify(&token, &TestKey::key_set(&keys), Algorithm::ALL).is_ok());
}
