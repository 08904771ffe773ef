//! The scaffold of `portcullis::testing`, and helpers for forging tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::crypto::{AwsLc, CryptoProvider};
use portcullis::keys::KeyParser;
pub(crate) use portcullis::testing::rule as rule_of;
pub(crate) use portcullis::testing::{
    AUDIENCE, ISSUER, JWKS, NOW, attempt_now, authorization, bearer, claims, verdict, verdict_now,
};
use portcullis::testing::{TestKey, token_rule};
use portcullis::{Algorithm, Authenticator, AuthenticatorBuilder, Gate};
use portcullis_graviola::Graviola;

/// Returns the crypto provider that the tests run with.
pub(crate) fn provider() -> &'static dyn CryptoProvider {
    match std::env::var("PORTCULLIS_CRYPTO_PROVIDER").as_deref() {
        Err(_) => &AwsLc,
        Ok("graviola") => &Graviola,
        Ok(other) => unreachable!("PORTCULLIS_CRYPTO_PROVIDER is {other:?}, not graviola"),
    }
}

/// Returns the asymmetric algorithms that the provider supports.
pub(crate) fn algorithms() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.iter().copied().filter(|&algorithm| provider().supports(algorithm))
}

/// Parses keys with the provider that the tests run with.
pub(crate) fn parser() -> KeyParser<'static> {
    KeyParser::new(provider())
}

/// Like `portcullis::testing::builder`, with the provider that the tests run with.
pub(crate) fn builder(key: &TestKey) -> AuthenticatorBuilder {
    portcullis::testing::builder(key).crypto_provider(provider())
}

pub(crate) async fn auth(key: &TestKey) -> Authenticator {
    builder(key).build().await.unwrap()
}

/// Returns the rule that rejects the token, `accepted`, or the kind of a refusal that is not about
/// the token. Asserts that the outcome is the same for a request with the token and for the bare
/// token.
pub(crate) async fn rule(auth: &Authenticator, token: &str) -> &'static str {
    let rule = request_rule(auth, token).await;
    let bare = token_rule(&Gate::new(auth.clone()), token).await;
    assert_eq!(bare, rule, "a bare token gets another verdict");
    rule
}

/// Like [`rule`], but sends only a request, for tests that count the effects of each token.
pub(crate) async fn request_rule(auth: &Authenticator, token: &str) -> &'static str {
    rule_of(auth, &bearer(token)).await
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The signing input and the signature of a compact JWS.
pub(crate) fn split(token: &str) -> (&str, &str) {
    token.rsplit_once('.').unwrap()
}
