//! A service with short settings whose keys come from a [`Server`], and requests to it.

use std::error::Error;
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis::testing::TestKey;
use portcullis::{
    Authenticator, AuthenticatorBuilder,
    clock::{Clock, SystemClock},
    status::{Freshness, KeySetStatus},
    token::TokenError,
};
use serde_json::json;

use crate::server::Server;

pub(crate) const TTL: Duration = Duration::from_secs(1);
pub(crate) const FETCH_TIMEOUT: Duration = Duration::from_millis(400);
pub(crate) const MAX_STALE: Duration = Duration::from_secs(4);
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// What a busy machine may add to any wait.
pub(crate) const SLACK: Duration = Duration::from_millis(500);

/// What is answered without waiting for the network is answered within this: less than any fetch
/// that does not end.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(300);

/// Where the keys are.
pub(crate) const JWKS: &str = "/jwks";

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";

/// Short settings, the real HTTP client, and nothing fetched unless somebody waits for it.
pub(crate) fn builder(server: &Server) -> AuthenticatorBuilder {
    short(Authenticator::builder(ISSUER, AUDIENCE)).jwks_url(server.url(JWKS))
}

/// The same, with the keys discovered below the server's own URL.
pub(crate) fn discovering(server: &Server) -> AuthenticatorBuilder {
    short(Authenticator::builder(server.url(""), AUDIENCE))
}

fn short(builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
    builder
        .jwks_ttl(TTL)
        .fetch_timeout(FETCH_TIMEOUT)
        .cooldown(Duration::from_secs(1))
        .max_stale(MAX_STALE)
        .max_body_bytes(MAX_BODY)
        .without_background_refresh()
}

/// A good token of the issuer.
pub(crate) fn token(key: &TestKey) -> String {
    token_of(ISSUER, key)
}

/// A good token of `issuer`.
pub(crate) fn token_of(issuer: &str, key: &TestKey) -> String {
    let now = SystemClock::new().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    key.token(&json!({"iss": issuer, "aud": AUDIENCE, "sub": "alice", "exp": now + 900}))
}

/// The keys as the issuer publishes them.
pub(crate) fn jwks<'k>(keys: impl IntoIterator<Item = &'k TestKey>) -> String {
    TestKey::jwks(keys).to_string()
}

/// What a request got, and how long it waited.
#[derive(Debug)]
pub(crate) struct Asked {
    /// 200, or the refusal's.
    pub(crate) status: u16,
    pub(crate) waited: Duration,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) error: Option<TokenError>,
}

/// Sends one request.
pub(crate) async fn ask(auth: &Authenticator, token: &str) -> Asked {
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let begun = Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(20), auth.authenticate(&headers));
    let refusal = answer.await.expect("a request waits for ever").err();
    Asked {
        status: refusal.as_ref().map_or(200, |refusal| refusal.status().as_u16()),
        waited: begun.elapsed(),
        retry_after: refusal.as_ref().and_then(|refusal| refusal.retry_after()),
        error: refusal.and_then(|refusal| refusal.token_error().cloned()),
    }
}

/// How the keys are.
pub(crate) fn status(auth: &Authenticator) -> KeySetStatus {
    auth.status().remove(0).keys.unwrap()
}

/// What the last fetch failed of, causes included.
pub(crate) fn last_error(auth: &Authenticator) -> Option<String> {
    let error = status(auth).last_error?;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Some(text)
}

/// Waits until the keys are past their TTL.
pub(crate) async fn until_stale(auth: &Authenticator) {
    let status = status(auth);
    let rest = status.ttl.unwrap().saturating_sub(status.age.unwrap());
    tokio::time::sleep(rest + Duration::from_millis(5)).await;
}

/// Waits until a fetch that no request waits for has brought the keys, for as long as it may take.
pub(crate) async fn until_fresh(auth: &Authenticator) {
    let end = Instant::now() + FETCH_TIMEOUT + SLACK;
    while status(auth).freshness != Freshness::Fresh && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until failures cease to back off.
pub(crate) async fn until_next_attempt(auth: &Authenticator) {
    let rest = status(auth).next_attempt.unwrap_or_default();
    tokio::time::sleep(rest + Duration::from_millis(5)).await;
}
