//! The response to a logout token or a security event token, and its log event.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
};
use http::{Response, StatusCode};

use crate::error::TokenError;
use crate::metrics;
use crate::revocation::feed::RevokeError;
use crate::signature::VerifyError;

/// The error of a logout token that an issuer should not send again unchanged (OpenID Connect
/// Back-Channel Logout §2.8).
const INVALID: &[u8] =
    br#"{"error":"invalid_request","error_description":"the logout token is not acceptable"}"#;

const UNAVAILABLE: &[u8] =
    br#"{"error":"temporarily_unavailable","error_description":"send the logout token again"}"#;

/// What a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    LogoutToken,
    /// A security event token (RFC 8417).
    SecurityEvent,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LogoutToken => "logout token",
            Self::SecurityEvent => "security event token",
        })
    }
}

/// The error codes of RFC 8935 §2.4 that the sender of a security event token can cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Request,
    Key,
    Issuer,
    Audience,
}

impl Code {
    fn body(self) -> &'static [u8] {
        match self {
            Self::Request => {
                br#"{"err":"invalid_request","description":"the security event token is not acceptable"}"#
            }
            Self::Key => {
                br#"{"err":"invalid_key","description":"the signature is not by a key of the issuer"}"#
            }
            Self::Issuer => br#"{"err":"invalid_issuer","description":"the issuer is not expected"}"#,
            Self::Audience => {
                br#"{"err":"invalid_audience","description":"the audience is not expected"}"#
            }
        }
    }
}

/// Why a token is not acceptable, for the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reason {
    text: &'static str,
    code: Code,
}

impl Reason {
    pub(super) fn issuer(text: &'static str) -> Self {
        Self { text, code: Code::Issuer }
    }

    pub(super) fn audience(text: &'static str) -> Self {
        Self { text, code: Code::Audience }
    }
}

impl From<&'static str> for Reason {
    fn from(text: &'static str) -> Self {
        Self { text, code: Code::Request }
    }
}

/// The outcome of a request.
pub(super) enum Outcome {
    /// The revocation is stored.
    Stored,
    /// The token is acceptable, and its event revokes nothing.
    Ignored,
    /// The request is not a POST.
    Method,
    TooLarge,
    /// The request is not acceptable, for a reason that is found without verifying a signature.
    Form(Reason),
    /// The text is not a token of a trusted issuer.
    Unverified(TokenError),
    /// The issuer's token is not acceptable.
    Invalid {
        reason: Reason,
        issuer: String,
    },
    Replayed {
        issuer: String,
    },
    /// The token cannot be verified now.
    NoKeys(VerifyError, Duration),
    /// The revocation is not stored.
    NoStore {
        error: RevokeError,
        issuer: String,
    },
}

impl Outcome {
    pub(super) fn form(reason: impl Into<Reason>) -> Self {
        Self::Form(reason.into())
    }

    pub(super) fn invalid(reason: impl Into<Reason>, issuer: &str) -> Self {
        Self::Invalid { reason: reason.into(), issuer: issuer.to_owned() }
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
            _ => {
                Self::invalid("the session or the subject is empty, too long, or has a NUL", issuer)
            }
        }
    }

    /// Logs and counts the request. Only an issuer can cause a warning, because anyone else could fill
    /// the log with warnings.
    pub(super) fn report(&self, kind: Kind) {
        let name = match self {
            Self::Stored => "stored",
            Self::Ignored => "ignored",
            Self::Replayed { .. } => "replayed",
            Self::NoKeys(..) | Self::NoStore { .. } => "unavailable",
            _ => "invalid",
        };
        metrics::logout_token_received(name);
        let rejected = |reason: &str| {
            tracing::debug!(target: "portcullis::feed", reason, "{kind} rejected");
        };
        match self {
            Self::Stored => tracing::debug!(target: "portcullis::feed", "{kind} stored"),
            Self::Ignored => {
                tracing::debug!(target: "portcullis::feed", "{kind} revokes nothing");
            }
            Self::Method => rejected("not a POST"),
            Self::TooLarge => rejected("body too long"),
            Self::Form(reason) => rejected(reason.text),
            Self::Unverified(error) => tracing::debug!(
                target: "portcullis::feed",
                error = error as &dyn Error, "{kind} rejected",
            ),
            Self::Invalid { reason, issuer } => tracing::warn!(
                target: "portcullis::feed",
                issuer, reason = reason.text,
                "rejected a {kind} from the issuer; it revokes nothing",
            ),
            Self::Replayed { issuer } => tracing::debug!(
                target: "portcullis::feed",
                issuer, reason = "its `jti` was received before", "{kind} not stored again",
            ),
            Self::NoKeys(error, _) => tracing::debug!(
                target: "portcullis::feed",
                error = error as &dyn Error, "{kind} not verified",
            ),
            Self::NoStore { error, issuer } => tracing::error!(
                target: "portcullis::feed",
                issuer, error = error as &dyn Error, "{kind} not stored",
            ),
        }
    }

    /// The error code for the sender of a security event token.
    fn code(&self) -> Code {
        match self {
            Self::Form(reason) | Self::Invalid { reason, .. } => reason.code,
            Self::Unverified(TokenError::UntrustedIssuer) => Code::Issuer,
            Self::Unverified(
                TokenError::Signature | TokenError::UnknownKey | TokenError::UnknownLocalKey,
            ) => Code::Key,
            _ => Code::Request,
        }
    }

    pub(super) fn response(&self, kind: Kind) -> Response<Bytes> {
        let status = match (self, kind) {
            (Self::Stored, Kind::LogoutToken) => StatusCode::OK,
            // RFC 8935 §2.2. A sender that received no response sends the token again.
            (Self::Stored | Self::Ignored | Self::Replayed { .. }, _) if kind.is_event() => {
                StatusCode::ACCEPTED
            }
            (Self::Method, _) => StatusCode::METHOD_NOT_ALLOWED,
            (Self::TooLarge, _) => StatusCode::PAYLOAD_TOO_LARGE,
            (Self::NoKeys(..) | Self::NoStore { .. }, _) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = match (status, kind) {
            (StatusCode::OK | StatusCode::ACCEPTED, _) => &b""[..],
            (StatusCode::SERVICE_UNAVAILABLE, Kind::LogoutToken) => UNAVAILABLE,
            (_, Kind::LogoutToken) => INVALID,
            // RFC 8935 has no error code for it.
            (StatusCode::SERVICE_UNAVAILABLE, Kind::SecurityEvent) => b"",
            (_, Kind::SecurityEvent) => self.code().body(),
        };
        let mut response = Response::new(Bytes::from_static(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            if kind.is_event() {
                // RFC 8935 §2.3.
                headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static("en"));
            }
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

impl Kind {
    fn is_event(self) -> bool {
        self == Self::SecurityEvent
    }
}
