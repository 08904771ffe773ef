//! The scaffold of `portcullis::testing`, and what forging a token takes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::Authenticator;
use portcullis::testing::TestKey;
pub(crate) use portcullis::testing::rule as rule_of;
pub(crate) use portcullis::testing::{
    AUDIENCE, ISSUER, JWKS, NOW, attempt_now, authorization, bearer, builder, claims, verdict,
    verdict_now,
};

pub(crate) async fn auth(key: &TestKey) -> Authenticator {
    builder(key).build().await.unwrap()
}

/// The rule that refuses the token, `accepted`, or the kind of a refusal that is not about it.
pub(crate) async fn rule(auth: &Authenticator, token: &str) -> &'static str {
    rule_of(auth, &bearer(token)).await
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
