//! A validated token that is cached too long, or returned for another token.
//!
//! Cached tokens are found only by all of their bytes. Each cache hit checks again the conditions
//! for accepting the token: the current time, the current key, and whether its issuer is still
//! trusted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis::testing::{Answer, ManualClock, ScriptedFetch, TestKey};
use portcullis::{
    Algorithm, Authenticator, IssuerSettings, Policy,
    adapter::{MaybeReady, Requirement, Site, admit},
    config::IssuerResolver,
    keys::{KeySet, SharedKeySet},
};
use serde_json::json;

use super::support::{
    AUDIENCE, ISSUER, NOW, auth, bearer, builder, claims, request_rule, rule, split,
};

/// CVE-2026-107719 (fast-jwt): without `iat` a cached token never expired.
#[tokio::test]
async fn cached_token_is_rejected_after_its_expiry() {
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

/// A cache entry must record the key that verified the token.
#[tokio::test]
async fn cached_token_is_rejected_when_its_key_is_gone() {
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
    assert_eq!(rule(&auth, &token).await, "accepted", "a refusal is not cached either");
}

/// CVE-2026-35039 (fast-jwt): two tokens with one cache key swapped their identities.
#[tokio::test]
async fn cache_never_returns_another_callers_identity() {
    let key = TestKey::generate("k", Algorithm::Ed25519);
    let auth = auth(&key).await;
    // The tokens are equal in everything that a careless cache key would use: header, length, first
    // and last characters, `jti`.
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
    // The forged token has the claims of one token and the signature of another; both of these
    // tokens are cached.
    for pair in tokens.windows(2) {
        let (input, _) = split(&pair[0].1);
        let (_, signature) = split(&pair[1].1);
        assert_eq!(rule(&auth, &format!("{input}.{signature}")).await, "signature");
    }
}

/// One tenant, whose settings the test replaces.
#[derive(Clone)]
struct Tenant {
    settings: IssuerSettings,
    /// The URL of the tenant's keys, or `None` once the tenant is offboarded.
    jwks_url: Arc<Mutex<Option<&'static str>>>,
    asked: Arc<AtomicUsize>,
    fetch: ScriptedFetch,
}

const TENANT: &str = "https://tenant.example";
const OLD_KEYS: &str = "https://tenant.example/old";
const NEW_KEYS: &str = "https://tenant.example/new";

impl IssuerResolver for Tenant {
    fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let url = (*self.jwks_url.lock().unwrap()).filter(|_| issuer == TENANT)?;
        Some(self.settings.clone().jwks_url(url))
    }
}

impl Tenant {
    fn set(&self, jwks_url: Option<&'static str>) {
        *self.jwks_url.lock().unwrap() = jwks_url;
    }

    fn counts(&self) -> (usize, usize) {
        (self.asked.load(Ordering::SeqCst), self.fetch.requests().len())
    }
}

/// Returns a tenant, an authenticator with a token cache of `token_cache` bytes, a clock, and a
/// long-lived token.
async fn tenant(token_cache: usize) -> (Tenant, Authenticator, ManualClock, String) {
    let key = TestKey::generate("k", Algorithm::Es256);
    let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
    let settings = IssuerSettings::new(TENANT, AUDIENCE)
        .jwks_ttl(Duration::from_secs(36_000))
        .without_background_refresh()
        .fetch(fetch.clone());
    let (jwks_url, asked) = (Arc::default(), Arc::default());
    let tenant = Tenant { settings, jwks_url, asked, fetch };
    tenant.set(Some(OLD_KEYS));
    tenant.fetch.set(OLD_KEYS, Answer::ok(TestKey::jwks([&key])));
    let other = TestKey::generate("other", Algorithm::Es256);
    tenant.fetch.set(NEW_KEYS, Answer::ok(TestKey::jwks([&other])));
    let builder = builder(&other).clock(clock.clone()).token_cache_bytes(token_cache);
    let auth = builder.issuer_resolver(tenant.clone()).build().await.unwrap();
    let mut claims = claims();
    (claims["iss"], claims["exp"]) = (json!(TENANT), json!(NOW + 100_000));
    (tenant, auth, clock, key.token(&claims))
}

