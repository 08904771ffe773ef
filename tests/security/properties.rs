//! Properties of every input: no input panics, and only signed tokens are accepted.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};
use portcullis::testing::{self, AUDIENCE, ISSUER, ManualClock, NOW, TestKey, attempt_now};
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder, Policy,
    keys::{KeySet, SharedKeySet},
    signature,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

static KEYS: LazyLock<Vec<TestKey>> = LazyLock::new(|| {
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es512, Algorithm::Ed25519]
        .map(|algorithm| TestKey::generate(algorithm.as_str(), algorithm))
        .into()
});

/// One valid token of each key.
static TOKENS: LazyLock<Vec<String>> =
    LazyLock::new(|| KEYS.iter().map(|key| key.token(&claims())).collect());

static SET: LazyLock<KeySet> = LazyLock::new(|| TestKey::key_set(KEYS.iter()));

static AUTH: LazyLock<Authenticator> = LazyLock::new(|| built(builder().cookie("t")));

fn claims() -> Value {
    let mut claims = testing::claims();
    claims["scope"] = json!("read");
    claims
}

fn builder() -> AuthenticatorBuilder {
    Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(SET.clone()))
        .clock(ManualClock::at(NOW))
}

fn built(builder: AuthenticatorBuilder) -> Authenticator {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(builder.build())
        .unwrap()
}

