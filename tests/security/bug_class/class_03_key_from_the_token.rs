//! A key, or the place of one, that the token brings along.
//!
//! `jwk`, `jku`, `x5u` and `x5c` are never read; `kid` is compared with the kids of the set and is
//! used for nothing else; `iss` picks among issuers that the operator named.

use std::time::Duration;

use portcullis::keys::RemoteKeySet;
use portcullis::testing::{Answer, ManualClock, ScriptedFetch, TestKey};
use portcullis::{Algorithm, Authenticator, Profile};
use serde_json::json;

use super::support::{AUDIENCE, ISSUER, JWKS, NOW, auth, claims, encode, rule};

const EVIL: &str = "https://evil.example/keys";

/// CVE-2018-0114 (node-jose), CVE-2026-27962 (Authlib).
#[tokio::test]
async fn an_embedded_key_verifies_nothing() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Ed25519] {
        let forger = TestKey::generate("k", algorithm);
        let auth = auth(&TestKey::generate("k", algorithm)).await;
        let certificate = encode([0x30, 0x00]);
        for (name, value) in [
            ("jwk", forger.jwk()),
            ("jwk", json!(forger.jwk().to_string())),
            ("jwks", TestKey::jwks([&forger])),
            ("x5c", json!([certificate])),
            ("key", forger.jwk()),
        ] {
            for (kid, expected) in
                [(json!("k"), "signature"), (json!("evil"), "kid"), (forger.jwk(), "wrong_type")]
            {
                let header = json!({"alg": algorithm.as_str(), "kid": kid, name: value});
                let token = forger.sign(&header.to_string(), &claims().to_string());
                assert_eq!(rule(&auth, &token).await, expected, "{name} {kid}");
            }
            let header = json!({"alg": algorithm.as_str(), name: value}).to_string();
            let token = forger.sign(&header, &claims().to_string());
            assert_eq!(rule(&auth, &token).await, "signature", "{name} without kid");
        }
    }
}

/// CVE-2026-48522 (PyJWT: any scheme was fetched), CVE-2025-59936's reach (get-jwks: the issuer of
/// the token was fetched): no address out of a token is ever asked.
#[tokio::test]
async fn no_url_of_a_token_is_fetched() {
    let (key, forger) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("evil", Algorithm::Es256));
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
    fetch.set(EVIL, Answer::ok(TestKey::jwks([&forger])));
    let discovery = "https://evil.example/.well-known/openid-configuration";
    fetch.set(discovery, Answer::ok(json!({"issuer": "https://evil.example", "jwks_uri": EVIL})));
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .jwks_url(JWKS)
        .fetch(fetch.clone())
        .clock(clock.clone())
        .without_background_refresh()
        .build()
        .await
        .unwrap();
    for kid in ["evil", EVIL, "file:///etc/passwd", "../../../dev/null", "k' OR '1'='1", "k\u{0}"] {
        for url in [EVIL, "file:///dev/null", "http://169.254.169.254/", "data:,{}"] {
            // Two cooldowns, so that the unknown kid does cause a fetch: of the right place.
            clock.advance(Duration::from_secs(61));
            let header = json!({"alg": "ES256", "kid": kid, "jku": url, "x5u": url}).to_string();
            let mut theirs = claims();
            theirs["iat"] = json!(NOW);
            theirs["exp"] = json!(NOW + 90_000);
            let token = forger.sign(&header, &theirs.to_string());
            assert_eq!(rule(&auth, &token).await, "kid", "{kid} {url}");
            theirs["iss"] = json!("https://evil.example");
            let token = forger.sign(&header, &theirs.to_string());
            assert_eq!(rule(&auth, &token).await, "iss", "{kid} {url}");
        }
    }
    let asked: Vec<_> = fetch.requests().into_iter().map(|request| request.url).collect();
    assert!(asked.len() > 10 && asked.iter().all(|url| url == JWKS), "{asked:?}");
}

/// One fetched set under several rule sets: what was discovered for one issuer signs for no other one, and is
/// held to the hosts that the profile knows.
#[tokio::test]
async fn shared_set_is_trusted_no_further_than_a_set_of_ones_own() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let fetch = ScriptedFetch::default();
    fetch.set(EVIL, Answer::ok(TestKey::jwks([&key])));
    let openid = format!("{ISSUER}/.well-known/openid-configuration");
    fetch.set(&openid, Answer::ok(json!({"issuer": ISSUER, "jwks_uri": EVIL})));
    let discovered = RemoteKeySet::discover(ISSUER)
        .fetch(fetch.clone())
        .clock(ManualClock::at(NOW))
        .without_background_refresh()
        .build()
        .await
        .unwrap();
    let over = |issuer: &str| {
        let builder = Authenticator::builder(issuer, AUDIENCE).key_source(discovered.clone());
        builder.clock(ManualClock::at(NOW))
    };
    let auth = over(ISSUER).build().await.unwrap();
    assert_eq!(rule(&auth, &key.token(&claims())).await, "accepted");
    for builder in [over("https://other.example"), over(ISSUER).profile(Profile::auth0())] {
        assert!(builder.build().await.is_err());
    }
    // Its keys are for every algorithm; the rule set has a list of its own.
    let auth = over(ISSUER).algorithms([Algorithm::Ps256]).build().await.unwrap();
    assert_eq!(rule(&auth, &key.token(&claims())).await, "alg");
}
