//! A service with short settings whose keys come from a [`Server`], and requests to it.

use std::error::Error;
use std::time::{Duration, Instant};

use portcullis::testing::{AUDIENCE, ISSUER, TestKey, bearer};
use portcullis::{
    Authenticator, AuthenticatorBuilder,
    clock::{Clock, SystemClock},
    status::{Freshness, KeySetStatus},
    token::TokenError,
};
use serde_json::json;

use crate::key_server::Server;

/// The TTL of the keys.
pub const TTL: Duration = Duration::from_secs(1);
/// The timeout of a fetch.
pub const FETCH_TIMEOUT: Duration = Duration::from_millis(400);
/// The maximum staleness of keys.
pub const MAX_STALE: Duration = Duration::from_secs(4);
/// The maximum size of a document, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// The delay that a busy machine may add to any wait.
pub const SLACK: Duration = Duration::from_millis(500);

/// Responses that need no network arrive within this time, which is shorter than any fetch that
/// does not end.
pub const AT_ONCE: Duration = Duration::from_millis(300);

/// The path of the keys.
pub const JWKS: &str = "/jwks";

/// Returns a builder with short settings, the real HTTP client, and no background refresh.
pub fn builder(server: &Server) -> AuthenticatorBuilder {
    renewing_builder(server).without_background_refresh()
}

/// Like [`builder`], with background refresh.
pub fn renewing_builder(server: &Server) -> AuthenticatorBuilder {
    short(Authenticator::builder(ISSUER, AUDIENCE)).jwks_url(server.url(JWKS))
}

/// Like [`builder`], with the keys discovered from the server's own URL.
pub fn discovering(server: &Server) -> AuthenticatorBuilder {
    short(Authenticator::builder(server.url(""), AUDIENCE)).without_background_refresh()
}

fn short(builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
    builder
        .jwks_ttl(TTL)
        .fetch_timeout(FETCH_TIMEOUT)
        .cooldown(Duration::from_secs(1))
        .max_stale(MAX_STALE)
        .max_body_bytes(MAX_BODY)
}

/// A valid token of the issuer.
#[must_use]
pub fn token(key: &TestKey) -> String {
    token_of(ISSUER, key)
}

/// A valid token of `issuer`.
#[must_use]
pub fn token_of(issuer: &str, key: &TestKey) -> String {
    let now = SystemClock::new().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    key.token(&json!({"iss": issuer, "aud": AUDIENCE, "sub": "alice", "exp": now + 900}))
}

/// The keys as the issuer publishes them.
#[must_use]
pub fn jwks<'k>(keys: impl IntoIterator<Item = &'k TestKey>) -> String {
    TestKey::jwks(keys).to_string()
}

/// The outcome of a request, and its waiting time.
#[derive(Debug)]
pub struct Asked {
    /// 200, or the status of the refusal.
    pub status: u16,
    /// How long the request waited.
    pub waited: Duration,
    /// The refusal's `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The error of the token.
    pub error: Option<TokenError>,
}

/// Sends one request.
pub async fn ask(auth: &Authenticator, token: &str) -> Asked {
    let headers = bearer(token);
    let begun = Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(20), auth.authenticate(&headers));
    let refusal = answer.await.expect("the request did not end").err();
    Asked {
        status: refusal.as_ref().map_or(200, |refusal| refusal.status().as_u16()),
        waited: begun.elapsed(),
        retry_after: refusal.as_ref().and_then(|refusal| refusal.retry_after()),
        error: refusal.and_then(|refusal| refusal.token_error().cloned()),
    }
}

/// The status of the keys.
#[must_use]
pub fn status(auth: &Authenticator) -> KeySetStatus {
    auth.status().remove(0).keys.unwrap()
}

/// The error of the last fetch, including its causes.
#[must_use]
pub fn last_error(auth: &Authenticator) -> Option<String> {
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
pub async fn until_stale(auth: &Authenticator) {
    let status = status(auth);
    let rest = status.ttl.unwrap().saturating_sub(status.age.unwrap());
    tokio::time::sleep(rest + Duration::from_millis(5)).await;
}

/// Waits for a background fetch to return the keys, for at most its maximum duration.
pub async fn until_fresh(auth: &Authenticator) -> KeySetStatus {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        // The first check is immediate, because a short TTL may pass before a later one.
        let status = status(auth);
        if status.freshness == Freshness::Fresh || Instant::now() >= end {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until the back-off of failures ends.
pub async fn until_next_attempt(auth: &Authenticator) {
    let rest = status(auth).next_attempt.unwrap_or_default();
    tokio::time::sleep(rest + Duration::from_millis(5)).await;
}
