//! Keys that outlive their withdrawal, verify another issuer's tokens, or vanish in an outage.
//!
//! Each issuer has its own key set. Only a valid response replaces the set, always as a whole. A
//! `kid` that is not in the set has no key.

use std::time::Duration;

use portcullis::testing::{Answer, ManualClock, Scene, ScriptedFetch, TestKey};
use portcullis::{
    Algorithm, Authenticator, AuthenticatorBuilder, IssuerSettings,
    keys::{KeySet, SharedKeySet},
    signature,
};
use serde_json::json;

use super::support::{AUDIENCE, ISSUER, JWKS, NOW, claims, request_rule as rule};

/// An issuer whose keys are fetched, and a clock.
struct World {
    fetch: ScriptedFetch,
    clock: ManualClock,
    auth: Authenticator,
}

impl World {
    async fn publishing(keys: &[&TestKey]) -> Self {
        let scene = Scene::unpublished().await;
        scene.publish(keys.iter().copied());
        scene.auth.refresh().await.unwrap();
        Self { fetch: scene.fetch, clock: scene.clock, auth: scene.auth }
    }

    fn publish(&self, keys: &[&TestKey]) {
        self.fetch.set(JWKS, Answer::ok(TestKey::jwks(keys.iter().copied())));
    }

    async fn rule(&self, key: &TestKey) -> &'static str {
        rule(&self.auth, &long_lived(key, ISSUER)).await
    }

    fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }
}

fn long_lived(key: &TestKey, issuer: &str) -> String {
    let mut claims = claims();
    claims["iss"] = json!(issuer);
    claims["exp"] = json!(NOW + 90_000);
    key.token(&claims)
}

fn es256(id: &str) -> TestKey {
    TestKey::generate(id, Algorithm::Es256)
}

/// CVE-2025-22149 (jwkset): a refresh added keys and removed none; CVE-2026-50202 (Steeltoe): keys
/// never expired.
#[tokio::test]
async fn removed_key_is_rejected_after_the_ttl() {
    let (old, new) = (es256("old"), es256("new"));
    let world = World::publishing(&[&old, &new]).await;
    assert_eq!(world.rule(&old).await, "accepted");
    world.publish(&[&new]);
    world.advance(301);
    assert_eq!(world.rule(&old).await, "kid");
    assert_eq!(world.rule(&new).await, "accepted");
    // An empty set is valid.
    world.publish(&[]);
    world.advance(301);
    assert_eq!(world.rule(&new).await, "kid");
}

/// If a key is replaced under the same `kid`, only the new key is used.
#[tokio::test]
async fn replaced_key_is_rejected_under_the_same_kid() {
    let (old, new) = (es256("k"), es256("k"));
    let world = World::publishing(&[&old]).await;
    assert_eq!(world.rule(&old).await, "accepted");
    world.publish(&[&new]);
    world.advance(301);
    assert_eq!(world.rule(&new).await, "accepted");
    assert_eq!(world.rule(&old).await, "signature");
}

/// GHSA-fhv5-28vv-h8m8 (PyJWT): one failed fetch, which an unknown `kid` could cause, emptied the
/// set.
#[tokio::test]
async fn failed_refresh_keeps_the_keys() {
    let (key, unknown) = (es256("k"), es256("unknown"));
    let failures = [
        Answer::Fails,
        Answer::status(500, ""),
        Answer::status(404, "{\"keys\":[]}"),
        Answer::status(204, ""),
        Answer::ok("<html>maintenance</html>"),
        Answer::ok("{}"),
        Answer::ok("{\"keys\":null}"),
        Answer::ok("[]"),
        Answer::ok(""),
        Answer::status(302, "").with("location", "https://evil.example/keys"),
    ];
    for failure in failures {
        let world = World::publishing(&[&key]).await;
        world.fetch.set(JWKS, failure.clone());
        world.advance(31);
        assert_eq!(world.rule(&unknown).await, "key_budget_spent", "{failure:?}");
        assert_eq!(world.rule(&key).await, "accepted", "{failure:?}");
        world.advance(300);
        assert_eq!(world.rule(&key).await, "accepted", "stale: {failure:?}");
        // The use of stale keys is bounded, because an issuer that is cut off cannot withdraw a
        // key.
        world.advance(4000);
        assert_eq!(world.rule(&key).await, "keys_unavailable", "{failure:?}");
        world.publish(&[&key]);
        world.advance(301);
        assert_eq!(world.rule(&key).await, "accepted", "{failure:?}");
    }
}

