//! End-to-end tests of tokens through an authenticator.

use std::error::Error;
use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::algorithm::Algorithm;
use crate::error::TokenError;
use crate::key_source::SharedKeySet;
use crate::profile::Profile;
use crate::refusal::RefusalKind;
use crate::testing::{
    Answer, JWKS, ManualClock, NOW, ScriptedFetch, TestKey, attempt_now, bearer, builder,
};

mod issuers;
mod origins;
mod replaced;
mod resolved;
mod resolver_only;
mod seen;
mod shared_keys;

fn claims() -> Value {
    let mut claims = crate::testing::claims();
    claims["client_id"] = json!("app");
    claims["jti"] = json!("1");
    claims["scope"] = json!("orders:read");
    claims
}

async fn auth(key: &TestKey) -> Authenticator {
    builder(key).build().await.unwrap()
}

async fn rule(auth: &Authenticator, token: &str) -> &'static str {
    crate::testing::rule(auth, &bearer(token)).await
}

#[tokio::test]
async fn valid_token_is_accepted_with_every_algorithm() {
    for &algorithm in Algorithm::ALL {
        let key = TestKey::generate("k", algorithm);
        let auth = auth(&key).await;
        let who = auth.authenticate(&bearer(&key.token(&claims()))).await.unwrap();
        assert_eq!(who.subject(), Some("alice"));
        assert_eq!((who.key_id(), who.algorithm()), (Some("k"), algorithm));
        assert_eq!(who.claims::<Value>().unwrap(), claims());
    }
}

#[tokio::test]
async fn both_names_of_ed25519_are_accepted() {
    let key = TestKey::generate("k", Algorithm::Ed25519);
    let auth = auth(&key).await;
    for alg in ["EdDSA", "Ed25519"] {
        let token = key.sign(&json!({"alg": alg, "kid": "k"}).to_string(), &claims().to_string());
        assert_eq!(rule(&auth, &token).await, "accepted", "{alg}");
    }
}

/// RFC 6750 §3.1: a request whose token is not a `b64token` is malformed, whatever the part of the token.
#[tokio::test]
async fn character_outside_b64token_is_an_invalid_request_in_each_part() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let token = key.token(&claims());
    let dots: Vec<_> = token.match_indices('.').map(|(at, _)| at).collect();
    for start in [0, dots[0] + 1, dots[1] + 1] {
        for foreign in ["$", "\"", "\\", "="] {
            let mut token = token.clone();
            token.replace_range(start + 2..start + 3, foreign);
            assert_eq!(rule(&auth, &token).await, "invalid_request", "{foreign} at {start}");
        }
    }
}

#[tokio::test]
async fn token_with_any_changed_character_is_rejected() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Ed25519] {
        let key = TestKey::generate("k", algorithm);
        let auth = auth(&key).await;
        let token = key.token(&claims());
        for at in 0..token.len() {
            let original = token.as_bytes()[at];
            let other = if original == b'A' { 'B' } else { 'A' };
            let mut changed = token.clone();
            changed.replace_range(at..=at, &other.to_string());
            assert_ne!(rule(&auth, &changed).await, "accepted", "{algorithm} at {at}");
        }
        let unsigned = token.rsplit_once('.').unwrap().0;
        assert_eq!(rule(&auth, &format!("{unsigned}.")).await, "signature");
    }
}

#[tokio::test]
async fn token_of_another_key_with_the_same_kid_is_rejected() {
    let auth = auth(&TestKey::generate("k", Algorithm::Es256)).await;
    let forger = TestKey::generate("k", Algorithm::Es256);
    assert_eq!(rule(&auth, &forger.token(&claims())).await, "signature");
}

#[tokio::test]
async fn token_cannot_choose_the_algorithm_of_its_key() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    let auth = auth(&key).await;
    for (alg, expected) in
        [("PS256", "alg_of_key"), ("RS512", "alg_of_key"), ("HS256", "alg"), ("none", "alg")]
    {
        let header = json!({"alg": alg, "kid": "k"}).to_string();
        let token = key.sign(&header, &claims().to_string());
        assert_eq!(rule(&auth, &token).await, expected, "{alg}");
    }
}

#[tokio::test]
async fn key_in_the_header_is_ignored() {
    let auth = auth(&TestKey::generate("k", Algorithm::Es256)).await;
    let forger = TestKey::generate("evil", Algorithm::Es256);
    for name in ["jwk", "jku", "x5c", "x5u"] {
        let header = json!({"alg": "ES256", name: forger.jwk()}).to_string();
        let token = forger.sign(&header, &claims().to_string());
        assert_eq!(rule(&auth, &token).await, "signature", "{name}");
        let header = json!({"alg": "ES256", "kid": "evil", name: forger.jwk()}).to_string();
        let token = forger.sign(&header, &claims().to_string());
        assert_eq!(rule(&auth, &token).await, "kid", "{name}");
    }
}

