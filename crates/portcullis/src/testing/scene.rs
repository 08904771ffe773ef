//! A service under test: keys, a clock, a scripted HTTP client, and an authenticator that uses
//! them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde_json::{Value, json};

use super::clock::ManualClock;
use super::fetch::{Answer, ScriptedFetch};
use super::key::TestKey;
use super::token::TestToken;
use super::{AUDIENCE, ISSUER, JWKS, NOW, authorization};
use crate::algorithm::Algorithm;
use crate::authenticator::{Authenticator, AuthenticatorBuilder};
use crate::clock::Clock as _;
use crate::gate::Gate;
use crate::key::KeySet;
use crate::key_source::SharedKeySet;

/// Returns the claims of a valid token: issued by [`ISSUER`] to `alice` at [`NOW`] for
/// [`AUDIENCE`], with a lifetime of 900 s.
#[must_use]
pub fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 900})
}

/// Returns the settings of a service that accepts [`claims`] signed with `key`, on a clock fixed at
/// [`NOW`]. The key is in memory: nothing is fetched.
pub fn builder(key: &TestKey) -> AuthenticatorBuilder {
    Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(TestKey::key_set([key])))
        .clock(ManualClock::at(NOW))
}

/// Returns request headers with `Authorization: Bearer TOKEN`.
#[must_use]
pub fn bearer(token: &str) -> HeaderMap {
    authorization(&format!("Bearer {token}"))
}

/// A service under test and its dependencies. Clones share everything.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Signs the tokens: an ES256 key with the `kid` `k`, unless another key is set.
    pub key: Arc<TestKey>,
    /// The keys that the service accepts, if they are in memory. Replace them to rotate.
    pub keys: SharedKeySet,
    /// Answers the service's HTTP requests, and records them.
    pub fetch: ScriptedFetch,
    /// The clock of the service and of its tokens. It starts at [`NOW`].
    pub clock: ManualClock,
    /// The service.
    pub auth: Authenticator,
}

impl Scene {
    /// Creates a service with its keys in memory: no request waits.
    pub async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// Like [`new`](Self::new), with further settings.
    ///
    /// # Panics
    ///
    /// If the settings are invalid.
    pub async fn with(change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) -> Self {
        let key = TestKey::generate("k", Algorithm::Es256);
        let keys = SharedKeySet::new(TestKey::key_set([&key]));
        let trusted = keys.clone();
        Self::build(key, keys, |builder| change(builder.key_source(trusted))).await
    }

    /// Creates a service that fetches its keys from [`JWKS`], which is unreachable until
    /// [`publish`](Self::publish) is called. Only requests trigger fetches.
    pub async fn unpublished() -> Self {
        Self::unpublished_with(|builder| builder).await
    }

    /// Like [`unpublished`](Self::unpublished), with further settings.
    ///
    /// # Panics
    ///
    /// If the settings are invalid.
    pub async fn unpublished_with(
        change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let key = TestKey::generate("k", Algorithm::Es256);
        let change = |builder: AuthenticatorBuilder| {
            change(builder.jwks_url(JWKS).start_without_keys().without_background_refresh())
        };
        Self::build(key, SharedKeySet::new(KeySet::default()), change).await
    }

    /// Like [`unpublished`](Self::unpublished), with the key published: the first token waits for
    /// the fetch.
    pub async fn published() -> Self {
        let scene = Self::unpublished().await;
        scene.publish([&*scene.key]);
        scene
    }

    /// Like [`published`](Self::published), with the key fetched: no token waits.
    pub async fn warm() -> Self {
        let scene = Self::published().await;
        scene.auth.refresh().await.expect("the published keys cannot be fetched");
        scene
    }

    async fn build(
        key: TestKey,
        keys: SharedKeySet,
        change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let (fetch, clock) = (ScriptedFetch::default(), ManualClock::at(NOW));
        let builder = Authenticator::builder(ISSUER, AUDIENCE);
        let builder = change(builder.fetch(fetch.clone()).clock(clock.clone()));
        let auth = builder.build().await.expect("invalid settings");
        Self { key: Arc::new(key), keys, fetch, clock, auth }
    }

    /// Publishes these keys at [`JWKS`], and advances the clock by 2 s, past the back-off of a
    /// first failed fetch.
    pub fn publish<'k>(&self, keys: impl IntoIterator<Item = &'k TestKey>) {
        self.fetch.set(JWKS, Answer::ok(TestKey::jwks(keys)));
        self.advance(2);
    }

    /// Returns a gate for the service that requires a token.
    #[must_use]
    pub fn gate(&self) -> Gate {
        Gate::new(self.auth.clone())
    }

    /// Returns a valid token for `subject`, issued now, with a lifetime of 900 s.
    #[must_use]
    pub fn token(&self, subject: &str) -> TestToken {
        TestToken::new(self.key.clone(), ISSUER, subject, self.now())
    }

    /// Returns a logout token for `client`, issued now, that expires in 120 s. It has no `sub` and no
    /// `sid`: set one with [`claim`](TestToken::claim).
    #[must_use]
    pub fn logout_token(&self, client: &str) -> TestToken {
        TestToken::logout(self.key.clone(), ISSUER, client, self.now())
    }

    /// Returns a security event token for `audience`: [`session`](TestToken::session_revoked) was
    /// revoked.
    #[must_use]
    pub fn session_revoked(&self, audience: &str, session: &str) -> TestToken {
        TestToken::session_revoked(self.key.clone(), ISSUER, audience, session, self.now())
    }

    /// Advances the clock by `secs` seconds.
    pub fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    /// Returns the time of the clock, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }
}
