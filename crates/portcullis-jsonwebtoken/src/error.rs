//! Why there is no key, and why a token is not decoded.

use std::time::Duration;

use http::StatusCode;
use portcullis::signature::VerifyError;

/// Why there is no [`DecodingKey`](jsonwebtoken::DecodingKey) for a token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DecodingKeyError {
    /// The source has no key for the token, or cannot tell: see [`VerifyError`].
    #[error(transparent)]
    Source(#[from] VerifyError),
    /// `alg` has no public key, or is not known to Portcullis.
    #[error("`alg` is {algorithm:?}, for which no key set has a key")]
    #[non_exhaustive]
    NoPublicKey {
        /// The token's algorithm.
        algorithm: jsonwebtoken::Algorithm,
    },
    /// The token has no `kid`, and several keys fit.
    #[error(
        "the token has no `kid`, and several keys fit: call `DecodingKeySource::decode`, which tries each"
    )]
    SeveralKeys,
    /// The key is a secret, or one that jsonwebtoken cannot represent.
    #[error("jsonwebtoken cannot represent the key")]
    Unrepresentable,
}

impl DecodingKeyError {
    /// The status to answer a request with: 401 if the token is at fault, 429 if its key may not be looked for
    /// now, 503 if the keys cannot be fetched.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Source(VerifyError::KeyBudgetSpent { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Source(VerifyError::KeysUnavailable { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// When to retry, for `Retry-After`; `None` if the token is at fault.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Source(
                VerifyError::KeyBudgetSpent { retry_after, .. }
                | VerifyError::KeysUnavailable { retry_after, .. },
            ) => Some(*retry_after),
            _ => None,
        }
    }
}

/// Why a token is not decoded.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There is no key for it.
    #[error(transparent)]
    Key(#[from] DecodingKeyError),
    /// jsonwebtoken refuses it.
    #[error(transparent)]
    Token(#[from] jsonwebtoken::errors::Error),
}

impl DecodeError {
    /// The status to answer a request with: 401 unless the keys are at fault.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Key(error) => error.status(),
            Self::Token(_) => StatusCode::UNAUTHORIZED,
        }
    }
}
