//! The token cache: what a hit checks again, and what is never cached.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::key::{KeySet, VerificationKey};
use crate::key_source::KeySource;

/// A key source that counts verified tokens.
#[derive(Debug, Clone)]
struct Counted {
    keys: SharedKeySet,
    verified: Arc<AtomicUsize>,
}

impl Counted {
    fn new(keys: &[&TestKey]) -> Self {
        let keys = SharedKeySet::new(TestKey::key_set(keys.iter().copied()));
        Self { keys, verified: Arc::default() }
    }

    fn verified(&self) -> usize {
        self.verified.load(Ordering::SeqCst)
    }
}

impl KeySource for Counted {
    fn resolve(&self, wanted: &KeyRequest<'_>) -> MaybeReady<Result<CandidateKeys, ResolveError>> {
        self.verified.fetch_add(1, Ordering::SeqCst);
        self.keys.resolve(wanted)
    }

    fn is_current(&self, wanted: &KeyRequest<'_>, key: &VerificationKey) -> bool {
        self.keys.is_current(wanted, key)
    }
}

fn counted(keys: &Counted) -> AuthenticatorBuilder {
    Authenticator::builder("https://issuer.example", "https://api.example")
        .key_source(keys.clone())
        .clock(ManualClock::at(NOW))
}

fn kept(auth: &Authenticator) -> usize {
    auth.0.seen.as_ref().map_or(0, TokenCache::len)
}

#[tokio::test]
async fn repeated_token_is_verified_again_only_without_a_cache() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for (bytes, verified) in [(1 << 20, 1), (0, 3)] {
        let keys = Counted::new(&[&key]);
        let auth = counted(&keys).token_cache_bytes(bytes).build().await.unwrap();
        let token = key.token(&claims());
        for _ in 0..3 {
            let who = auth.authenticate(&bearer(&token)).await.unwrap();
            assert_eq!((who.subject(), who.key_id()), (Some("alice"), Some("k")));
            assert_eq!(who.claims::<Value>().unwrap(), claims());
        }
        assert_eq!(keys.verified(), verified);
        assert_eq!(kept(&auth), usize::from(bytes != 0));
    }
}

#[tokio::test]
async fn rejected_token_is_not_cached() {
    let (key, forger) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("k", Algorithm::Es256));
    let keys = Counted::new(&[&key]);
    let auth = counted(&keys).build().await.unwrap();
    let mut foreign = claims();
    foreign["aud"] = json!("https://other.example");
    for (token, expected) in [
        (forger.token(&claims()), "signature"),
        (key.token(&foreign), "aud"),
        (key.token(&json!({})), "missing_claim"),
        (key.sign(r#"{"alg":"ES256","kid":"?"}"#, &claims().to_string()), "kid"),
    ] {
        for _ in 0..2 {
            assert_eq!(rule(&auth, &token).await, expected);
        }
    }
    assert_eq!(keys.verified(), 8);
    assert_eq!(kept(&auth), 0);
}

#[tokio::test]
async fn cached_token_expires() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let secs = Duration::from_secs;
    let mut early = claims();
    early["nbf"] = json!(NOW);
    for (claims, max_age, after, expected) in [
        (claims(), secs(3600), secs(909), "accepted"),
        (claims(), secs(3600), secs(910), "exp"),
        (claims(), secs(300), secs(309), "accepted"),
        (claims(), secs(300), secs(310), "token_age"),
        (early, secs(3600), secs(0), "accepted"),
    ] {
        let (keys, clock) = (Counted::new(&[&key]), ManualClock::at(NOW));
        let auth =
            counted(&keys).max_token_age(max_age).clock(clock.clone()).build().await.unwrap();
        let token = key.token(&claims);
        assert_eq!(rule(&auth, &token).await, "accepted");
        clock.advance(after);
        assert_eq!(rule(&auth, &token).await, expected, "after {after:?}");
        assert_eq!(kept(&auth), usize::from(expected == "accepted"), "after {after:?}");
    }
}

#[tokio::test]
async fn cached_token_is_dropped_with_its_key_and_survives_other_rotations() {
    let (key, next) =
        (TestKey::generate("k", Algorithm::Es256), TestKey::generate("next", Algorithm::Es256));
    let keys = Counted::new(&[&key]);
    let auth = counted(&keys).build().await.unwrap();
    let token = key.token(&claims());
    assert_eq!(rule(&auth, &token).await, "accepted");
    // The keys are parsed again, so the objects are different, but the key is the same.
    keys.keys.replace(TestKey::key_set([&next, &key]));
    assert_eq!(rule(&auth, &token).await, "accepted");
    assert_eq!(keys.verified(), 1);
    keys.keys.replace(TestKey::key_set([&next]));
    assert_eq!(rule(&auth, &token).await, "kid");
    // A token that was signed with the former key is rejected if another key has its `kid`.
    keys.keys.replace(TestKey::key_set([&key]));
    assert_eq!(rule(&auth, &token).await, "accepted");
    keys.keys.replace(TestKey::key_set([&TestKey::generate("k", Algorithm::Es256)]));
    assert_eq!(rule(&auth, &token).await, "signature");
    keys.keys.replace(KeySet::default());
    assert_eq!(rule(&auth, &token).await, "kid");
    assert_eq!(kept(&auth), 0);
}

