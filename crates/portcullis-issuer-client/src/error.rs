//! The errors of a call.

use std::error::Error as _;
use std::fmt;

use http::StatusCode;

/// Why a call to the issuer failed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The issuer's URL cannot be used.
    #[error("the issuer's URL is {url:?}: {why}")]
    Url {
        /// The URL.
        url: String,
        /// The reason.
        why: &'static str,
    },
    /// The HTTP client could not be created.
    #[error("the HTTP client could not be created")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The caller's request has no access token.
    #[error("the request has no access token; send `Authorization: Bearer` and the token")]
    NoToken,
    /// The caller's request has more than one access token in one place.
    #[error("the request has more than one access token; send one")]
    RepeatedToken,
    /// The caller's access token is malformed (RFC 6750 section 2.1).
    #[error("malformed bearer token; send `Authorization: Bearer` and the token, without quotes")]
    MalformedToken,
    /// The issuer rejected the token: it is invalid, or its session has ended.
    #[error("the issuer rejected the token; log in again")]
    Rejected,
    /// The user has no active session with this id.
    #[error("the user has no active session with this id")]
    NoSuchSession,
    /// The issuer could not be reached within 5 seconds.
    #[error("the issuer is unreachable")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The issuer responded with this status, or with a body that could not be read.
    #[error("unexpected response from the issuer (status {0}); check that the URL is the issuer's")]
    Unexpected(StatusCode),
}

/// Shows the message and its causes, for a `main` that returns the error.
impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl ClientError {
    /// Returns the status for the response of an app to its caller: 400 for a malformed or repeated
    /// token, 401 for [`NoToken`](Self::NoToken) and [`Rejected`](Self::Rejected), 404 for
    /// [`NoSuchSession`](Self::NoSuchSession), 502 for [`Unexpected`](Self::Unexpected), 503 for
    /// [`Unreachable`](Self::Unreachable), and 500 for an error of the app's own setup.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::RepeatedToken | Self::MalformedToken => StatusCode::BAD_REQUEST,
            Self::NoToken | Self::Rejected => StatusCode::UNAUTHORIZED,
            Self::NoSuchSession => StatusCode::NOT_FOUND,
            Self::Unexpected(_) => StatusCode::BAD_GATEWAY,
            Self::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Url { .. } | Self::Setup(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_an_error_shows_its_message_and_causes() {
        let refused = ClientError::Unreachable("connection refused".into());
        assert_eq!(format!("{refused:?}"), "the issuer is unreachable: connection refused");
        let none = "the request has no access token; send `Authorization: Bearer` and the token";
        assert_eq!(format!("{:?}", ClientError::NoToken), none);
    }
}
