//! Verification keys and key sets.

mod candidates;
mod der;
mod ed25519;
mod hmac;
mod jwk;
mod key_error;
mod ml_dsa;
mod parser;
mod pem;
mod pss;
mod public;
mod request;
mod set;
mod spki;
mod verifiers;

use std::fmt;

use crate::algorithm::Algorithm;
#[cfg(feature = "aws-lc")]
use crate::crypto::AwsLc;
use crate::crypto::Provider;
use crate::error::TokenError;
use crate::json;
use crate::jws::{CompactJws, Decoded};

pub use candidates::CandidateKeys;
pub use key_error::KeyError;
pub use parser::KeyParser;
pub(crate) use parser::MAX_KEYS;
pub(crate) use pem::is_pem;
use public::Identity;
pub use request::KeyRequest;
pub use set::{KeySet, KeySetError, SkippedKey};
pub(crate) use set::{MAX_MAX_KEYS, raise_max_keys};
use verifiers::Verifiers;

/// A verification key, parsed once for the algorithms it may be used with ([RFC 8725 §3.1]).
///
/// A key with an `alg` is pinned to that algorithm. An RSA key without `alg` is used with each
/// *allowed* RSA algorithm; every other key type has exactly one algorithm. A token with a
/// different `alg` is rejected, even if the key could verify it. This rules out algorithm
/// confusion.
///
/// [RFC 8725 §3.1]: https://www.rfc-editor.org/rfc/rfc8725#section-3.1
#[doc(alias("jwk", "DecodingKey"))]
pub struct VerificationKey {
    id: Option<String>,
    /// The numbers of the key, to compare keys, and to parse the key with another provider.
    identity: Identity,
    /// The parsed key for each of its algorithms, at least one.
    verifiers: Verifiers,
}

impl VerificationKey {
    /// Parses a JWK for use with `algorithm`. If the JWK has an `alg`, it must be the same.
    ///
    /// ```
    /// use portcullis::Algorithm;
    /// use portcullis::keys::{KeyError, VerificationKey};
    ///
    /// let jwk = br#"{"kty":"OKP","crv":"Ed25519","kid":"k",
    ///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// let key = VerificationKey::from_jwk(jwk, Algorithm::Ed25519)?;
    /// assert_eq!(key.id(), Some("k"));
    ///
    /// let secret = br#"{"kty":"oct","k":"c2VjcmV0"}"#;
    /// let error = VerificationKey::from_jwk(secret, Algorithm::Ed25519).unwrap_err();
    /// assert_eq!(error, KeyError::Symmetric);
    /// # Ok::<(), KeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the JWK is not a public key for this algorithm.
    #[cfg(feature = "aws-lc")]
    pub fn from_jwk(jwk: &[u8], algorithm: Algorithm) -> Result<Self, KeyError> {
        KeyParser::new(&AwsLc).algorithms(&[algorithm]).jwk(jwk)
    }

    fn parse_jwk(jwk: &[u8], parser: &KeyParser<'_>) -> Result<Self, KeyError> {
        let jwk: jwk::Jwk = json::from_slice(jwk).map_err(KeyError::from)?;
        jwk.import(parser)
    }

    /// Returns the `kid`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the algorithms of the key: one, or each allowed RSA algorithm for an RSA key without
    /// `alg`.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.verifiers.algorithms()
    }

    /// Returns whether the key may be used with `algorithm`.
    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.verifiers.get(algorithm).is_some()
    }

    /// Returns whether both are the same key with the same algorithms.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || self.algorithms().eq(other.algorithms()) && self.identity == other.identity
    }

    fn mismatch(&self, algorithm: Algorithm) -> TokenError {
        let key_algorithm = self.algorithms().next().unwrap_or(algorithm);
        TokenError::AlgorithmMismatch { algorithm, key_algorithm }
    }

    /// Verifies the signature with this key and returns the token's payload. `None` stands for the
    /// provider that parsed the key.
    pub(crate) fn verify(
        &self,
        jws: &CompactJws<'_>,
        provider: Option<Provider>,
    ) -> Result<Payload, TokenError> {
        let algorithm = jws.header().algorithm;
        let verifiers = match provider {
            Some(provider) => self.verifiers.of(provider, &self.identity),
            None => &self.verifiers,
        };
        let verifier = match verifiers.get(algorithm) {
            Some(Ok(verifier)) => verifier,
            Some(Err(reason)) => {
                return Err(TokenError::UnusableKey { reason: reason.to_string() });
            }
            None => return Err(self.mismatch(algorithm)),
        };
        let mut buffer = Decoded::new();
        let (input, signature) = (jws.signing_input(), jws.signature(&mut buffer)?);
        verifier.verify(input, signature).map_err(|_| TokenError::Signature)?;
        Ok(Payload(jws.decode_payload()?))
    }
}

impl KeyParser<'_> {
    /// Parses a JWK, as [`VerificationKey::from_jwk`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if the JWK is not a public key for one of the algorithms.
    pub fn jwk(&self, jwk: &[u8]) -> Result<VerificationKey, KeyError> {
        VerificationKey::parse_jwk(jwk, self)
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// A payload with a verified signature. Only [`VerificationKey::verify`] creates one.
pub(crate) struct Payload(Vec<u8>);

impl Payload {
    /// Returns the payload as text, if it is valid UTF-8.
    pub(crate) fn into_text(self) -> Option<String> {
        String::from_utf8(self.0).ok()
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(any(test, fuzzing))]
impl Payload {
    /// Creates a payload for tests of the checks that follow the signature check.
    pub(crate) fn for_test(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestKey;

    #[test]
    fn key_verifies_only_its_own_algorithm() {
        let key = TestKey::generate("k", Algorithm::Rs256);
        let public = key.jwk().to_string();
        let parsed = VerificationKey::from_jwk(public.as_bytes(), Algorithm::Rs256).unwrap();
        let token = key.sign(r#"{"alg":"PS256","kid":"k"}"#, "{}");
        let error = parsed.verify(&CompactJws::parse(&token).unwrap(), None).err().unwrap();
        assert_eq!(error.rule(), "alg_of_key");
        let error = VerificationKey::from_jwk(public.as_bytes(), Algorithm::Ps256).unwrap_err();
        assert_eq!(error, KeyError::NotAllowed);
    }

    #[test]
    fn debug_shows_no_key_material() {
        let key = TestKey::generate("k", Algorithm::Es256);
        let public = key.jwk().to_string();
        let parsed = VerificationKey::from_jwk(public.as_bytes(), Algorithm::Es256).unwrap();
        assert_eq!(
            format!("{parsed:?}"),
            r#"VerificationKey { id: Some("k"), algorithms: [Es256], .. }"#
        );
    }
}
