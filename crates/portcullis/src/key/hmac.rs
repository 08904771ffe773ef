//! HMAC keys ([RFC 7518 §3.2]). Only [`dangerous`](crate::dangerous) creates them.
//!
//! [RFC 7518 §3.2]: https://www.rfc-editor.org/rfc/rfc7518#section-3.2

use zeroize::Zeroizing;

use super::{Identity, KeyError, VerificationKey, Verifiers};
use crate::algorithm::Algorithm;
use crate::crypto::Provider;

impl VerificationKey {
    pub(crate) fn hmac(
        provider: Provider,
        id: Option<String>,
        algorithm: Algorithm,
        secret: &[u8],
    ) -> Result<Self, KeyError> {
        // The length of the hash.
        let min = match algorithm {
            Algorithm::Hs256 => 32,
            Algorithm::Hs384 => 48,
            Algorithm::Hs512 => 64,
            _ => return Err(KeyError::AlgorithmMismatch),
        };
        let bytes = secret.len();
        if bytes < min {
            return Err(KeyError::ShortSecret { bytes, min });
        }
        let identity = Identity::Secret(Zeroizing::new(secret.to_vec()));
        let verifiers = Verifiers::new(provider, std::iter::once(algorithm), &identity);
        Ok(Self { id, verifiers: verifiers.usable()?, identity })
    }
}