#[tokio::test]
async fn cached_token_past_the_ttl_waits_for_a_fetch_and_ends_with_the_keys() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    let url = "https://issuer.example/keys";
    fetch.set(url, Answer::ok(TestKey::jwks([&key])));
    let auth = Authenticator::builder("https://issuer.example", "https://api.example")
        .jwks_url(url)
        .jwks_ttl(Duration::from_secs(100))
        .max_stale(Duration::from_secs(200))
        .without_background_refresh()
        .fetch(fetch.clone())
        .clock(clock.clone())
        .build()
        .await
        .unwrap();
    let mut lasting = claims();
    lasting["exp"] = json!(NOW + 100_000);
    let request = bearer(&key.token(&lasting));
    auth.authenticate(&request).await.unwrap();
    assert_eq!(fetch.requests().len(), 1);
    // After the TTL, a cached token waits for the fetch like any other.
    clock.advance(Duration::from_secs(101));
    auth.authenticate(&request).await.unwrap();
    assert_eq!(fetch.requests().len(), 2);
    fetch.set(url, Answer::Fails);
    clock.advance(Duration::from_secs(101));
    auth.authenticate(&request).await.unwrap();
    clock.advance(Duration::from_secs(200));
    let refusal = auth.authenticate(&request).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.status().as_u16()), (RefusalKind::KeysUnavailable, 503));
    // A cached token is rejected when its key is missing in the next key set.
    clock.advance(Duration::from_secs(100));
    let other = TestKey::generate("other", Algorithm::Es256);
    fetch.set(url, Answer::ok(TestKey::jwks([&other])));
    let refusal = auth.authenticate(&request).await.unwrap_err();
    assert_eq!(refusal.token_error().map(TokenError::rule), Some("kid"));
}

#[tokio::test]
async fn cached_tokens_of_a_withdrawn_issuer_are_rejected() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let keys = Counted::new(&[&key]);
    let (vouched, tenants) = (Arc::new(AtomicBool::new(true)), keys.clone());
    struct Tenants(Arc<AtomicBool>, Counted);
    impl IssuerResolver for Tenants {
        fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
            let settings = IssuerSettings::new(issuer, "https://api.example");
            self.0.load(Ordering::SeqCst).then(|| settings.key_source(self.1.clone()))
        }
    }
    let auth = Authenticator::builder("https://main.example", "https://api.example")
        .key_source(SharedKeySet::new(KeySet::default()))
        .issuer_resolver(Tenants(vouched.clone(), tenants))
        .clock(ManualClock::at(NOW))
        .build()
        .await
        .unwrap();
    let token = key.token(&claims());
    for _ in 0..2 {
        assert_eq!(rule(&auth, &token).await, "accepted");
    }
    assert_eq!(keys.verified(), 1);
    vouched.store(false, Ordering::SeqCst);
    auth.forget("https://issuer.example");
    assert_eq!(rule(&auth, &token).await, "iss");
}

/// One rule set for each host, with the same issuer and the same keys.
struct Hosts(Counted);

impl IssuerResolver for Hosts {
    fn select<'a>(&'a self, _: &'a str, request: &'a dyn RequestView) -> Option<Cow<'a, str>> {
        request.host()
    }

    fn resolve(&self, _: &str) -> Option<IssuerSettings> {
        let settings = IssuerSettings::new("https://issuer.example", "https://api.example");
        Some(settings.key_source(self.0.clone()))
    }
}

#[tokio::test]
async fn token_that_two_rule_sets_accept_is_cached_for_each() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let keys = Counted::new(&[&key]);
    let builder = Authenticator::builder_with_resolver(Hosts(keys.clone()));
    let auth = builder.clock(ManualClock::at(NOW)).build().await.unwrap();
    let token = key.token(&claims());
    let at = |host: &str| {
        let mut headers = bearer(&token);
        headers.insert("host", host.parse().unwrap());
        headers
    };
    let (a, b) = (at("a.example"), at("b.example"));
    for _ in 0..5 {
        let [of_a, of_b] = [&a, &b].map(|headers| auth.attempt(headers));
        let [of_a, of_b] = [of_a.await.unwrap().unwrap(), of_b.await.unwrap().unwrap()];
        // The rule sets do not share the claims that a handler reads.
        let [of_a, of_b] = [of_a, of_b].map(|who| who.shared_claims::<Value>().unwrap());
        assert!(!Arc::ptr_eq(&of_a, &of_b));
    }
    assert_eq!((keys.verified(), kept(&auth)), (2, 2));
    auth.forget("a.example");
    for _ in 0..2 {
        auth.authenticate(&b).await.unwrap();
    }
    assert_eq!(keys.verified(), 2);
    auth.authenticate(&a).await.unwrap();
    assert_eq!((keys.verified(), kept(&auth)), (3, 2));
    // These are more hosts than the maximum number of cache entries for one token.
    for number in 0..40 {
        auth.authenticate(&at(&format!("{number}.example"))).await.unwrap();
    }
    assert!(kept(&auth) <= 8, "{} are kept", kept(&auth));
}

