//! Parses keys with a chosen crypto provider.

use super::set::MAX_KEYS;
use super::{KeyError, KeySet, KeySetError, VerificationKey};
use crate::algorithm::Algorithm;
use crate::crypto::{CryptoProvider, Provider};

/// Parses keys with a chosen [crypto provider](crate::crypto).
///
/// [`KeySet::from_json`] and similar functions do the same with the default provider. An
/// authenticator does not need keys that were parsed with its own provider; use a parser if there
/// is no default provider, or to verify a JWS with [`signature`](crate::signature).
///
/// ```
/// use portcullis::crypto::AwsLc;
/// use portcullis::keys::KeyParser;
/// use portcullis::{Algorithm, signature};
///
/// let parser = KeyParser::new(&AwsLc).algorithms(&[Algorithm::Ed25519]);
/// let keys = parser.key_set(br#"{"keys":[{"kty":"OKP","crv":"Ed25519",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// let jws = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCj\
///     P0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/// assert!(signature::verify(jws, &keys, Algorithm::ALL).is_ok());
/// assert!(parser.key_set(b"<html>").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct KeyParser<'a> {
    pub(super) provider: Provider,
    pub(super) allowed: &'a [Algorithm],
    pub(super) max_keys: usize,
}

impl KeyParser<'static> {
    /// Creates a parser for keys of every asymmetric algorithm that the provider supports.
    #[must_use]
    pub fn new(provider: &'static dyn CryptoProvider) -> Self {
        Self::with(Provider::new(provider))
    }

    pub(crate) fn with(provider: Provider) -> Self {
        Self { provider, allowed: Algorithm::ALL, max_keys: MAX_KEYS }
    }
}

impl<'a> KeyParser<'a> {
    /// Accepts only keys for these algorithms. An RSA key without `alg` is used with each RSA
    /// algorithm in the list.
    #[must_use]
    pub fn algorithms<'b>(self, allowed: &'b [Algorithm]) -> KeyParser<'b> {
        KeyParser { provider: self.provider, allowed, max_keys: self.max_keys }
    }

    pub(crate) fn max_keys(self, max_keys: usize) -> Self {
        Self { max_keys, ..self }
    }

    /// Parses a JWK, as [`VerificationKey::from_jwk`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if the JWK is not a public key for one of the algorithms.
    pub fn jwk(&self, jwk: &[u8]) -> Result<VerificationKey, KeyError> {
        VerificationKey::parse_jwk(jwk, self)
    }

    /// Parses a public key or a certificate in PEM, as [`VerificationKey::from_pem`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is not exactly one such block, or if the key is private,
    /// invalid, or for none of the algorithms.
    pub fn pem(&self, pem: &[u8]) -> Result<VerificationKey, KeyError> {
        VerificationKey::parse_pem(pem, self)
    }

    /// Parses a public key or a certificate in DER, as [`VerificationKey::from_der`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is neither, has trailing data, or if the key is private,
    /// invalid, or for none of the algorithms.
    pub fn der(&self, der: &[u8]) -> Result<VerificationKey, KeyError> {
        VerificationKey::parse_der(der, self)
    }

    /// Parses a JWK Set, as [`KeySet::from_json`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if `json` is not a key set. A key that cannot be used is not an error.
    pub fn key_set(&self, json: &[u8]) -> Result<KeySet, KeySetError> {
        KeySet::parse(json, self)
    }

    /// Parses all public keys and certificates of a PEM file, as [`KeySet::from_pem`] does.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is not PEM, has more than 200 blocks, or contains a private
    /// key.
    pub fn key_set_pem(&self, pem: &[u8]) -> Result<KeySet, KeySetError> {
        KeySet::parse_pem(pem, self)
    }
}
