//! The stage at which verification failed.

use portcullis::token::TokenError;
use serde::Serialize;

/// The stage at which a line failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    Input,
    Key,
    Form,
    Header,
    Algorithm,
    Select,
    Signature,
}

impl Stage {
    pub(super) fn of(error: &TokenError) -> Self {
        match error {
            TokenError::UnknownAlgorithm | TokenError::AlgorithmNotAllowed { .. } => {
                Self::Algorithm
            }
            TokenError::UnknownKey
            | TokenError::UnknownLocalKey
            | TokenError::UnusableKey { .. }
            | TokenError::TooManyCandidates { .. }
            | TokenError::AlgorithmMismatch { .. } => Self::Select,
            TokenError::Signature => Self::Signature,
            TokenError::NotJson { .. }
            | TokenError::DuplicateMember { .. }
            | TokenError::WrongType { .. }
            | TokenError::CriticalHeader
            | TokenError::UnencodedPayload => Self::Header,
            // The remaining errors are those of length, parts and encoding: claims are not checked
            // here.
            _ => Self::Form,
        }
    }
}
