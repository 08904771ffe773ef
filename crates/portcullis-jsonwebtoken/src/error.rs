//! Why there is no key, and why a token is not decoded.

use std::error::Error;
use std::time::Duration;

use http::StatusCode;
use jsonwebtoken::errors::ErrorKind;
use portcullis::signature::VerifyError;

/// Why there is no [`DecodingKey`](jsonwebtoken::DecodingKey) for a token.
#[derive(Clone, thiserror::Error)]
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

/// Why a token is not decoded. Its text has no value out of the token.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There is no key for it.
    #[error(transparent)]
    Key(#[from] DecodingKeyError),
    /// jsonwebtoken refuses it. The text of its own error may have values out of the token: take the
    /// [kind](jsonwebtoken::errors::Error::kind) of it.
    #[error("jsonwebtoken refuses the token: {}", reason(.0))]
    Token(jsonwebtoken::errors::Error),
}

impl From<jsonwebtoken::errors::Error> for DecodeError {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        Self::Token(error)
    }
}

/// What serde says of JSON has the value that does not fit.
fn reason(error: &jsonwebtoken::errors::Error) -> String {
    match error.kind() {
        ErrorKind::Json(_) => "its header or its claims do not fit their type".to_owned(),
        ErrorKind::Base64(_) => "a part is not base64url".to_owned(),
        ErrorKind::Utf8(_) => "a part is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// The text and its causes: what a `main` that returns the error prints.
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
    /// The status to answer a request with: 401 unless the keys are at fault.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Key(error) => error.status(),
            Self::Token(_) => StatusCode::UNAUTHORIZED,
        }
    }
}
