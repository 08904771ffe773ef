//! A key, or the URL of a key, that the token contains.
//!
//! `jwk`, `jku`, `x5u` and `x5c` are never read. `kid` is only compared with the `kid`s of the set.
//! `iss` only selects one of the configured issuers.

use std::time::Duration;

use portcullis::keys::RemoteKeySet;
use portcullis::testing::{Answer, ManualClock, ScriptedFetch, TestKey};
use portcullis::{Algorithm, Authenticator, Profile};
use serde_json::json;

use super::support::{AUDIENCE, ISSUER, JWKS, NOW, auth, claims, encode, rule};

const EVIL: &str = "https://evil.example/keys";

/// CVE-2018-0114 (node-jose), CVE-2026-27962 (Authlib).
#[tokio::test]
async fn embedded_key_is_not_used() {
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

/// CVE-2026-48522 (PyJWT: any scheme was fetched), CVE-2025-59936 (get-jwks: the token's issuer was
/// fetched). No URL in a token is ever fetched.
#[tokio::test]
async fn url_in_a_token_is_not_fetched() {
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
            // Two cooldowns pass, so that the unknown `kid` does cause a fetch, but of the
            // configured URL.
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

/// Several rule sets share one fetched key set. A set that was discovered for one issuer verifies
/// no other issuer's tokens, and its URL must be on a host that the profile lists.
#[tokio::test]
async fn shared_key_set_has_the_limits_of_an_own_key_set() {
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
    // The key set is not limited to some algorithms, but the rule set has its own list.
    let auth = over(ISSUER).algorithms([Algorithm::Ps256]).build().await.unwrap();
    assert_eq!(rule(&auth, &key.token(&claims())).await, "alg");
}
