//! Errors of key lookup and decoding.

use std::error::Error;
use std::time::Duration;

use http::StatusCode;
use jsonwebtoken::errors::ErrorKind;
use portcullis::signature::VerifyError;

/// The reason why there is no [`DecodingKey`](jsonwebtoken::DecodingKey) for a token.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DecodingKeyError {
    /// The source has no key for the token, or the lookup failed: see [`VerifyError`].
    #[error(transparent)]
    Source(#[from] VerifyError),
    /// `alg` has no public key, or Portcullis does not support it.
    #[error("`alg` is {algorithm:?}, which has no public key or is not supported")]
    #[non_exhaustive]
    NoPublicKey {
        /// The token's algorithm.
        algorithm: jsonwebtoken::Algorithm,
    },
    /// The token has no `kid`, and several keys match.
    #[error(
        "the token has no `kid`, and several keys match; call `DecodingKeySource::decode`, which tries each"
    )]
    SeveralKeys,
    /// The key is symmetric, or jsonwebtoken cannot represent it.
    #[error("jsonwebtoken cannot represent the key")]
    Unrepresentable,
}

impl DecodingKeyError {
    /// Returns the status to answer a request with: 401 if the token is invalid, 429 if the budget
    /// for key lookups is spent, 503 if the keys cannot be fetched.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Source(VerifyError::KeyBudgetSpent { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Source(VerifyError::KeysUnavailable { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// Returns the time to wait before a retry, for `Retry-After`. `None` if the token is invalid.
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

/// The reason why a token cannot be decoded. The message contains no value from the token.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There is no key for the token.
    #[error(transparent)]
    Key(#[from] DecodingKeyError),
    /// jsonwebtoken rejects the token. The message of this inner error may contain values from the
    /// token: use its [kind](jsonwebtoken::errors::Error::kind) instead.
    #[error("jsonwebtoken rejected the token: {}", reason(.0))]
    Token(jsonwebtoken::errors::Error),
}

impl From<jsonwebtoken::errors::Error> for DecodeError {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        Self::Token(error)
    }
}

/// Returns the reason without serde's JSON message, which contains the value that does not fit.
fn reason(error: &jsonwebtoken::errors::Error) -> String {
    match error.kind() {
        ErrorKind::Json(_) => "its header or claims do not fit their Rust type".to_owned(),
        ErrorKind::Base64(_) => "a part is not base64url".to_owned(),
        ErrorKind::Utf8(_) => "a part is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// Implements `Debug` as the message with its causes, which a `main` that returns the error prints.
macro_rules! debug_with_causes {
    ($($error:ty),*) => {$(
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")?;
                let mut cause = self.source();
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
        }
    )*};
}

debug_with_causes!(DecodingKeyError, DecodeError);

impl DecodeError {
    /// Returns the status to answer a request with: 401, unless key lookup failed.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Key(error) => error.status(),
            Self::Token(_) => StatusCode::UNAUTHORIZED,
        }
    }
}
