//! An authenticator, good claims, and what becomes of a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis::testing::{ManualClock, TestKey};
use portcullis::{
    Authenticator, AuthenticatorBuilder, keys::SharedKeySet, refusal::RefusalKind,
    token::TokenError,
};
use serde_json::{Value, json};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://api.example";

pub(crate) fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 900})
}

pub(crate) fn builder(key: &TestKey) -> AuthenticatorBuilder {
    Authenticator::builder(ISSUER, AUDIENCE)
        .key_source(SharedKeySet::new(TestKey::key_set([key])))
        .clock(ManualClock::at(NOW))
}

pub(crate) async fn auth(key: &TestKey) -> Authenticator {
    builder(key).build().await.unwrap()
}

pub(crate) fn authorization(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(value).unwrap())])
}

pub(crate) fn bearer(token: &str) -> HeaderMap {
    authorization(&format!("Bearer {token}"))
}

/// The rule that refuses the token, `accepted`, or the kind of a refusal that is not about it.
pub(crate) async fn rule(auth: &Authenticator, token: &str) -> &'static str {
    rule_of(auth, &bearer(token)).await
}

pub(crate) async fn rule_of(auth: &Authenticator, headers: &HeaderMap) -> &'static str {
    match auth.authenticate(headers).await {
        Ok(_) => "accepted",
        Err(refusal) => match refusal.token_error() {
            Some(error) => TokenError::rule(error),
            None => RefusalKind::as_str(refusal.kind()),
        },
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Header and payload, the signature, of a compact JWS.
pub(crate) fn split(token: &str) -> (&str, &str) {
    token.rsplit_once('.').unwrap()
}
