//! Crypto providers: the implementations of the signature algorithms.
//!
//! A [`CryptoProvider`] verifies signatures, and nothing else. Which keys are accepted, which
//! algorithm a key is used with, and what a token must contain, is decided before a provider is
//! called, and is the same with every provider.
//!
//! | provider | how | algorithms |
//! |---|---|---|
//! | aws-lc | `AwsLc`, the default (feature `aws-lc`) | all |
//! | aws-lc, FIPS 140-3 build | `AwsLc` with the feature `fips`; needs CMake and Go to build | all |
//! | graviola | the crate `portcullis-graviola`; needs no C compiler | all except ES512 and ML-DSA |
//!
//! [`AuthenticatorBuilder::crypto_provider`](crate::AuthenticatorBuilder::crypto_provider) selects
//! the provider of a service. Every signature that the authenticator checks is then verified by
//! this provider: also with keys of a [`KeySource`](crate::keys::KeySource) that were parsed with
//! another one, because they are parsed again. An algorithm that the provider lacks is refused at
//! start if [`algorithms`](crate::AuthenticatorBuilder::algorithms) lists it.
//!
//! Without the feature `aws-lc` there is no default: set a provider, and parse keys with a
//! [`KeyParser`](crate::keys::KeyParser). [The guide](crate::guide::crypto_providers) has a program
//! that builds without a C compiler.
//!
//! ```
//! use portcullis::Algorithm;
//! use portcullis::crypto::{CryptoProvider, KeyMaterial, RejectedKey, Verifier};
//!
//! /// Another provider, limited to one algorithm.
//! #[derive(Debug)]
//! struct OnlyEdDsa<P>(P);
//!
//! impl<P: CryptoProvider> CryptoProvider for OnlyEdDsa<P> {
//!     fn name(&self) -> &'static str {
//!         "only-eddsa"
//!     }
//!
//!     fn supports(&self, algorithm: Algorithm) -> bool {
//!         algorithm == Algorithm::Ed25519 && self.0.supports(algorithm)
//!     }
//!
//!     fn verifier(
//!         &self,
//!         algorithm: Algorithm,
//!         key: KeyMaterial<'_>,
//!     ) -> Result<Box<dyn Verifier>, RejectedKey> {
//!         if !self.supports(algorithm) {
//!             return Err(RejectedKey::Unsupported);
//!         }
//!         self.0.verifier(algorithm, key)
//!     }
//! }
//! # #[cfg(feature = "aws-lc")] {
//! use portcullis::crypto::AwsLc;
//! use portcullis::keys::KeyParser;
//!
//! let parser = KeyParser::new(&OnlyEdDsa(AwsLc));
//! let point = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
//! assert!(parser.jwk(point).is_ok());
//! let rsa = br#"{"kty":"RSA","alg":"RS256","n":"AQAB","e":"AQAB"}"#;
//! assert_eq!(
//!     parser.jwk(rsa).unwrap_err().to_string(),
//!     "not supported by the crypto provider only-eddsa"
//! );
//! # }
//! ```

mod algorithms;
#[cfg(feature = "aws-lc")]
mod aws_lc;

use std::any::{Any, TypeId};
use std::fmt;
use std::ops::Deref;

use crate::algorithm::Algorithm;
use crate::causes::debug_with_causes;

pub(crate) use algorithms::Algorithms;
#[cfg(feature = "aws-lc")]
pub use aws_lc::AwsLc;

/// An implementation of signature algorithms.
///
/// A provider must pass the vectors of `portcullis_testing::vectors`. Parsed keys are shared by all
/// values of a type, so two values of the same type must verify alike.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a crypto provider",
    label = "not a `CryptoProvider`",
    note = "the providers are `portcullis::crypto::AwsLc` and `portcullis_graviola::Graviola`"
)]
pub trait CryptoProvider: Any + fmt::Debug + Send + Sync {
    /// Returns the provider's name, for errors and logs.
    fn name(&self) -> &'static str;

    /// Returns whether the provider can verify signatures with `algorithm`. The result must not
    /// change while the process runs.
    fn supports(&self, algorithm: Algorithm) -> bool;

