//! Client assertions: JWTs with which a client authenticates by its private key (RFC 7523
//! section 3).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::{Algorithm, claims::NumericDate, keys::KeySet, signature, token::TokenError};
use serde::Deserialize;

use crate::domain::hash::TokenHash;
use crate::domain::tokens::name_of;

/// How far ahead `exp` may be, in seconds. The store must remember the assertion's `jti` for this long. A
/// stolen, unused assertion also remains usable for this long.
const LONGEST_SECS: i64 = 300;

/// The maximum length of `jti`, longer than any unique name needs.
const MAX_JTI_BYTES: usize = 256;

/// The part of a valid assertion that the store remembers, so that it is used only once.
#[derive(Debug)]
pub(crate) struct CheckedAssertion {
    /// The hash that identifies the assertion.
    pub(crate) name: TokenHash,
    /// The time until which the store must remember it, in seconds since 1970.
    pub(crate) good_until: i64,
}

/// The reason for rejecting an assertion, for the operator's log. No variant contains text of the
/// assertion.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error(transparent)]
    Jws(#[from] TokenError),
    #[error("its claims are missing, repeated or of a wrong type")]
    Claims,
    #[error("the client's keys cannot be read")]
    Keys,
    #[error("`iss` and `sub` must both be the client's id")]
    Client,
    #[error("`aud` must be this issuer or its token endpoint, and must have no other audience")]
    Audience,
    #[error("`exp` has passed")]
    Expired,
    #[error("`exp` is more than {LONGEST_SECS} s ahead")]
    TooLong,
    #[error("`nbf` or `iat` is in the future")]
    TooEarly,
    #[error("`jti` must have 1 to {MAX_JTI_BYTES} bytes")]
    Id,
}

/// The claims of RFC 7523 section 3. An assertion with a repeated claim, or a claim of a wrong
/// type, is rejected.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Returns the `sub` of an assertion that is not verified yet. The `sub` selects the keys for the
/// verification.
pub(crate) fn claimed_client(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claimed {
        sub: String,
    }
    let payload = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok().map(|Claimed { sub }| sub)
}

/// Checks an assertion. Does not check whether it was used before.
pub(crate) fn check(
    assertion: &str,
    client_id: &str,
    jwks: &str,
    issuer: &str,
    now: i64,
    skew: i64,
) -> Result<CheckedAssertion, Wrong> {
    let keys = KeySet::from_json(jwks.as_bytes()).map_err(|_| Wrong::Keys)?;
    let verified = signature::verify(assertion, &keys, Algorithm::ALL)?;
    let claims: Claims = serde_json::from_slice(verified.payload()).map_err(|_| Wrong::Claims)?;
    if claims.iss != client_id || claims.sub != client_id {
        return Err(Wrong::Client);
    }
    // An assertion with a second audience is rejected: the server of that audience also receives it,
    // and could use it here.
    let token_endpoint = format!("{issuer}/oauth/token");
    let names_us = |name: &String| *name == issuer || *name == token_endpoint;
    let for_us = match &claims.aud {
        Audience::One(name) => names_us(name),
        Audience::Many(names) => !names.is_empty() && names.iter().all(names_us),
    };
    if !for_us {
        return Err(Wrong::Audience);
    }
    let secs = |date: NumericDate| crate::clock::secs(date.as_duration());
    let exp = secs(claims.exp);
    if exp.saturating_add(skew) <= now {
        return Err(Wrong::Expired);
    }
    if exp.saturating_sub(now) > LONGEST_SECS.saturating_add(skew) {
        return Err(Wrong::TooLong);
    }
    let begins = claims.nbf.into_iter().chain(claims.iat).map(secs).max();
    if begins.is_some_and(|begins| begins > now.saturating_add(skew)) {
        return Err(Wrong::TooEarly);
    }
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI_BYTES {
        return Err(Wrong::Id);
    }
    Ok(CheckedAssertion {
        name: name_of(client_id, &claims.jti),
        // A process whose clock is slow accepts the assertion for longer, by at most the skew.
        good_until: exp.saturating_add(skew.saturating_mul(2)),
    })
}

#[cfg(test)]
mod tests {
    use portcullis::testing::TestKey;
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://auth.example";
    const NOW: i64 = portcullis::testing::NOW.cast_signed();

    fn claims() -> Value {
        json!({ "iss": "billing", "sub": "billing", "aud": ISSUER, "exp": NOW + 60, "jti": "1" })
    }

    fn verdict(key: &TestKey, header: &str, claims: &str) -> Result<CheckedAssertion, Wrong> {
        let jwks = TestKey::jwks([key]).to_string();
        check(&key.sign(header, claims), "billing", &jwks, ISSUER, NOW, 10)
    }