/// However often its tokens are used, a tenant is resolved again after an hour.
#[tokio::test]
async fn offboarded_tenant_is_rejected_within_the_resolver_ttl() {
    const MINUTE: Duration = Duration::from_secs(60);
    for token_cache in [0, 1 << 20] {
        let (tenant, auth, clock, token) = tenant(token_cache).await;
        for _ in 0..60 {
            assert_eq!(rule(&auth, &token).await, "accepted");
            clock.advance(MINUTE);
        }
        assert_eq!(tenant.counts(), (1, 1));
        // The tenant is resolved again with the same settings, so its keys are kept.
        assert_eq!(rule(&auth, &token).await, "accepted");
        assert_eq!(tenant.counts(), (2, 1));
        tenant.set(None);
        clock.advance(59 * MINUTE);
        assert_eq!(rule(&auth, &token).await, "accepted");
        clock.advance(MINUTE);
        assert_eq!(rule(&auth, &token).await, "iss");
        // The tenant's keys moved: keys from the old URL are no longer used.
        tenant.set(Some(OLD_KEYS));
        assert_eq!(rule(&auth, &token).await, "accepted");
        tenant.set(Some(NEW_KEYS));
        clock.advance(60 * MINUTE);
        assert_eq!(rule(&auth, &token).await, "kid");
    }
}

#[tokio::test]
async fn forgotten_tenant_is_accepted_only_if_resolved_again() {
    for token_cache in [0, 1 << 20] {
        let (tenant, auth, _, token) = tenant(token_cache).await;
        assert_eq!(request_rule(&auth, &token).await, "accepted");
        tenant.set(None);
        assert_eq!(request_rule(&auth, &token).await, "accepted");
        auth.forget("https://other.example");
        assert_eq!(request_rule(&auth, &token).await, "accepted");
        auth.forget(TENANT);
        assert_eq!(request_rule(&auth, &token).await, "iss");
        assert_eq!(request_rule(&auth, &token).await, "iss");
        tenant.set(Some(OLD_KEYS));
        assert_eq!(request_rule(&auth, &token).await, "accepted");
        assert_eq!(tenant.counts(), (4, 2));
    }
}

/// A caller that was accepted before its tenant was forgotten fails every requirement behind the
/// gate.
#[tokio::test]
async fn caller_of_a_forgotten_tenant_fails_requirements() {
    let (tenant, auth, _, token) = tenant(0).await;
    let who = auth.authenticate(&bearer(&token)).await.unwrap();
    let required = Requirement::from(Policy::scopes([""; 0]));
    let admitted = async || admit(Some(&who), None, None, &required, "", Site::default).await;
    assert!(admitted().await.is_ok());
    auth.forget(TENANT);
    tenant.set(None);
    assert_eq!(admitted().await.unwrap_err().rule(), "iss");
}

/// A request that waits for keys while its tenant is forgotten does not restore the old settings.
#[tokio::test]
async fn request_in_progress_does_not_restore_a_forgotten_tenant() {
    for (jwks_url, expected) in [(None, "iss"), (Some(OLD_KEYS), "accepted")] {
        let (tenant, auth, _, token) = tenant(0).await;
        let MaybeReady::Pending(pending) = auth.attempt(&bearer(&token)) else { panic!("no wait") };
        auth.forget(TENANT);
        tenant.set(jwks_url);
        // In the first case, the tenant can no longer be resolved when its keys arrive.
        assert_eq!(pending.await.is_ok(), jwks_url.is_some());
        assert_eq!(rule(&auth, &token).await, expected);
        // The keys that the request fetched are not fetched again.
        assert_eq!(tenant.fetch.requests().len(), 1);
    }
}