#[tokio::test]
async fn token_with_disallowed_algorithm_is_rejected_despite_its_key() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    let token = key.token(&claims());
    let allowing = |algorithms: &[Algorithm]| builder(&key).algorithms(algorithms.to_vec()).build();
    let strict = allowing(&[Algorithm::Es256]).await.unwrap();
    assert_eq!(rule(&strict, &token).await, "alg");
    // Several algorithm families at once.
    let both = allowing(&[Algorithm::Es256, Algorithm::Rs256]).await.unwrap();
    assert_eq!(rule(&both, &token).await, "accepted");
}

#[tokio::test]
async fn typ_is_checked_against_the_profile() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let default = auth(&key).await;
    let strict = builder(&key).profile(Profile::rfc9068()).build().await.unwrap();
    for (typ, by_default, strictly) in [
        (json!("at+jwt"), "accepted", "accepted"),
        (json!("application/at+jwt"), "accepted", "accepted"),
        (json!("JWT"), "accepted", "typ"),
        (json!("logout+jwt"), "typ", "typ"),
        (json!("dpop+jwt"), "typ", "typ"),
        (json!(7), "wrong_type", "wrong_type"),
    ] {
        let header = json!({"alg": "ES256", "kid": "k", "typ": typ}).to_string();
        let token = key.sign(&header, &claims().to_string());
        assert_eq!(rule(&default, &token).await, by_default, "{typ}");
        assert_eq!(rule(&strict, &token).await, strictly, "{typ}");
    }
    let token = key.sign(r#"{"alg":"ES256","kid":"k"}"#, &claims().to_string());
    assert_eq!(rule(&default, &token).await, "accepted");
    assert_eq!(rule(&strict, &token).await, "typ");
}

#[tokio::test]
async fn token_expires_when_the_clock_advances() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let clock = ManualClock::at(NOW);
    let auth = builder(&key).clock(clock.clone()).build().await.unwrap();
    let token = key.token(&claims());
    clock.advance(Duration::from_secs(909));
    assert_eq!(rule(&auth, &token).await, "accepted");
    clock.advance(Duration::from_secs(1));
    assert_eq!(rule(&auth, &token).await, "exp");
    let refusal = auth.authenticate(&bearer(&token)).await.unwrap_err();
    let expected = r#"Bearer realm="api", error="invalid_token", error_description="The access token expired""#;
    assert_eq!(refusal.challenge().unwrap(), expected);
}

#[tokio::test]
async fn claims_are_validated_after_the_signature() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let token = TestKey::generate("k", Algorithm::Es256).sign(r#"{"alg":"ES256"}"#, "not json");
    assert_eq!(rule(&auth, &token).await, "signature");
    let token = key.sign(r#"{"alg":"ES256"}"#, "not json");
    assert_eq!(rule(&auth, &token).await, "json");
}

#[tokio::test]
async fn absent_token_is_none_only_if_optional_and_bad_token_is_always_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let nothing = HeaderMap::new();
    let refusal = auth.authenticate(&nothing).await.unwrap_err();
    assert_eq!(refusal.kind(), RefusalKind::MissingToken);
    assert!(auth.attempt(&nothing).await.unwrap().is_none());
    let good = bearer(&key.token(&claims()));
    assert!(auth.attempt(&good).await.unwrap().is_some());
    for token in ["x", "a.b.c"] {
        let refusal = auth.attempt(&bearer(token)).await.unwrap_err();
        assert_eq!(refusal.kind(), RefusalKind::InvalidToken);
    }
}

#[tokio::test]
async fn refusal_contains_no_value_of_the_token() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let auth = auth(&key).await;
    let mut secret = claims();
    secret["iss"] = json!("https://s3cret.example");
    let token = key.token(&secret);
    let refusal = auth.authenticate(&bearer(&token)).await.unwrap_err();
    let shown = format!("{refusal} {refusal:?} {:?}", refusal.source().map(ToString::to_string));
    assert!(!shown.contains("s3cret") && !shown.contains(token.split_at(20).0), "{shown}");
    assert!(shown.contains("https://issuer.example"), "{shown} should say what was expected");
    let who = auth.authenticate(&bearer(&key.token(&claims()))).await.unwrap();
    let shown = format!("{who:?} {auth:?}");
    assert!(!shown.contains("alice"), "{shown}");
}

