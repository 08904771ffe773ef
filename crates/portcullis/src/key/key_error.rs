//! The reasons to skip or reject a key.

use crate::causes::debug_with_causes;
use crate::json::JsonError;

/// Why a key cannot be used.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key is not a JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A member name is repeated.
    #[error("a member is duplicated")]
    DuplicateMember,
    /// A member has a value of the wrong type.
    #[error("`{0}` has a value of the wrong type")]
    WrongType(&'static str),
    /// A member that this key type requires is absent.
    #[error("`{0}` is absent")]
    Missing(&'static str),
    /// A member is not base64url, or has an impossible length.
    #[error("`{0}` is not base64url of the right length")]
    Encoding(&'static str),
    /// The input is not a public key or certificate in strict DER.
    #[error("not a public key or certificate in DER: {problem}")]
    #[non_exhaustive]
    Der {
        /// The reason.
        problem: &'static str,
    },
    /// The input is not PEM (RFC 7468), or not exactly one block.
    #[error("not PEM: {problem}")]
    #[non_exhaustive]
    Pem {
        /// The reason.
        problem: &'static str,
    },
    /// A symmetric key. In a published set it would be public.
    #[error("a symmetric key")]
    Symmetric,
    /// A private key. Anyone who can read it can sign.
    #[error("a private key")]
    Private,
    /// `use` or `key_ops` does not allow signature verification (RFC 7517 §4.2, §4.3).
    #[error("not meant for verifying signatures")]
    NotForSignatures,
    /// The key type, curve or algorithm is unknown.
    #[error("an unknown key type, curve or algorithm")]
    Unsupported,
    /// The [crypto provider](crate::crypto) does not support the key's algorithm, or a key of this
    /// kind.
    #[error("not supported by the crypto provider {provider}")]
    #[non_exhaustive]
    UnsupportedByProvider {
        /// The provider's name.
        provider: &'static str,
    },
    /// `alg` does not fit this type of key.
    #[error("`alg` does not fit the key")]
    AlgorithmMismatch,
    /// The key's algorithm is not allowed.
    #[error("for an algorithm that is not allowed")]
    NotAllowed,
    /// The RSA modulus has fewer than 2048 or more than 8192 bits (RFC 7518 §3.3).
    #[error("an RSA modulus of {bits} bits; 2048 to 8192 are allowed")]
    #[non_exhaustive]
    ModulusSize {
        /// The length of the modulus, in bits.
        bits: usize,
    },
    /// The RSA exponent is even, 1, or longer than 64 bits.
    #[error("an RSA exponent that is even, 1 or longer than 64 bits")]
    Exponent,
    /// An Ed25519 point of small order. Signing for it requires no secret.
    #[error("an Ed25519 point of small order, for which anyone can sign")]
    SmallOrder,
    /// An ML-DSA key with a short t1, such as all zeros. Signing for it requires no secret.
    #[error("an ML-DSA key with a short t1, for which anyone can sign")]
    ShortKey,
    /// An HMAC secret that is shorter than the hash (RFC 7518 §3.2).
    #[error("a secret of {bytes} bytes; this algorithm needs {min} or more")]
    #[non_exhaustive]
    ShortSecret {
        /// The length of the secret, in bytes.
        bytes: usize,
        /// The minimum length, in bytes.
        min: usize,
    },
    /// The numbers do not form a valid key.
    #[error("not a valid public key")]
    Invalid,
    /// Two different keys have the same `kid` and algorithm.
    #[error("another key has the same `kid`")]
    Ambiguous,
}

debug_with_causes!(KeyError);

impl KeyError {
    /// Returns whether the key is faulty, so that the issuer should fix it. Keys for encryption,
    /// for another algorithm or of an unknown type are not faulty: other services may use them.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        !matches!(
            self,
            Self::NotForSignatures
                | Self::Unsupported
                | Self::UnsupportedByProvider { .. }
                | Self::NotAllowed
        )
    }
}

impl From<JsonError> for KeyError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::NotAnObject => Self::NotAnObject,
            JsonError::DuplicateMember => Self::DuplicateMember,
            JsonError::WrongType(name) | JsonError::OutOfRange(name) => Self::WrongType(name),
        }
    }
}