    /// Parses a key for one algorithm.
    ///
    /// The core has already checked what needs no arithmetic: the sizes of all numbers, the RSA
    /// exponent, Ed25519 points of small order, short ML-DSA keys, and that the algorithm fits the
    /// material. The provider must reject a point that is not on its curve.
    ///
    /// # Errors
    ///
    /// Returns an error if the key is invalid, or if the provider does not support it.
    fn verifier(
        &self,
        algorithm: Algorithm,
        key: KeyMaterial<'_>,
    ) -> Result<Box<dyn Verifier>, RejectedKey>;
}

/// A key that a provider parsed for one algorithm.
pub trait Verifier: Send + Sync {
    /// Verifies the signature of `signing_input` ([RFC 7515 §5.2]). `signature` has the form of
    /// [RFC 7518 §3]: r and s of ECDSA have a fixed length.
    ///
    /// # Errors
    ///
    /// Returns an error if the signature is invalid, including its length.
    ///
    /// [RFC 7515 §5.2]: https://www.rfc-editor.org/rfc/rfc7515#section-5.2
    /// [RFC 7518 §3]: https://www.rfc-editor.org/rfc/rfc7518#section-3
    fn verify(&self, signing_input: &[u8], signature: &[u8]) -> Result<(), InvalidSignature>;
}

/// The numbers of a key. All are big-endian, without a sign.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum KeyMaterial<'k> {
    /// An RSA key: a modulus of 2048 to 8192 bits and an odd exponent of at most 64 bits, both
    /// without leading zeros.
    Rsa {
        /// The modulus.
        n: &'k [u8],
        /// The exponent.
        e: &'k [u8],
    },
    /// A point on the curve of the algorithm: P-256, P-384 or P-521. The coordinates have the full
    /// length, and may not be on the curve.
    Ec {
        /// The x coordinate.
        x: &'k [u8],
        /// The y coordinate.
        y: &'k [u8],
    },
    /// An encoded Ed25519 point of 32 bytes.
    Ed25519(&'k [u8]),
    /// An encoded ML-DSA key, of the algorithm's length.
    MlDsa(&'k [u8]),
    /// An HMAC secret that is at least as long as the hash.
    Secret(&'k [u8]),
}

/// Shows the kind of key, but no secret.
impl fmt::Debug for KeyMaterial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Rsa { .. } => "Rsa",
            Self::Ec { .. } => "Ec",
            Self::Ed25519(_) => "Ed25519",
            Self::MlDsa(_) => "MlDsa",
            Self::Secret(_) => "Secret",
        };
        f.debug_struct(name).finish_non_exhaustive()
    }
}

/// Why a provider rejects a key.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RejectedKey {
    /// The numbers do not form a valid key.
    #[error("not a valid key")]
    Invalid,
    /// The provider does not support the algorithm, or a key of this kind.
    #[error("not supported by this provider")]
    Unsupported,
}

/// The error for a signature that does not verify.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is invalid")]
pub struct InvalidSignature;

debug_with_causes!(RejectedKey);
debug_with_causes!(InvalidSignature);

/// A provider, compared by its type.
#[derive(Clone, Copy)]
pub(crate) struct Provider {
    provider: &'static dyn CryptoProvider,
    /// A copy, so that a comparison needs no virtual call.
    id: TypeId,
}

impl Provider {
    pub(crate) fn new(provider: &'static dyn CryptoProvider) -> Self {
        let any: &dyn Any = provider;
        Self { provider, id: any.type_id() }
    }

    /// The provider that is used if none is set; `None` without the feature `aws-lc`.
    pub(crate) fn built_in() -> Option<Self> {
        #[cfg(feature = "aws-lc")]
        return Some(Self::new(&AwsLc));
        #[cfg(not(feature = "aws-lc"))]
        None
    }

    /// The asymmetric algorithms that the provider supports.
    pub(crate) fn algorithms(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.iter().copied().filter(move |&algorithm| self.supports(algorithm))
    }
}

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Deref for Provider {
    type Target = dyn CryptoProvider;

    fn deref(&self) -> &Self::Target {
        self.provider
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
