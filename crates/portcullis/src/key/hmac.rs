//! HMAC keys ([RFC 7518 §3.2]). Only [`dangerous`](crate::dangerous) creates them.
//!
//! [RFC 7518 §3.2]: https://www.rfc-editor.org/rfc/rfc7518#section-3.2

use aws_lc_rs::{digest, hmac};
use smallvec::smallvec;

use super::{Identity, KeyError, Material, VerificationKey};
use crate::algorithm::Algorithm;

impl VerificationKey {
    pub(crate) fn hmac(
        id: Option<String>,
        algorithm: Algorithm,
        secret: &[u8],
    ) -> Result<Self, KeyError> {
        let hash = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            _ => return Err(KeyError::AlgorithmMismatch),
        };
        let (bytes, min) = (secret.len(), hash.digest_algorithm().output_len());
        if bytes < min {
            return Err(KeyError::ShortSecret { bytes, min });
        }
        let material = Material::Secret(Box::new(hmac::Key::new(hash, secret)));
        let identity = Identity::Secret(digest::digest(&digest::SHA256, secret).as_ref().to_vec());
        Ok(Self { id, uses: smallvec![(algorithm, material)], identity })
    }
}
