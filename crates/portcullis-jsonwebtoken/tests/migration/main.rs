//! Compares an app that uses jsonwebtoken with the same app after each of the two migration steps,
//! and lists the tokens that the three validate differently.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[expect(clippy::disallowed_methods, unreachable_pub, reason = "the app that is migrated")]
mod before;
#[expect(clippy::disallowed_methods, unreachable_pub, reason = "the app that is migrated")]
mod step_1;
#[expect(unreachable_pub, reason = "the app that is migrated")]
mod step_2;

use std::time::Duration;

use http::StatusCode;
use jsonwebtoken::{Validation, decode_header, get_current_timestamp};
use portcullis_jsonwebtoken::portcullis::keys::{RemoteKeySet, SharedKeySet};
use portcullis_jsonwebtoken::portcullis::testing::{
    AUDIENCE, Answer, ISSUER, JWKS, ManualClock, NOW, ScriptedFetch, TestKey, bearer, rule,
};
use portcullis_jsonwebtoken::portcullis::{Algorithm, AuthenticatorBuilder};
use portcullis_jsonwebtoken::{DecodeError, DecodingKeyError, DecodingKeySource, issuer_settings};
use serde_json::{Value, json};

use before::{Claims, validation};

fn key(id: &str) -> TestKey {
    TestKey::generate(id, Algorithm::Es256)
}

fn publish(fetch: &ScriptedFetch, keys: &[&TestKey]) {
    fetch.set(JWKS, Answer::ok(TestKey::jwks(keys.iter().copied())));
}

async fn set(fetch: &ScriptedFetch) -> RemoteKeySet {
    let builder = RemoteKeySet::at(JWKS).fetch(fetch.clone()).without_background_refresh();
    builder.build().await.unwrap()
}

