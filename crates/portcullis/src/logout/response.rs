//! The response to a logout token, and its log event.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::error::TokenError;
use crate::metrics;
use crate::revocation::feed::RevokeError;
use crate::signature::VerifyError;

/// The error of a request that an issuer should not send again unchanged (OpenID Connect
/// Back-Channel Logout §2.8).
const INVALID: &[u8] =
    br#"{"error":"invalid_request","error_description":"the logout token is not acceptable"}"#;

const UNAVAILABLE: &[u8] =
    br#"{"error":"temporarily_unavailable","error_description":"send the logout token again"}"#;

/// The outcome of a request.
pub(super) enum Outcome {
    /// The logout is stored.
    Stored,
    /// The request is not a POST.
    Method,
    TooLarge,
    /// The request is not acceptable, for a reason that is found without verifying a signature.
    Form(&'static str),
    /// The text is not a token of a trusted issuer.
    Unverified(TokenError),
    /// The issuer's token is not acceptable.
    Invalid {
        reason: &'static str,
        issuer: String,
    },
    Replayed {
        issuer: String,
    },
    /// The token cannot be verified now.
    NoKeys(VerifyError, Duration),
    /// The logout is not stored.
    NoStore {
        error: RevokeError,
        issuer: String,
    },
}

impl Outcome {
    pub(super) fn form(reason: &'static str) -> Self {
        Self::Form(reason)
    }

    pub(super) fn invalid(reason: &'static str, issuer: &str) -> Self {
        Self::Invalid { reason, issuer: issuer.to_owned() }
    }

    pub(super) fn replayed(issuer: &str) -> Self {
        Self::Replayed { issuer: issuer.to_owned() }
    }

    pub(super) fn of_signature(error: VerifyError) -> Self {
        match error {
            VerifyError::Jws(error) => Self::Unverified(error),
            VerifyError::KeysUnavailable { retry_after, .. }
            | VerifyError::KeyBudgetSpent { retry_after, .. } => Self::NoKeys(error, retry_after),
        }
    }

    pub(super) fn of_store(error: RevokeError, issuer: &str) -> Self {
        match error {
            RevokeError::Store(_) => Self::NoStore { error, issuer: issuer.to_owned() },
            _ => Self::invalid("`sid` or `sub` is empty, too long, or has a NUL", issuer),
        }
    }

    /// Logs and counts the request. Only an issuer can cause a warning, because anyone else could fill
    /// the log with warnings.
    pub(super) fn report(&self) {
        let name = match self {
            Self::Stored => "stored",
            Self::Replayed { .. } => "replayed",
            Self::NoKeys(..) | Self::NoStore { .. } => "unavailable",
            _ => "invalid",
        };
        metrics::logout_token_received(name);
        match self {
            Self::Stored => tracing::debug!(target: "portcullis::feed", "logout token stored"),
            Self::Method => {
                tracing::debug!(target: "portcullis::feed", reason = "not a POST", "logout token rejected");
            }
            Self::TooLarge => {
                tracing::debug!(target: "portcullis::feed", reason = "body too long", "logout token rejected");
            }
            Self::Form(reason) => {
                tracing::debug!(target: "portcullis::feed", reason, "logout token rejected");
            }
            Self::Unverified(error) => tracing::debug!(
                target: "portcullis::feed",
                error = error as &dyn Error, "logout token rejected",
            ),
            Self::Invalid { reason, issuer } => tracing::warn!(
                target: "portcullis::feed",
                issuer, reason, "logout token of the issuer rejected: its logout has no effect",
            ),
            Self::Replayed { issuer } => tracing::debug!(
                target: "portcullis::feed",
                issuer, reason = "its `jti` was received before", "logout token rejected",
            ),
            Self::NoKeys(error, _) => tracing::debug!(
                target: "portcullis::feed",
                error = error as &dyn Error, "logout token not verified",
            ),
            Self::NoStore { error, issuer } => tracing::error!(
                target: "portcullis::feed",
                issuer, error = error as &dyn Error, "logout not stored",
            ),
        }
    }

    pub(super) fn response(&self) -> Response<Bytes> {
        let (status, body) = match self {
            Self::Stored => (StatusCode::OK, &b""[..]),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, INVALID),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, INVALID),
            Self::Form(_) | Self::Unverified(_) | Self::Invalid { .. } | Self::Replayed { .. } => {
                (StatusCode::BAD_REQUEST, INVALID)
            }
            Self::NoKeys(..) | Self::NoStore { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE)
            }
        };
        let mut response = Response::new(Bytes::from_static(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        match self {
            Self::Method => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            Self::NoKeys(_, after) => {
                headers.insert(RETRY_AFTER, after.as_secs().max(1).into());
            }
            Self::NoStore { .. } => {
                headers.insert(RETRY_AFTER, 1.into());
            }
            _ => {}
        }
        response
    }
}
