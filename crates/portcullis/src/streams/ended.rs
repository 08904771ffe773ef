//! Why a stream ends.

use std::fmt;

/// Why a stream must end: a request with its token would be rejected now, for this reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// The token expired, and was not renewed.
    Expired,
    /// The token or its session was revoked, by the [`Revocation`](crate::Revocation) that the gate
    /// or the route requires.
    SessionRevoked,
    /// The issuer withdrew the key that signed the token.
    KeyWithdrawn,
    /// The issuer's keys are too old to be used, and cannot be fetched.
    KeysUnavailable,
    /// The revocation status has been unknown for longer than the
    /// [`Revocation`](crate::Revocation) of the gate or the route allows.
    StatusUnknown,
    /// The issuer is no longer trusted: see [`Authenticator::forget`](crate::Authenticator::forget).
    IssuerForgotten,
    /// No runtime watches the stream: there was none, or it has been shut down.
    Unwatched,
}

impl Ended {
    /// Returns a short, stable name from a closed list, for logs, metric labels and clients.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::SessionRevoked => "session_revoked",
            Self::KeyWithdrawn => "key_withdrawn",
            Self::KeysUnavailable => "keys_unavailable",
            Self::StatusUnknown => "status_unknown",
            Self::IssuerForgotten => "issuer_forgotten",
            Self::Unwatched => "unwatched",
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the access token expired",
            Self::SessionRevoked => "the session was revoked",
            Self::KeyWithdrawn => "the key of the access token was withdrawn",
            Self::KeysUnavailable => "the issuer's keys are unavailable",
            Self::StatusUnknown => "the revocation status is unavailable",
            Self::IssuerForgotten => "the issuer is no longer trusted",
            Self::Unwatched => "the service cannot watch the stream",
        })
    }
}