/// Returns the claims of a valid token, with some set or, for null, removed.
fn claims(changes: Value) -> Value {
    let now = get_current_timestamp();
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "scope": "orders:read", "iat": now, "exp": now + 900,
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn read(claims: Claims) -> bool {
    claims.sub == "alice" && claims.scope.as_deref() == Some("orders:read")
}

/// Tokens that the second table does not list must be validated identically by all three apps.
#[tokio::test]
async fn migration_steps_accept_the_same_tokens_except_the_listed_ones() {
    let (old, new) = (key("old"), key("new"));
    let fetch = ScriptedFetch::default();
    publish(&fetch, &[&old]);
    let before = before::App::new(&TestKey::jwks([&old]).to_string()).unwrap();
    let keys = set(&fetch).await;
    let step_1 = step_1::App::new(keys.clone());
    let step_2 = step_2::App::new(keys).await.unwrap();
    publish(&fetch, &[&old, &new]);
    let judged = async |token: &str| {
        [
            before.claims(token).is_ok_and(read),
            step_1.claims(token).await.is_ok_and(read),
            step_2.claims(&bearer(token)).await.is_ok_and(read),
        ]
    };
    let now = get_current_timestamp();
    let of = |changes| old.token(&claims(changes));
    let headed = |header: Value| old.sign(&header.to_string(), &claims(json!({})).to_string());
    let alike = [
        ("good", of(json!({})), true),
        ("expired within the leeway", of(json!({"exp": now - 30})), true),
        ("several audiences", of(json!({"aud": ["x", AUDIENCE]})), true),
        ("expired", of(json!({"exp": now - 120})), false),
        ("without exp", of(json!({"exp": null})), false),
        ("exp as text", of(json!({"exp": "9999999999"})), false),
        ("another API's", of(json!({"aud": "https://other.example"})), false),
        ("another issuer's", of(json!({"iss": "https://other.example"})), false),
        ("aud of another type", of(json!({"aud": 7})), false),
        ("forged", key("old").token(&claims(json!({}))), false),
        ("an unpublished key", key("unknown").token(&claims(json!({}))), false),
        ("HS256", headed(json!({"alg": "HS256", "kid": "old"})), false),
        ("an algorithm of another key", headed(json!({"alg": "ES384", "kid": "old"})), false),
        ("alg none", headed(json!({"alg": "none", "kid": "old"})), false),
        ("crit", headed(json!({"alg": "ES256", "kid": "old", "crit": ["x"], "x": 1})), false),
        ("no token", "a.b.c".to_owned(), false),
    ];
    for (name, token, expected) in alike {
        assert_eq!(judged(&token).await, [expected; 3], "{name}");
    }
    let typed = |typ| headed(json!({"alg": "ES256", "kid": "old", "typ": typ}));
    let as_id_token = |changes| {
        old.sign(r#"{"alg":"ES256","kid":"old","typ":"JWT"}"#, &claims(changes).to_string())
    };
    let differing = [
        // Step 1 finds a key that was published after the start.
        ("a key that was published later", new.token(&claims(json!({}))), [false, true, true]),
        // In step 1, `DecodingKeySource::decode` would also accept this token: two keys match it.
        ("without kid", headed(json!({"alg": "ES256"})), [false, false, true]),
        // Step 2 also checks claims and header members that jsonwebtoken ignores or does not
        // require.
        ("without aud", of(json!({"aud": null})), [true, true, false]),
        ("without iss", of(json!({"iss": null})), [true, true, false]),
        ("iss in an array", of(json!({"iss": [ISSUER]})), [true, true, false]),
        ("nbf in an hour", of(json!({"nbf": now + 3600})), [true, true, false]),
        ("iat in an hour", of(json!({"iat": now + 3600})), [true, true, false]),
        ("an ID token", as_id_token(json!({"nonce": "n"})), [true, true, false]),
        ("a logout token", typed("logout+jwt"), [true, true, false]),
        ("a proof", typed("dpop+jwt"), [true, true, false]),
        ("bound to a key", of(json!({"cnf": {"jkt": "x"}})), [true, true, false]),
        ("longer than 16 KiB", of(json!({"more": "x".repeat(20_000)})), [true, true, false]),
    ];
    for (name, token, expected) in &differing {
        assert_eq!(judged(token).await, *expected, "{name}");
    }
    // The migration page lists these tokens.
    let page = include_str!("../../../../docs/migrating/from-jsonwebtoken.md");
    for (name, _, [before, step_1, step_2]) in differing {
        let said = |accepted: bool| if accepted { "accepted" } else { "refused" };
        let row = format!("| {name} | {} | {} | {} |", said(before), said(step_1), said(step_2));
        assert!(page.contains(&row), "the page lacks {row}");
    }
}

/// The authenticator enforces the settings that `issuer_settings` returns.
#[tokio::test]
async fn required_claims_algorithms_and_audiences_of_a_validation_are_enforced() {
    let key = key("k");
    let mut validation = validation();
    validation.set_required_spec_claims(&["exp", "nbf", "sub"]);
    validation.set_audience(&["https://second.example", AUDIENCE]);
    validation.leeway = 0;
    let judged = async |validation: &Validation, changes: Value| {
        let keys = SharedKeySet::new(TestKey::key_set([&key]));
        let settings = issuer_settings(validation).unwrap().key_source(keys);
        let auth = AuthenticatorBuilder::new(settings).build().await.unwrap();
        rule(&auth, &bearer(&key.token(&claims(changes)))).await
    };
    let now = get_current_timestamp();
    assert_eq!(judged(&validation, json!({"nbf": now})).await, "accepted");
    let second = json!({"nbf": now, "aud": "https://second.example"});
    assert_eq!(judged(&validation, second).await, "accepted");
    assert_eq!(judged(&validation, json!({})).await, "required_claim");
    assert_eq!(judged(&validation, json!({"nbf": now, "sub": null})).await, "required_claim");
    assert_eq!(judged(&validation, json!({"nbf": now, "exp": now - 5})).await, "exp");
    validation.algorithms = vec![jsonwebtoken::Algorithm::ES384];
    assert_eq!(judged(&validation, json!({"nbf": now})).await, "alg");
}

#[test]
fn page_contains_the_tested_apps() {
    let page = include_str!("../../../../docs/migrating/from-jsonwebtoken.md");
    for app in [include_str!("before.rs"), include_str!("step_1.rs"), include_str!("step_2.rs")] {
        assert!(page.contains(&format!("```rust\n{app}```")), "the page lacks:\n{app}");
    }
}

/// The page's row about unusable keys.
#[tokio::test]
async fn only_mistyped_members_fail_the_old_apps_whole_set_and_never_ours() {
    let good = key("good");
    let token = good.token(&claims(json!({})));
    for (unusable, old_app_starts) in [
        (json!({"kty": "EC", "kid": 7, "crv": "P-256", "x": "", "y": ""}), false),
        (json!({"kty": "EC", "kid": "b", "crv": "secp256k1", "x": "", "y": ""}), true),
        (json!({"kty": "AKP", "kid": "b", "alg": "ML-DSA-65", "pub": ""}), true),
    ] {
        let jwks = json!({"keys": [unusable, good.jwk()]});
        assert_eq!(before::App::new(&jwks.to_string()).is_ok(), old_app_starts, "{jwks}");
        let fetch = ScriptedFetch::default();
        fetch.set(JWKS, Answer::ok(jwks));
        let step_1 = step_1::App::new(set(&fetch).await);
        assert!(step_1.claims(&token).await.is_ok_and(read));
    }
}

/// jsonwebtoken has no limits: an app that fetches for each unknown `kid` fetches for every forged
/// token.
#[tokio::test]
async fn unknown_kids_spend_a_budget_and_differ_from_an_outage() {
    let known = key("k");
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    publish(&fetch, &[&known]);
    let builder = RemoteKeySet::at(JWKS).fetch(fetch.clone()).clock(clock.clone());
    let keys = builder.without_background_refresh().build().await.unwrap();
    let mut statuses = Vec::new();
    for number in 0..100 {
        let token = key(&format!("unknown-{number}")).token(&claims(json!({})));
        let error = keys.decode::<Claims>(&token, &validation()).await.unwrap_err();
        statuses.push(error.status());
    }
    assert_eq!(fetch.requests().len(), 4);
    let (looked_for, limited) = statuses.split_at(3);
    assert_eq!(looked_for, [StatusCode::UNAUTHORIZED; 3]);
    assert!(limited.iter().all(|status| *status == StatusCode::TOO_MANY_REQUESTS));
    // An algorithm that no key set has a key for, and one that is not allowed, trigger no lookup.
    clock.advance(Duration::from_secs(3000));
    for alg in ["HS256", "ES384"] {
        let token = known.sign(&json!({"alg": alg, "kid": "x"}).to_string(), "{}");
        let error = keys.decode::<Claims>(&token, &validation()).await.unwrap_err();
        assert!(matches!(error, DecodeError::Token(_)), "{error}");
    }
    let secret = known.sign(r#"{"alg":"HS256","kid":"x"}"#, "{}");
    let error = keys.decoding_key(&decode_header(&secret).unwrap()).await.unwrap_err();
    assert!(matches!(error, DecodingKeyError::NoPublicKey { .. }), "{error}");
    assert_eq!(fetch.requests().len(), 4);

    // While the issuer is unreachable, stale keys are used. After `max_stale`, the error is about
    // the keys.
    fetch.set(JWKS, Answer::Fails);
    let token = known.token(&claims(json!({})));
    assert!(keys.decode::<Claims>(&token, &validation()).await.is_ok_and(|data| read(data.claims)));
    clock.advance(Duration::from_secs(4000));
    let error = keys.decode::<Claims>(&token, &validation()).await.unwrap_err();
    assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE, "{error}");
    let DecodeError::Key(error) = error else { panic!("{error}") };
    assert!(error.retry_after().is_some_and(|after| !after.is_zero()));
}

/// serde quotes the value that does not fit, and errors must not contain a token's values.
#[tokio::test]
async fn errors_contain_no_value_of_the_token() {
    let key = key("k");
    let keys = SharedKeySet::new(TestKey::key_set([&key]));
    for (changes, header) in [
        (json!({"sub": {"s3cret": 1}}), json!({"alg": "ES256", "kid": "k"})),
        (json!({"scope": ["s3cret"]}), json!({"alg": "ES256", "kid": "k"})),
        (json!({"scope": 53_737_373}), json!({"alg": "ES256", "kid": "k"})),
        (json!({}), json!({"alg": "ES256", "kid": "s3cret"})),
        (json!({}), json!({"alg": "s3cret", "kid": "k"})),
        (json!({}), json!({"alg": "ES256", "kid": ["s3cret"]})),
        (json!({}), json!({"alg": "ES256", "kid": "k", "crit": ["s3cret"]})),
    ] {
        let token = key.sign(&header.to_string(), &claims(changes).to_string());
        let error = keys.decode::<Claims>(&token, &validation()).await.unwrap_err();
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("s3cret") && !text.contains("53737373"), "{text}");
        }
        assert_eq!(error.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn decode_finds_a_replaced_key_and_tries_every_key_without_a_kid() {
    let (first, second) = (key("a"), key("b"));
    let fetch = ScriptedFetch::default();
    publish(&fetch, &[&first, &second]);
    let keys = set(&fetch).await;
    let decode = async |token: &str| keys.decode::<Claims>(token, &validation()).await;
    for signer in [&first, &second] {
        let token = signer.sign(r#"{"alg":"ES256"}"#, &claims(json!({})).to_string());
        assert!(decode(&token).await.is_ok());
        let error = keys.decoding_key(&decode_header(&token).unwrap()).await.unwrap_err();
        assert!(matches!(error, DecodingKeyError::SeveralKeys), "{error}");
    }
    let replaced = key("a");
    publish(&fetch, &[&replaced, &second]);
    let token = replaced.token(&claims(json!({})));
    assert!(decode(&token).await.is_ok());
    assert_eq!(fetch.requests().len(), 2);
    // The replaced key is rejected from then on, without another fetch.
    assert!(decode(&first.token(&claims(json!({})))).await.is_err());
    assert_eq!(fetch.requests().len(), 2);
}
