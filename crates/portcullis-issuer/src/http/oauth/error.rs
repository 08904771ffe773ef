//! Errors of RFC 6749 section 5.2, with constant texts. Internal causes are in the log only.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Error;
use crate::metrics;

/// The reason why a request was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum OAuthError {
    InvalidRequest(&'static str),
    TooLarge,
    TooSlow,
    InvalidClient,
    UnauthorizedClient(&'static str),
    UnsupportedGrantType,
    InvalidGrant(&'static str),
    InvalidScope,
    InvalidTarget(&'static str),
    TooManyAttempts { retry_after_secs: u64 },
    Unavailable,
}

/// An error response (RFC 6749 section 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ErrorBody {
    error: &'static str,
    /// A constant description of the error.
    error_description: &'static str,
}

impl OAuthError {
    pub(super) const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::InvalidRequest(why) => (S::BAD_REQUEST, "invalid_request", why),
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "invalid_request", "The body is too large."),
            Self::TooSlow => {
                (S::REQUEST_TIMEOUT, "invalid_request", "The body did not arrive in time.")
            }
            Self::InvalidClient => (
                S::UNAUTHORIZED,
                "invalid_client",
                "The client is unknown or disabled, or its credential is wrong.",
            ),
            Self::UnauthorizedClient(why) => (S::BAD_REQUEST, "unauthorized_client", why),
            Self::UnsupportedGrantType => (
                S::BAD_REQUEST,
                "unsupported_grant_type",
                "grant_type must be client_credentials, refresh_token or \
                 urn:ietf:params:oauth:grant-type:token-exchange.",
            ),
            Self::InvalidGrant(why) => (S::BAD_REQUEST, "invalid_grant", why),
            Self::InvalidScope => {
                (S::BAD_REQUEST, "invalid_scope", "The client may not request one of these scopes.")
            }
            // RFC 8707 section 2.
            Self::InvalidTarget(why) => (S::BAD_REQUEST, "invalid_target", why),
            Self::TooManyAttempts { .. } => (
                S::TOO_MANY_REQUESTS,
                "temporarily_unavailable",
                "There were too many failed attempts. Retry-After says when to try again.",
            ),
            Self::Unavailable => (
                S::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "The service cannot answer right now. Try again shortly.",
            ),
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (status, error, error_description) = self.parts();
        metrics::refused(error);
        let body = Json(ErrorBody { error, error_description });
        let mut response = (status, [(CACHE_CONTROL, "no-store")], body).into_response();
        let headers = response.headers_mut();
        match self {
            // RFC 9110 section 15.5.2: a 401 must name a scheme, even if the client used another
            // one.
            Self::InvalidClient => {
                let basic = HeaderValue::from_static("Basic realm=\"oauth\"");
                headers.insert(WWW_AUTHENTICATE, basic)
            }
            Self::TooManyAttempts { retry_after_secs } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(retry_after_secs))
            }
            Self::Unavailable => headers.insert(RETRY_AFTER, HeaderValue::from_static("1")),
            _ => None,
        };
        response
    }
}

impl From<Error> for OAuthError {
    fn from(error: Error) -> Self {
        match error {
            Error::Limited { retry_after_secs } => Self::TooManyAttempts { retry_after_secs },
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot answer");
                Self::Unavailable
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6749 section 5.2 and appendix A limit the characters of `error` and `error_description`.
    #[test]
    fn errors_and_their_descriptions_have_the_characters_that_they_may_have() {
        for error in [
            OAuthError::InvalidRequest("."),
            OAuthError::TooLarge,
            OAuthError::TooSlow,
            OAuthError::InvalidClient,
            OAuthError::UnauthorizedClient("."),
            OAuthError::UnsupportedGrantType,
            OAuthError::InvalidGrant("."),
            OAuthError::InvalidScope,
            OAuthError::InvalidTarget("."),
            OAuthError::TooManyAttempts { retry_after_secs: 1 },
            OAuthError::Unavailable,
        ] {
            let (_, code, description) = error.parts();
            let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
            assert!(code.chars().chain(description.chars()).all(allowed), "{error:?}");
        }
    }
}