/// CVE-2026-89313 (gose): an unknown `kid` selected the last key.
#[tokio::test]
async fn unknown_kid_is_rejected_even_with_a_valid_signature() {
    let (first, last) = (es256("first"), es256("last"));
    let world = World::publishing(&[&first, &last]).await;
    for key in [&first, &last] {
        for kid in ["", "other", "LAST", "last ", "las", "last\u{0}", "0", "*"] {
            let header = json!({"alg": "ES256", "kid": kid}).to_string();
            let token = key.sign(&header, &claims().to_string());
            world.advance(31);
            assert_eq!(rule(&world.auth, &token).await, "kid", "{kid:?}");
        }
    }
}

fn of(issuer: &str, key: &TestKey) -> IssuerSettings {
    IssuerSettings::new(issuer, AUDIENCE).key_source(SharedKeySet::new(TestKey::key_set([key])))
}

/// CVE-2025-59936 (get-jwks: the parts of a cache key were concatenated), CVE-2026-50202 (Steeltoe:
/// the `kid` alone was the cache key).
#[tokio::test]
async fn key_verifies_only_tokens_of_its_issuer() {
    let issuers = ["https://a.example", "https://b.example", "https://a.example:https://b.example"];
    for kid in ["k", "https://b.example", "k:https://b.example", "ES256:k:https://a.example"] {
        let keys = [es256(kid), es256(kid), es256(kid)];
        let auth = AuthenticatorBuilder::new(of(issuers[0], &keys[0]))
            .clock(ManualClock::at(NOW))
            .also_issuer(of(issuers[1], &keys[1]))
            .also_issuer(of(issuers[2], &keys[2]))
            .build()
            .await
            .unwrap();
        // There are two rounds, so that state left over from the first would affect the second.
        for _ in 0..2 {
            for (signer, key) in keys.iter().enumerate() {
                for (claimed, issuer) in issuers.iter().enumerate() {
                    let expected = if signer == claimed { "accepted" } else { "signature" };
                    let token = long_lived(key, issuer);
                    assert_eq!(rule(&auth, &token).await, expected, "{kid} {signer} {claimed}");
                }
            }
        }
    }
}

/// A server's headers may shorten a key's life, and never extend it.
#[tokio::test]
async fn caching_headers_only_shorten_the_life_of_a_removed_key() {
    for (control, ttl) in [
        ("max-age=60", 60),
        ("max-age=86400", 300),
        ("max-age=86400, immutable", 300),
        ("no-cache, no-store, max-age=0, must-revalidate", 300),
    ] {
        let (old, new) = (es256("old"), es256("new"));
        let world = World::publishing(&[&old, &new]).await;
        let published = Answer::ok(TestKey::jwks([&old, &new])).with("cache-control", control);
        world.fetch.set(JWKS, published);
        world.auth.refresh().await.unwrap();
        world.publish(&[&new]);
        world.advance(ttl - 1);
        assert_eq!(world.rule(&old).await, "accepted", "{control}");
        world.advance(2);
        assert_eq!(world.rule(&old).await, "kid", "{control}");
    }
}