/// Authenticators with different settings do not share cached tokens.
#[tokio::test]
async fn token_cached_by_one_authenticator_is_not_accepted_by_another() {
    let key = TestKey::generate("k", Algorithm::Es256);
    let keys = Counted::new(&[&key]);
    let lax = counted(&keys).build().await.unwrap();
    let strict = counted(&keys).profile(Profile::rfc9068()).build().await.unwrap();
    let elsewhere = Authenticator::builder("https://issuer.example", "https://other.example")
        .key_source(keys.clone())
        .clock(ManualClock::at(NOW))
        .build()
        .await
        .unwrap();
    let token = key.sign(r#"{"alg":"ES256","kid":"k"}"#, &claims().to_string());
    for _ in 0..2 {
        assert_eq!(rule(&lax, &token).await, "accepted");
        assert_eq!(rule(&strict, &token).await, "typ");
        assert_eq!(rule(&elsewhere, &token).await, "aud");
    }
}

#[tokio::test]
async fn flood_of_new_tokens_stays_within_the_cache_bound() {
    let key = TestKey::generate("k", Algorithm::Ed25519);
    let keys = Counted::new(&[&key]);
    let auth = counted(&keys).token_cache_bytes(64 * 1024).build().await.unwrap();
    for number in 0..1000 {
        let mut claims = claims();
        claims["jti"] = json!(number.to_string());
        assert_eq!(rule(&auth, &key.token(&claims)).await, "accepted");
    }
    // No entry is smaller than a kibibyte.
    assert!((10..=64).contains(&kept(&auth)), "{} are kept", kept(&auth));
    let builder = |bytes| counted(&keys).token_cache_bytes(bytes).build();
    let error = builder(1000).await.unwrap_err().to_string();
    assert!(error.contains("token_cache") && error.contains("1000"), "{error}");
}

#[tokio::test]
async fn only_headers_of_accepted_tokens_are_cached_and_decide_nothing() {
    let (old, new) =
        (TestKey::generate("old", Algorithm::Es256), TestKey::generate("new", Algorithm::Es256));
    let keys = Counted::new(&[&old]);
    let auth = counted(&keys).token_cache_bytes(0).build().await.unwrap();
    let refused = [
        new.token(&claims()),
        new.sign(r#"{"alg":"ES256","kid":"old"}"#, &claims().to_string()),
        old.sign(r#"{"alg":"ES256","kid":"old","typ":"logout+jwt"}"#, &claims().to_string()),
        old.sign(r#"{"alg":"ES256","kid":"old"}"#, "{}"),
    ];
    for token in &refused {
        assert!(auth.authenticate(&bearer(token)).await.is_err());
    }
    assert_eq!(auth.0.headers.len(), 0);

    let token = old.token(&claims());
    for _ in 0..3 {
        let who = auth.authenticate(&bearer(&token)).await.unwrap();
        assert_eq!((who.key_id(), auth.0.headers.len()), (Some("old"), 1));
    }
    // A cached header is no proof: a token with other claims is rejected, and so is one whose key
    // is gone.
    let other =
        json!({"iss": "https://issuer.example", "aud": "https://other.example", "exp": NOW + 9});
    assert!(auth.authenticate(&bearer(&old.token(&other))).await.is_err());
    keys.keys.replace(TestKey::key_set([&new]));
    assert!(auth.authenticate(&bearer(&token)).await.is_err());
}

#[tokio::test]
async fn claims_are_shared_between_the_requests_of_one_token() {
    let key = TestKey::generate("k", Algorithm::Es256);
    for (bytes, shared) in [(1 << 20, true), (0, false)] {
        let auth = counted(&Counted::new(&[&key])).token_cache_bytes(bytes).build().await.unwrap();
        let token = key.token(&claims());
        let mut both = Vec::new();
        for _ in 0..2 {
            let who = auth.authenticate(&bearer(&token)).await.unwrap();
            both.push(who.shared_claims::<Value>().unwrap());
        }
        assert_eq!(*both[0], claims());
        assert_eq!(Arc::ptr_eq(&both[0], &both[1]), shared);
        let other = auth.authenticate(&bearer(&key.token(&claims()))).await.unwrap();
        assert!(!Arc::ptr_eq(&both[0], &other.shared_claims().unwrap()));
    }
}
