//! A verified token that is remembered too long, or for somebody else.
//!
//! Verified tokens are kept, and found by nothing but all of their bytes; what a token was accepted
//! for is asked again each time: the time that it is now, and the key that counts now.

use std::time::Duration;

use portcullis::testing::{ManualClock, TestKey};
use portcullis::{Algorithm, Authenticator, KeySet, SharedKeySet};
use serde_json::json;

use super::support::{AUDIENCE, ISSUER, NOW, auth, bearer, builder, claims, rule, split};

/// CVE-2026-107719 (fast-jwt): without `iat` a remembered token never expired.
#[tokio::test]
async fn a_token_that_was_accepted_expires_all_the_same() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for name in ["", "iat", "sub"] {
        let clock = ManualClock::at(NOW);
        let auth = builder(&key).clock(clock.clone()).build().await.unwrap();
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        let token = key.token(&claims);
        for _ in 0..100 {
            assert_eq!(rule(&auth, &token).await, "accepted", "without {name}");
        }
        clock.advance(Duration::from_secs(910));
        assert_eq!(rule(&auth, &token).await, "exp", "without {name}");
    }
}

/// The rest of that class: entries that did not know which key had verified them.
#[tokio::test]
async fn a_token_that_was_accepted_goes_with_its_key() {
    let (key, other) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("k", Algorithm::Es256));
    let keys = SharedKeySet::new(TestKey::key_set([&key]));
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(keys.clone())
        .clock(ManualClock::at(NOW))
        .build()
        .await
        .unwrap();
    let token = key.token(&claims());
    assert_eq!(rule(&auth, &token).await, "accepted");
    keys.replace(TestKey::key_set([&other]));
    assert_eq!(rule(&auth, &token).await, "signature");
    keys.replace(KeySet::default());
    assert_eq!(rule(&auth, &token).await, "kid");
    keys.replace(TestKey::key_set([&key]));
    assert_eq!(rule(&auth, &token).await, "accepted", "and a refusal is not remembered either");
}

/// CVE-2026-35039 (fast-jwt): two tokens under one key of the cache swapped their bearers.
#[tokio::test]
async fn nobody_gets_the_identity_of_another() {
    let key = TestKey::generate("k", Algorithm::Ed25519);
    let auth = auth(&key).await;
    // Alike in all that a careless key of a cache would be made of: header, length, ends, `jti`.
    let tokens: Vec<_> = (1000..1500)
        .map(|number| {
            let mut claims = claims();
            claims["jti"] = json!("same");
            claims["sub"] = json!(format!("user-{number}"));
            (format!("user-{number}"), key.token(&claims))
        })
        .collect();
    for _ in 0..2 {
        for (subject, token) in &tokens {
            let who = auth.authenticate(&bearer(token)).await.unwrap();
            assert_eq!(who.subject(), Some(subject.as_str()));
        }
    }
    // The signature of one behind the claims of another, both accepted a moment ago.
    for pair in tokens.windows(2) {
        let (input, _) = split(&pair[0].1);
        let (_, signature) = split(&pair[1].1);
        assert_eq!(rule(&auth, &format!("{input}.{signature}")).await, "signature");
    }
}