/// If the service is set to obey headers that forbid stale keys, it uses no stale keys in an
/// outage.
#[tokio::test]
async fn obeyed_no_cache_forbids_stale_keys() {
    for control in ["max-age=60, must-revalidate", "no-cache", "no-store"] {
        for (obeys, expected) in [(false, "accepted"), (true, "keys_unavailable")] {
            let key = es256("k");
            let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
            fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])).with("cache-control", control));
            let builder = Authenticator::builder(ISSUER, AUDIENCE)
                .jwks_url(JWKS)
                .fetch(fetch.clone())
                .clock(clock.clone())
                .without_background_refresh();
            let builder = if obeys { builder.obey_no_cache() } else { builder };
            let auth = builder.build().await.unwrap();
            let token = long_lived(&key, ISSUER);
            fetch.set(JWKS, Answer::Fails);
            clock.advance(Duration::from_secs(301));
            assert_eq!(rule(&auth, &token).await, expected, "{control}, obeyed: {obeys}");
        }
    }
}

/// If two keys have one `kid`, any choice would be a guess, or would be the attacker's choice.
#[test]
fn two_different_keys_with_one_kid_are_not_used() {
    let (one, two, other) = (es256("k"), es256("k"), es256("other"));
    let json = TestKey::jwks([&one, &two, &other]).to_string();
    let set = KeySet::from_json(json.as_bytes()).unwrap();
    for key in [&one, &two] {
        let error = signature::verify(&key.token(&claims()), &set, Algorithm::ALL).unwrap_err();
        assert_eq!(error.rule(), "kid");
    }
    assert!(signature::verify(&other.token(&claims()), &set, Algorithm::ALL).is_ok());
}

