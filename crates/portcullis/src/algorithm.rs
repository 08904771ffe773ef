//! Signature algorithms for tokens. The algorithm `none` is not supported.

use std::fmt;
use std::str::FromStr;

use crate::causes::debug_with_causes;

/// A JWS signature algorithm ([RFC 7518 §3.1], [RFC 8037 §3.1], [RFC 9864], [RFC 9964]).
///
/// `none` has no variant, so a token that names it cannot be represented. The symmetric algorithms
/// are not in [`Algorithm::ALL`] and cannot be read from a setting or a JWK: their keys come only
/// from [`dangerous`](crate::dangerous).
///
/// [RFC 7518 §3.1]: https://www.rfc-editor.org/rfc/rfc7518#section-3.1
/// [RFC 8037 §3.1]: https://www.rfc-editor.org/rfc/rfc8037#section-3.1
/// [RFC 9864]: https://www.rfc-editor.org/rfc/rfc9864
/// [RFC 9964]: https://www.rfc-editor.org/rfc/rfc9964
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// EdDSA with Ed25519, under either name: `EdDSA` (RFC 8037) and `Ed25519` (RFC 9864).
    Ed25519,
    /// ML-DSA-44, post-quantum.
    MlDsa44,
    /// ML-DSA-65, post-quantum.
    MlDsa65,
    /// ML-DSA-87, post-quantum.
    MlDsa87,
    /// HMAC with SHA-256. The verification key can also sign.
    Hs256,
    /// HMAC with SHA-384. The verification key can also sign.
    Hs384,
    /// HMAC with SHA-512. The verification key can also sign.
    Hs512,
}

impl Algorithm {
    /// Every asymmetric algorithm.
    pub const ALL: &'static [Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    const SYMMETRIC: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    /// Returns the name in the IANA registry. For [`Algorithm::Ed25519`] this is `EdDSA`, which
    /// issuers still use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ed25519 => "EdDSA",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    pub(crate) fn is_symmetric(self) -> bool {
        Self::SYMMETRIC.contains(&self)
    }

    /// Returns the algorithm with exactly this name; names are case-sensitive ([RFC 7515 §4.1.1]).
    ///
    /// [RFC 7515 §4.1.1]: https://www.rfc-editor.org/rfc/rfc7515#section-4.1.1
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::Ed25519);
        }
        Self::ALL
            .iter()
            .copied()
            .chain(Self::SYMMETRIC)
            .find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error for a name that is not an asymmetric [`Algorithm`].
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, ML-DSA-44, ML-DSA-65, ML-DSA-87"
)]
pub struct UnknownAlgorithm(pub(crate) String);

debug_with_causes!(UnknownAlgorithm);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::from_name(name).filter(|algorithm| !algorithm.is_symmetric());
        known.ok_or_else(|| UnknownAlgorithm(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_name_parses_to_its_algorithm() {
        for &algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
        }
        assert_eq!("Ed25519".parse(), Ok(Algorithm::Ed25519));
    }

    #[test]
    fn symmetric_algorithm_name_is_rejected() {
        for algorithm in Algorithm::SYMMETRIC {
            assert!(algorithm.as_str().parse::<Algorithm>().is_err());
            assert!(!Algorithm::ALL.contains(&algorithm));
        }
    }

    #[test]
    fn none_and_misspelled_names_are_unknown() {
        for name in ["none", "None", "hs256", "rs256", " RS256", "RS256 ", "ED25519", ""] {
            assert_eq!(Algorithm::from_name(name), None, "{name:?}");
        }
    }
}
