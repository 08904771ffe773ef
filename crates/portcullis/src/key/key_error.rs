//! Why a key is not used.

use crate::causes::debug_with_causes;
use crate::json::JsonError;

/// Why a key is not used.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A member name comes twice.
    #[error("a member comes twice")]
    DuplicateMember,
    /// A member has a value of the wrong type.
    #[error("`{0}` has a value of the wrong type")]
    WrongType(&'static str),
    /// A member is absent that this kind of key must have.
    #[error("`{0}` is absent")]
    Missing(&'static str),
    /// A member is not base64url, or has a length that can not be right.
    #[error("`{0}` is not base64url of the right length")]
    Encoding(&'static str),
    /// Not a public key or a certificate in DER, or not strictly.
    #[error("not a public key or certificate in DER: {problem}")]
    #[non_exhaustive]
    Der {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Not PEM (RFC 7468), or not one block of it.
    #[error("not PEM: {problem}")]
    #[non_exhaustive]
    Pem {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A symmetric key: in a published set it would be everybody's.
    #[error("a symmetric key")]
    Symmetric,
    /// A private key: whoever can read it can sign.
    #[error("a private key")]
    Private,
    /// `use` or `key_ops` is not about signatures (RFC 7517 §4.2, §4.3).
    #[error("not meant for verifying signatures")]
    NotForSignatures,
    /// The key type, curve or algorithm is not known here.
    #[error("an unknown key type, curve or algorithm")]
    Unsupported,
    /// `alg` is not possible with this type of key.
    #[error("`alg` does not fit the key")]
    AlgorithmMismatch,
    /// The key's algorithm is not among those that are allowed.
    #[error("for an algorithm that is not allowed")]
    NotAllowed,
    /// An RSA modulus under 2048 or over 8192 bits (RFC 7518 §3.3).
    #[error("an RSA modulus of {bits} bits, not of 2048 to 8192")]
    #[non_exhaustive]
    ModulusSize {
        /// The length of the modulus.
        bits: usize,
    },
    /// An RSA exponent that is even, 1, or longer than 64 bits.
    #[error("a bad RSA exponent")]
    Exponent,
    /// An Ed25519 point of small order: signing under it takes no secret.
    #[error("an Ed25519 point of small order, under which anybody can sign")]
    SmallOrder,
    /// An ML-DSA key whose t1 is short, such as one of zeros: signing under it takes no secret.
    #[error("a short ML-DSA key, under which anybody can sign")]
    ShortKey,
    /// A secret for HMAC that is shorter than the hash (RFC 7518 §3.2).
    #[error("a secret of {bytes} bytes; this algorithm needs {min} or more")]
    #[non_exhaustive]
    ShortSecret {
        /// The length of the secret.
        bytes: usize,
        /// The least that it must have.
        min: usize,
    },
    /// The numbers make no key.
    #[error("the numbers make no valid public key")]
    Invalid,
    /// Two different keys have the same `kid` and algorithm.
    #[error("another key has the same `kid`")]
    Ambiguous,
}

debug_with_causes!(KeyError);

impl KeyError {
    /// Whether something is wrong with the key, which its issuer should mend. A key for encryption,
    /// of another algorithm or of an unknown type is of no use here and may be good for others.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::NotForSignatures | Self::Unsupported | Self::NotAllowed)
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