/// Several keys match a token without `kid`: each is tried, and a token that needs more attempts
/// than allowed is rejected.
#[tokio::test]
async fn without_a_kid_up_to_four_keys_are_tried() {
    let keys = ["a", "b", "c", "d", "e"].map(es256);
    for (number, expected) in [(2, "accepted"), (4, "accepted"), (5, "kid")] {
        let other = es256("f");
        let auth = super::support::builder(&keys[0])
            .key_source(SharedKeySet::new(TestKey::key_set(&keys[..number])))
            .build()
            .await
            .unwrap();
        let sign = |key: &TestKey| key.sign(r#"{"alg":"ES256"}"#, &claims().to_string());
        for key in &keys[..number] {
            // Each token is sent twice: the second time, it is cached.
            for _ in 0..2 {
                assert_eq!(rule(&auth, &sign(key)).await, expected, "{number}");
            }
        }
        let forged = if number == 5 { "kid" } else { "signature" };
        assert_eq!(rule(&auth, &sign(&other)).await, forged, "{number}");
    }
}

/// A key that is replaced under its `kid` is used after one fetch, and forgeries cause at most one
/// fetch per `kid` and cooldown.
#[tokio::test]
async fn key_replaced_under_its_kid_is_accepted_and_forgeries_cause_few_fetches() {
    let [old, new, forger] = ["k", "k", "k"].map(es256);
    let world = World::publishing(&[&old]).await;
    let start = world.fetch.requests().len();
    let fetches = || world.fetch.requests().len() - start;
    assert_eq!(world.rule(&old).await, "accepted");
    world.publish(&[&new]);
    assert_eq!(world.rule(&new).await, "accepted");
    // The old key is rejected for a cached token, too.
    assert_eq!(world.rule(&old).await, "signature");
    assert_eq!(fetches(), 1);

    for _ in 0..1000 {
        assert_eq!(world.rule(&forger).await, "signature");
    }
    assert_eq!(fetches(), 1, "within one cooldown of the last one");
    for round in 0..10 {
        world.advance(30);
        for _ in 0..100 {
            assert_eq!(world.rule(&forger).await, "signature");
            assert_eq!(world.rule(&new).await, "accepted");
        }
        assert_eq!(fetches(), 2 + round);
    }
    // While the issuer is unreachable, the verdict is the same and causes no fetch.
    world.fetch.set(JWKS, Answer::Fails);
    world.advance(30);
    assert_eq!(world.rule(&forger).await, "signature");
    let before = fetches();
    world.advance(3);
    assert_eq!(world.rule(&forger).await, "signature");
    assert_eq!((world.rule(&new).await, fetches()), ("accepted", before));
}

/// Forgeries with known `kid`s spend the budget for unknown `kid`s.
#[tokio::test]
async fn forgeries_with_known_kids_spend_the_unknown_kid_budget() {
    let keys = ["a", "b", "c", "d", "e"].map(es256);
    let world = World::publishing(&keys.each_ref()).await;
    let start = world.fetch.requests().len();
    let fetches = || world.fetch.requests().len() - start;
    let forged = ["a", "b", "c", "d", "e"].map(es256);
    for forger in &forged {
        assert_eq!(world.rule(forger).await, "signature");
    }
    assert_eq!(fetches(), 3);
    assert_eq!(world.rule(&es256("unknown")).await, "key_budget_spent");
    // After the cooldown, one more fetch is allowed. The first request uses it.
    world.advance(30);
    assert_eq!(world.rule(&es256("unknown")).await, "kid");
    assert_eq!(world.rule(&forged[3]).await, "signature");
    assert_eq!(fetches(), 4);
    // With a full budget and an unreachable issuer, one fetch fails, and no other fetch starts
    // during back-off.
    world.advance(90);
    assert_eq!(world.rule(&keys[0]).await, "accepted");
    let before = fetches();
    world.fetch.set(JWKS, Answer::Fails);
    for forger in &forged {
        assert_eq!(world.rule(forger).await, "signature");
    }
    assert_eq!(fetches(), before + 1);
}

/// One `kid` for keys of two algorithms is unambiguous: the token's algorithm selects the key.
#[tokio::test]
async fn keys_of_two_algorithms_may_share_a_kid() {
    let keys = [es256("k"), TestKey::generate("k", Algorithm::Ed25519)];
    let auth = super::support::builder(&keys[0])
        .key_source(SharedKeySet::new(TestKey::key_set(&keys)))
        .build()
        .await
        .unwrap();
    for key in &keys {
        assert_eq!(rule(&auth, &key.token(&claims())).await, "accepted");
    }
}

/// A key that is listed twice is unambiguous: the issuer's tokens stay valid.
#[tokio::test]
async fn duplicate_key_is_one_key() {
    let key = es256("k");
    let world = World::publishing(&[&key, &key]).await;
    assert_eq!(world.rule(&key).await, "accepted");
}

/// One RSA key that is published for two algorithms is two keys; each verifies its own algorithm.
#[test]
fn key_listed_for_two_algorithms_is_two_keys() {
    let key = TestKey::generate("k", Algorithm::Rs256);
    let (rs256, mut ps256) = (key.jwk(), key.jwk());
    ps256["alg"] = json!("PS256");
    let set = json!({"keys": [rs256, ps256]}).to_string();
    let algorithms: Vec<_> = KeySet::from_json(set.as_bytes())
        .unwrap()
        .iter()
        .flat_map(portcullis::keys::VerificationKey::algorithms)
        .collect();
    assert_eq!(algorithms, [Algorithm::Rs256, Algorithm::Ps256]);
}

/// After the maximum staleness, a key is not used for any token, not even in an outage.
#[tokio::test]
async fn stale_keys_are_rejected_after_max_stale() {
    let key = es256("k");
    let world = World::publishing(&[&key]).await;
    world.fetch.set(JWKS, Answer::status(503, ""));
    world.advance(301);
    assert_eq!(world.rule(&key).await, "accepted", "stale");
    world.advance(3600);
    assert_eq!(world.rule(&key).await, "keys_unavailable", "the end");
    // The keys are also unavailable after a fetch that has just failed and is not retried yet.
    assert_eq!(world.rule(&key).await, "keys_unavailable", "also later");
}

/// A set with too many keys is rejected as a whole: each key would have to be parsed and searched.
#[tokio::test]
async fn key_set_over_the_limit_is_rejected() {
    let key = es256("k");
    let world = World::publishing(&[&key]).await;
    let mut jwks = TestKey::jwks([&key]);
    let keys = jwks["keys"].as_array_mut().unwrap();
    keys.extend((0..200).map(|number| json!({"kty": "x", "kid": number.to_string()})));
    assert_eq!(keys.len(), 201);
    let error = KeySet::from_json(jwks.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "more than 200 keys");
    // The earlier set stays.
    world.fetch.set(JWKS, Answer::ok(jwks));
    world.advance(301);
    assert_eq!(world.rule(&key).await, "accepted");
}

/// Metadata of another issuer leads to that issuer's keys (RFC 8414 §3.3).
#[tokio::test]
async fn metadata_of_another_issuer_is_not_used() {
    let key = es256("k");
    let metadata = "https://issuer.example/.well-known/openid-configuration";
    for (issuer, expected) in [
        (ISSUER, true),
        ("https://issuer.example/", false),
        ("https://ISSUER.example", false),
        ("https://evil.example", false),
    ] {
        let fetch = ScriptedFetch::default();
        fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
        fetch.set(metadata, Answer::ok(json!({"issuer": issuer, "jwks_uri": JWKS})));
        let auth = Authenticator::builder(ISSUER, AUDIENCE)
            .fetch(fetch)
            .clock(ManualClock::at(NOW))
            .build()
            .await;
        assert_eq!(auth.is_ok(), expected, "{issuer}: {auth:?}");
    }
}

/// nginx gives a file of equal length and modification time the same ETag, so a 304 would confirm
/// keys that were replaced. Key sets are therefore fetched unconditionally.
#[tokio::test]
async fn unchanged_validators_do_not_keep_a_withdrawn_key() {
    let (old, new) = (es256("k1"), es256("k2"));
    let world = World::publishing(&[&old]).await;
    let tagged = |key| Answer::ok(TestKey::jwks([key])).with("etag", "\"1\"");
    world.fetch.set(JWKS, tagged(&old));
    world.advance(301);
    assert_eq!(world.rule(&old).await, "accepted");
    world.fetch.set(JWKS, tagged(&new));
    world.advance(301);
    assert_eq!(world.rule(&old).await, "kid");
    assert_eq!(world.rule(&new).await, "accepted");
    // A 304 to an unconditional request, with any validator, confirms nothing.
    world.fetch.set(JWKS, Answer::status(304, "").with("etag", "\"2\""));
    world.advance(4000);
    assert_eq!(world.rule(&new).await, "keys_unavailable");
    let conditional = ["if-none-match", "if-modified-since"];
    for request in world.fetch.requests() {
        assert!(conditional.iter().all(|name| !request.headers.contains_key(*name)));
    }
}

/// The issuer moves its key set, and the old URL keeps serving the old keys: the metadata is read
/// with each fetch.
#[tokio::test]
async fn keys_at_a_former_jwks_uri_are_rejected_after_the_ttl() {
    const METADATA: &str = "https://issuer.example/.well-known/openid-configuration";
    const MOVED: &str = "https://issuer.example/moved";
    let (old, new) = (es256("old"), es256("new"));
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    let metadata = |keys| Answer::ok(json!({"issuer": ISSUER, "jwks_uri": keys}));
    fetch.set(METADATA, metadata(JWKS));
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&old])));
    let auth = Authenticator::builder(ISSUER, AUDIENCE)
        .fetch(fetch.clone())
        .clock(clock.clone())
        .without_background_refresh()
        .build()
        .await
        .unwrap();
    let world = World { fetch, clock, auth };
    assert_eq!(world.rule(&old).await, "accepted");
    world.fetch.set(METADATA, metadata(MOVED));
    world.fetch.set(MOVED, Answer::ok(TestKey::jwks([&new])));
    world.advance(301);
    assert_eq!(world.rule(&old).await, "kid");
    assert_eq!(world.rule(&new).await, "accepted");
}

