//! Parses keys with a chosen crypto provider.

use crate::algorithm::Algorithm;
use crate::crypto::{CryptoProvider, Provider};

/// The default maximum number of keys in a set. Entra, the largest known issuer, advises room for a
/// few dozen.
pub(crate) const MAX_KEYS: usize = 200;

/// Parses keys with a chosen [crypto provider](crate::crypto).
///
/// [`KeySet::from_json`](crate::keys::KeySet::from_json) and similar functions do the same with the default provider. An
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
}