fn config(cases: u32) -> ProptestConfig {
    // A failure prints its input, from which a regression test is written.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Whether a request with these headers is accepted.
fn accepted(headers: &HeaderMap) -> bool {
    match attempt_now(&AUTH, headers).expect("the keys are in memory") {
        Ok(who) => who.is_some(),
        Err(refusal) => {
            // The response and the log text must not panic either.
            let _ = format!("{refusal} {refusal:?} {:?}", refusal.challenge());
            assert!(refusal.status().is_client_error() || refusal.status().is_server_error());
            false
        }
    }
}

/// Any header value: arbitrary bytes, and near-valid tokens.
fn header_value() -> impl Strategy<Value = HeaderValue> {
    let scheme = prop_oneof![
        Just(b"Bearer ".to_vec()),
        Just(b"bearer".to_vec()),
        Just(b"t=".to_vec()),
        Just(b"a=b; t=\"".to_vec()),
        vec(any::<u8>(), 0..8),
    ];
    let rest = prop_oneof![
        vec(any::<u8>(), 0..200),
        "[A-Za-z0-9._=~+/-]{0,200}".prop_map(String::into_bytes),
        token_like().prop_map(String::into_bytes),
    ];
    (scheme, rest).prop_filter_map("no header value", |(scheme, rest)| {
        HeaderValue::from_bytes(&[scheme, rest].concat()).ok()
    })
}

/// JSON of any shape, with the names that the parser reads among its members.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[A-Za-z0-9_-]{0,90}".prop_map(Value::from),
        prop::sample::select(
            &[
                "RS256",
                "ES256",
                "EdDSA",
                "none",
                "RSA",
                "EC",
                "OKP",
                "AKP",
                "oct",
                "P-256",
                "P-521",
                "Ed25519",
                "sig",
                "AQAB",
                "at+jwt",
                "ML-DSA-44",
                "https://issuer.example",
            ][..]
        )
        .prop_map(Value::from),
    ];
    let name = prop_oneof![
        4 => prop::sample::select(&[
            "alg", "kid", "typ", "crit", "b64", "jwk", "keys", "kty", "crv", "n", "e", "x", "y",
            "pub", "k", "d", "use", "key_ops", "iss", "sub", "aud", "exp", "nbf", "iat", "jti",
            "scope", "roles", "cnf", "nonce", "token_use",
        ][..])
        .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            vec((name.clone(), inner), 0..10)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Three parts, each of which may be JSON, bytes or not base64url.
fn token_like() -> impl Strategy<Value = String> {
    let part = || {
        prop_oneof![
            4 => any_json().prop_map(|json| URL_SAFE_NO_PAD.encode(json.to_string())),
            1 => vec(any::<u8>(), 0..600).prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
            1 => "[A-Za-z0-9_=-]{0,40}",
        ]
    };
    vec(part(), 0..6).prop_map(|parts| parts.join("."))
}

/// A valid signature over any payload.
fn signed() -> impl Strategy<Value = String> {
    (0..KEYS.len(), any_json(), any_json(), any::<bool>()).prop_map(
        |(key, mut header, payload, good_header)| {
            let key = &KEYS[key];
            if let (Value::Object(members), true) = (&mut header, good_header) {
                let jwk = key.jwk();
                members.retain(|name, _| !["crit", "b64", "typ"].contains(&name.as_str()));
                members.insert("alg".to_owned(), jwk["alg"].clone());
                members.insert("kid".to_owned(), jwk["kid"].clone());
            }
            key.sign(&header.to_string(), &payload.to_string())
        },
    )
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn arbitrary_header_is_rejected_without_a_panic(value in header_value(), second in header_value()) {
        let authorization = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
        prop_assert!(!accepted(&authorization));
        let cookie = HeaderMap::from_iter([(COOKIE, value.clone()), (COOKIE, second.clone())]);
        prop_assert!(!accepted(&cookie));
        let mut both = authorization;
        both.append(AUTHORIZATION, second.clone());
        both.append(COOKIE, second);
        prop_assert!(!accepted(&both));
    }

    #[test]
    fn signed_arbitrary_payload_is_rejected_without_a_panic(token in signed()) {
        // These claims are never for this API.
        if let Ok(value) = HeaderValue::try_from(format!("Bearer {token}")) {
            prop_assert!(!accepted(&HeaderMap::from_iter([(AUTHORIZATION, value)])));
        }
        let _ = signature::verify(&token, &SET, Algorithm::ALL);
    }

    #[test]
    fn signature_verification_of_arbitrary_text_does_not_panic(
        text in prop_oneof![any::<String>(), token_like()],
    ) {
        prop_assert!(signature::verify(&text, &SET, Algorithm::ALL).is_err());
    }

    #[test]
    fn parsing_arbitrary_bytes_as_a_key_set_does_not_panic(
        bytes in vec(any::<u8>(), 0..300),
        json in any_json(),
        keys in vec(any_json(), 0..6),
        cut in 0.0..1.0,
    ) {
        let _ = KeySet::from_json(&bytes);
        let _ = KeySet::from_json(json.to_string().as_bytes());
        let set = json!({"keys": keys}).to_string();
        // Each element is a key, or is skipped with its reason.
        let read = KeySet::from_json(set.as_bytes()).unwrap();
        prop_assert_eq!(read.len() + read.skipped().len(), keys.len());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "any index is suitable")]
        let end = (set.len() as f64 * cut) as usize;
        prop_assert!(KeySet::from_json(&set.as_bytes()[..end]).is_err(), "broken off");
    }

    #[test]
    fn mutated_key_is_another_key_or_skipped(
        key in 0..KEYS.len(),
        member in any::<prop::sample::Index>(),
        value in prop_oneof![any::<String>(), "[A-Za-z0-9_-]{0,90}"],
    ) {
        let mut jwk = KEYS[key].jwk();
        let members = jwk.as_object_mut().unwrap();
        let place = member.index(members.len());
        let (name, good) = members.iter_mut().nth(place).unwrap();
        prop_assume!(*good != value);
        // A blank `alg` counts as absent, so the key would be unchanged.
        prop_assume!(name != "alg" || !value.trim().is_empty());
        *good = json!(value);
        let set = KeySet::from_json(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
        prop_assert!(signature::verify(&TOKENS[key], &set, Algorithm::ALL).is_err());
    }

    #[test]
    fn mutated_token_is_rejected(
        key in 0..KEYS.len(),
        place in any::<prop::sample::Index>(),
        length in 0_usize..4,
        insert in prop_oneof!["[A-Za-z0-9_.-]{0,4}", any::<String>()],
    ) {
        let good = &TOKENS[key];
        let start = place.index(good.len());
        let mut mutated = good.clone();
        mutated.replace_range(start..(start + length).min(good.len()), &insert);
        prop_assume!(mutated != *good);
        prop_assert!(signature::verify(&mutated, &SET, Algorithm::ALL).is_err(), "{}", mutated);
        // Spaces before the token belong to the header.
        if let Ok(value) = HeaderValue::try_from(format!("Bearer {mutated}"))
            && mutated.trim_start_matches(' ') != good
        {
            prop_assert!(!accepted(&HeaderMap::from_iter([(AUTHORIZATION, value)])));
        }
    }

    #[test]
    fn token_of_mixed_parts_is_rejected(picks in prop::array::uniform3((0..5_usize, 0..3_usize))) {
        let part = |(token, part): (usize, usize)| TOKENS[token].split('.').nth(part).unwrap();
        let mixed = picks.map(part).join(".");
        prop_assume!(!TOKENS.contains(&mixed));
        let value = HeaderValue::try_from(format!("Bearer {mixed}")).unwrap();
        prop_assert!(!accepted(&HeaderMap::from_iter([(AUTHORIZATION, value)])));
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn challenge_with_any_realm_and_scope_is_one_line(realm in any::<String>(), scope in any::<String>()) {
        let auth = built(builder().realm(realm));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let value = HeaderValue::try_from(format!("Bearer {}", TOKENS[2])).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        let who = runtime.block_on(auth.authenticate(&headers)).unwrap();
        let mut refusals = vec![runtime.block_on(auth.authenticate(&HeaderMap::new())).unwrap_err()];
        refusals.extend(who.require(&Policy::scopes([scope.clone(), "other".to_owned()])).err());
        refusals.extend(who.require(&Policy::any_scope([scope])).err());
        for refusal in refusals {
            let challenge = refusal.challenge().unwrap();
            let text = challenge.to_str().unwrap();
            prop_assert!(text.starts_with("Bearer realm=\""), "{}", text);
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", text);
            // Every quotation mark inside a value is escaped, so the others come in pairs.
            let bare = text.replace(r"\\", "").replace(r#"\""#, "");
            prop_assert_eq!(bare.matches('"').count() % 2, 0, "{}", text);
            prop_assert!(!refusal.into_response::<()>().headers().is_empty());
        }
    }
}

/// The valid tokens of the properties above are accepted.
#[test]
fn unmutated_tokens_are_accepted() {
    for token in TOKENS.iter() {
        let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        assert!(accepted(&HeaderMap::from_iter([(AUTHORIZATION, value)])));
    }
}
