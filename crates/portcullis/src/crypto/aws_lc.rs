//! The default provider.

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, VerificationAlgorithm};

use super::{CryptoProvider, InvalidSignature, KeyMaterial, RejectedKey, Verifier};
use crate::algorithm::Algorithm;

/// The default provider: [aws-lc](https://docs.rs/aws-lc-rs). It supports every algorithm.
///
/// With the feature `fips` it is the FIPS 140-3 build of aws-lc. Only
/// signatures are verified by this provider; [the guide](crate::guide::crypto_providers) lists the
/// other uses of cryptography.
#[derive(Debug, Clone, Copy, Default)]
pub struct AwsLc;

impl CryptoProvider for AwsLc {
    fn name(&self) -> &'static str {
        if cfg!(feature = "fips") { "aws-lc (FIPS)" } else { "aws-lc" }
    }

    fn supports(&self, _algorithm: Algorithm) -> bool {
        true
    }

    fn verifier(
        &self,
        algorithm: Algorithm,
        key: KeyMaterial<'_>,
    ) -> Result<Box<dyn Verifier>, RejectedKey> {
        match key {
            KeyMaterial::Rsa { n, e } => {
                let key = PublicKeyComponents { n, e }.to_parsed_public_key(rsa(algorithm)?);
                public(key.map_err(|_| RejectedKey::Invalid)?)
            }
            KeyMaterial::Ec { x, y } => {
                // SEC 1 §2.3.3: the uncompressed point.
                parsed(of_curve(algorithm)?, &[&[0x04], x, y].concat())
            }
            KeyMaterial::Ed25519(point) => parsed(&signature::ED25519, point),
            KeyMaterial::MlDsa(key) => parsed(ml_dsa(algorithm)?, key),
            KeyMaterial::Secret(secret) => {
                Ok(Box::new(Secret(hmac::Key::new(hash(algorithm)?, secret))))
            }
        }
    }
}

fn rsa(algorithm: Algorithm) -> Result<&'static RsaParameters, RejectedKey> {
    Ok(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return Err(RejectedKey::Unsupported),
    })
}

fn of_curve(algorithm: Algorithm) -> Result<&'static dyn VerificationAlgorithm, RejectedKey> {
    Ok(match algorithm {
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        _ => return Err(RejectedKey::Unsupported),
    })
}

fn ml_dsa(algorithm: Algorithm) -> Result<&'static dyn VerificationAlgorithm, RejectedKey> {
    Ok(match algorithm {
        Algorithm::MlDsa44 => &signature::ML_DSA_44,
        Algorithm::MlDsa65 => &signature::ML_DSA_65,
        Algorithm::MlDsa87 => &signature::ML_DSA_87,
        _ => return Err(RejectedKey::Unsupported),
    })
}

fn hash(algorithm: Algorithm) -> Result<hmac::Algorithm, RejectedKey> {
    Ok(match algorithm {
        Algorithm::Hs256 => hmac::HMAC_SHA256,
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => return Err(RejectedKey::Unsupported),
    })
}

fn parsed(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
) -> Result<Box<dyn Verifier>, RejectedKey> {
    public(ParsedPublicKey::new(algorithm, key).map_err(|_| RejectedKey::Invalid)?)
}

fn public(key: ParsedPublicKey) -> Result<Box<dyn Verifier>, RejectedKey> {
    Ok(Box::new(Public(key)))
}

struct Public(ParsedPublicKey);

impl Verifier for Public {
    fn verify(&self, signing_input: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.0.verify_sig(signing_input, signature).map_err(|_| InvalidSignature)
    }
}

struct Secret(hmac::Key);

impl Verifier for Secret {
    fn verify(&self, signing_input: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        hmac::verify(&self.0, signing_input, signature).map_err(|_| InvalidSignature)
    }
}