#[tokio::test]
async fn bad_token_that_waited_for_a_key_is_rejected() {
    let (key, forger) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("k", Algorithm::Es256));
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    let jwks_url = JWKS;
    let auth = Authenticator::builder("https://issuer.example", "https://api.example")
        .jwks_url(jwks_url)
        .fetch(fetch.clone())
        .clock(clock.clone())
        .start_without_keys()
        .build()
        .await
        .unwrap();
    assert!(!auth.ready());
    clock.advance(Duration::from_secs(2));
    fetch.set(jwks_url, Answer::ok(TestKey::jwks([&key])));
    let forged = bearer(&forger.token(&claims()));
    assert!(attempt_now(&auth, &forged).is_err());
    assert!(auth.attempt(&forged).await.is_err());
    assert!(auth.ready());
    assert_eq!(auth.status()[0].keys.as_ref().unwrap().keys, 1);
    auth.refresh().await.unwrap();
    assert_eq!(fetch.requests().len(), 3);
}

#[tokio::test]
async fn warm_up_fetches_only_missing_keys() {
    let fetch = ScriptedFetch::default();
    let jwks_url = JWKS;
    let building = Authenticator::builder("https://issuer.example", "https://api.example")
        .jwks_url(jwks_url)
        .fetch(fetch.clone())
        .start_without_keys()
        .build();
    let auth = building.await.unwrap();
    assert!(auth.warm_up().await.is_err());
    assert!(!auth.ready());
    fetch.set(jwks_url, Answer::ok(TestKey::jwks([&TestKey::generate("k", Algorithm::Es256)])));
    for _ in 0..2 {
        auth.warm_up().await.unwrap();
        assert!(auth.ready());
        assert_eq!(fetch.requests().len(), 3);
    }
}

#[tokio::test]
async fn build_without_keys_fails_unless_start_without_keys_is_set() {
    let builder =
        || Authenticator::builder("https://issuer.example", "a").fetch(ScriptedFetch::default());
    let error = builder().build().await.unwrap_err();
    assert!(matches!(error, ConfigError::KeysUnavailable { .. }), "{error}");
    assert!(builder().start_without_keys().build().await.is_ok());
}

#[tokio::test]
async fn url_with_a_password_is_rejected_without_showing_it() {
    let builder = Authenticator::builder("https://issuer.example", "a")
        .jwks_url("https://user:s3cret@issuer.example/keys");
    let error = builder.build().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
}

#[tokio::test]
async fn invalid_setting_is_rejected_by_name_at_start() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let secs = Duration::from_secs;
    for (builder, names) in [
        (builder(&key).leeway(secs(301)), &["leeway", "301", "300"][..]),
        (builder(&key).jwks_ttl(secs(0)), &["jwks_ttl", "PORTCULLIS_JWKS_TTL_SECS"]),
        (builder(&key).cooldown(secs(0)), &["cooldown"]),
        (builder(&key).fetch_timeout(secs(61)), &["fetch_timeout", "61"]),
        (builder(&key).max_stale(secs(604_801)), &["max_stale"]),
        (builder(&key).max_token_lifetime(secs(0)), &["max_token_lifetime"]),
        (
            builder(&key).max_token_lifetime(secs(30)).leeway(secs(30)),
            &["leeway", "max_token_lifetime", "30 s"],
        ),
        (builder(&key).min_ttl(secs(301)), &["min_ttl", "jwks_ttl", "301 s", "300 s"]),
        (builder(&key).min_ttl(secs(1)), &["min_ttl", "fetch_timeout", "1 s", "5 s"]),
        (builder(&key).refresh_ahead(secs(300)), &["refresh_ahead", "jwks_ttl"]),
        (
            builder(&key).refresh_ahead(secs(9)).without_background_refresh(),
            &["refresh_ahead", "background_refresh"],
        ),
        (builder(&key).max_keys(0), &["max_keys"]),
        (builder(&key).max_body_bytes(1), &["max_body"]),
        (builder(&key).algorithms([]), &["algorithms"]),
        (builder(&key).also_audience(""), &["audience"]),
        (builder(&key).cookie("a b"), &["cookie", "a b"]),
        (builder(&key).also_trusted_origin("https://a.example/"), &["trusted_origin"]),
        (builder(&key).also_trusted_origin("a.example"), &["trusted_origin", "a.example"]),
        (builder(&key).jwks_url("https://i.example/keys"), &["jwks_url", "key_source"]),
        (Authenticator::builder("https://i.example/?a=b", "a"), &["issuer", "query"]),
        (
            Authenticator::builder("", "a").key_source(SharedKeySet::new(TestKey::key_set([&key]))),
            &["issuer"],
        ),
        (Authenticator::builder("", "a"), &["issuer"]),
        (Authenticator::builder("https://i", ""), &["audience"]),
        (Authenticator::builder("http://i.example", "a"), &["issuer", "http://i.example", "https"]),
        (
            Authenticator::builder("urn:i", "a").jwks_url("http://i.example/keys"),
            &["jwks_url", "http://i.example/keys"],
        ),
    ] {
        let error = builder.build().await.unwrap_err().to_string();
        for name in names {
            assert!(error.contains(name), "{error} should name {name}");
        }
    }
}