    #[test]
    fn the_table() {
        let key = TestKey::generate("k", Algorithm::Es256);
        let header = r#"{"alg":"ES256","kid":"k"}"#;
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            verdict(&key, header, &claims.to_string()).map(|checked| checked.good_until).err()
        };
        let token_endpoint = format!("{ISSUER}/oauth/token");
        for (name, value) in [
            ("aud", json!(ISSUER)),
            ("aud", json!(token_endpoint)),
            ("aud", json!([ISSUER, token_endpoint])),
            ("exp", json!(NOW - 9)),
            ("exp", json!(NOW + 310)),
            ("exp", json!(1_800_000_060.5)),
            ("iat", json!(NOW + 10)),
            ("nbf", json!(NOW + 10)),
            ("more", json!({ "of": ["anything"] })),
        ] {
            assert_eq!(with(name, value.clone()), None, "{name}: {value}");
        }
        for (name, value, wrong) in [
            ("iss", json!("other"), Wrong::Client),
            ("sub", json!("other"), Wrong::Client),
            ("iss", json!(null), Wrong::Claims),
            ("sub", json!(["billing"]), Wrong::Claims),
            ("aud", json!("https://auth.example/"), Wrong::Audience),
            ("aud", json!("https://other.example"), Wrong::Audience),
            ("aud", json!([ISSUER, "https://other.example"]), Wrong::Audience),
            ("aud", json!([]), Wrong::Audience),
            ("aud", json!(7), Wrong::Claims),
            ("exp", json!(NOW - 10), Wrong::Expired),
            ("exp", json!(NOW + 311), Wrong::TooLong),
            ("exp", json!("1800000060"), Wrong::Claims),
            ("exp", json!(null), Wrong::Claims),
            ("iat", json!(NOW + 11), Wrong::TooEarly),
            ("nbf", json!(NOW + 11), Wrong::TooEarly),
            ("nbf", json!("now"), Wrong::Claims),
            ("jti", json!(""), Wrong::Id),
            ("jti", json!("x".repeat(257)), Wrong::Id),
            ("jti", json!(null), Wrong::Claims),
        ] {
            assert_eq!(with(name, value.clone()), Some(wrong), "{name}: {value}");
        }
    }

    #[test]
    fn assertion_not_signed_with_the_clients_key_is_rejected() {
        let key = TestKey::generate("k", Algorithm::Es256);
        let mallory = TestKey::generate("k", Algorithm::Es256);
        let jwks = TestKey::jwks([&key]).to_string();
        let claims = claims().to_string();
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let header = r#"{"alg":"ES256","kid":"k"}"#;
        let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&claims));
        let embedded = format!(r#"{{"alg":"ES256","kid":"k","jwk":{}}}"#, mallory.jwk());
        for (assertion, rule) in [
            (mallory.sign(header, &claims), "signature"),
            (mallory.sign(&embedded, &claims), "signature"),
            (key.sign(r#"{"alg":"ES256","kid":"other"}"#, &claims), "kid"),
            (key.sign(r#"{"alg":"ES256","kid":"k","crit":["x"]}"#, &claims), "crit"),
            (key.sign(r#"{"alg":"HS256","kid":"k"}"#, &claims), "alg"),
            (unsigned, "alg"),
        ] {
            match check(&assertion, "billing", &jwks, ISSUER, NOW, 10).unwrap_err() {
                Wrong::Jws(error) => assert_eq!(error.rule(), rule, "{error}"),
                other => panic!("{other}"),
            }
        }
        let twice = claims.replacen('{', r#"{"sub":"billing","#, 1);
        assert_eq!(verdict(&key, header, &twice).unwrap_err(), Wrong::Claims);
        assert_eq!(verdict(&key, header, "[]").unwrap_err(), Wrong::Claims);
    }

    #[test]
    fn assertion_is_stored_per_client_until_no_process_accepts_it() {
        let key = TestKey::generate("k", Algorithm::Ed25519);
        let checked = verdict(&key, r#"{"alg":"EdDSA","kid":"k"}"#, &claims().to_string()).unwrap();
        assert_eq!(checked.good_until, NOW + 60 + 20);
        assert_eq!(checked.name, name_of("billing", "1"));
        assert_ne!(checked.name, name_of("shipping", "1"));
    }

    #[test]
    fn claimed_client_is_the_sub_of_the_assertion() {
        let key = TestKey::generate("k", Algorithm::Es256);
        let assertion = key.sign(r#"{"alg":"ES256"}"#, &claims().to_string());
        assert_eq!(claimed_client(&assertion).as_deref(), Some("billing"));
        for text in ["", "a.b.c", "..", "not a jwt"] {
            assert_eq!(claimed_client(text), None, "{text}");
        }
    }
}