/// The monotonic clock stops while a machine is suspended or restored from a snapshot.
#[tokio::test]
async fn suspended_machine_does_not_accept_withdrawn_keys() {
    let (old, new) = (es256("old"), es256("new"));
    let world = World::publishing(&[&old, &new]).await;
    assert_eq!(world.rule(&old).await, "accepted");
    world.publish(&[&new]);
    world.clock.suspend(Duration::from_secs(301));
    assert_eq!(world.rule(&old).await, "kid");
    world.fetch.set(JWKS, Answer::Fails);
    world.clock.suspend(Duration::from_secs(36_000));
    assert_eq!(world.rule(&new).await, "keys_unavailable");
}

/// `Retry-After` is obeyed while the keys are fresh; past their TTL the server is fetched again.
#[tokio::test]
async fn retry_after_does_not_keep_a_withdrawn_key() {
    let (old, new) = (es256("old"), es256("new"));
    let world = World::publishing(&[&old, &new]).await;
    world.fetch.set(JWKS, Answer::status(503, "").with("retry-after", "300"));
    world.advance(299);
    world.auth.refresh().await.unwrap_err();
    world.publish(&[&new]);
    let bound = world.auth.status().remove(0).keys.unwrap().withdrawal_bound.as_secs();
    for _ in 300..=bound {
        world.advance(1);
        let _ = world.rule(&old).await;
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    assert_eq!(world.rule(&old).await, "kid");
}

/// A flood of unknown `kid`s causes a burst and one fetch per cooldown, and does not affect valid
/// tokens.
#[tokio::test]
async fn unknown_kids_cause_few_fetches() {
    let key = es256("k");
    let world = World::publishing(&[&key]).await;
    world.advance(31);
    let before = world.fetch.requests().len();
    for number in 0..200 {
        let header = json!({"alg": "ES256", "kid": format!("random-{number}")}).to_string();
        let token = key.sign(&header, &claims().to_string());
        let refused = if number < 3 { "kid" } else { "key_budget_spent" };
        assert_eq!(rule(&world.auth, &token).await, refused);
        assert_eq!(world.rule(&key).await, "accepted");
    }
    assert_eq!(world.fetch.requests().len() - before, 3);
}

/// The most common mistake is a token of another realm or environment. It is rejected by the rule
/// `iss`, and spends no fetch budget that valid tokens need.
#[tokio::test]
async fn token_of_another_issuer_causes_no_fetch_and_is_reported_as_iss() {
    let (key, other) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("other", Algorithm::Es256));
    let fetch = ScriptedFetch::default();
    fetch.set(JWKS, Answer::ok(TestKey::jwks([&key])));
    let clock = ManualClock::at(NOW);
    let builder = Authenticator::builder(ISSUER, AUDIENCE).jwks_url(JWKS).fetch(fetch.clone());
    let builder = builder.clock(clock.clone()).without_background_refresh();
    let auth = builder.build().await.unwrap();
    let claims = |iss: &str| json!({"iss": iss, "aud": AUDIENCE, "sub": "a", "exp": NOW + 86_400});
    let foreign = other.token(&claims("https://other.example"));
    for _ in 0..20 {
        assert_eq!(rule(&auth, &foreign).await, "iss");
    }
    assert_eq!(fetch.requests().len(), 1);
    // The budget is still full.
    for _ in 0..3 {
        assert_eq!(rule(&auth, &other.token(&claims(ISSUER))).await, "kid");
    }
    assert_eq!(fetch.requests().len(), 4);
    assert_eq!(rule(&auth, &other.token(&claims(ISSUER))).await, "key_budget_spent");
    assert_eq!(rule(&auth, &foreign).await, "iss");
    // While the keys are unavailable, the token is still reported as another issuer's token.
    fetch.set(JWKS, Answer::Fails);
    clock.advance(Duration::from_secs(4000));
    assert_eq!(rule(&auth, &foreign).await, "iss");
    assert_eq!(rule(&auth, &key.token(&claims(ISSUER))).await, "keys_unavailable");
}
