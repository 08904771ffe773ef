//! Whom tokens must be for.

use std::fmt;

/// The audiences whose tokens are accepted.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Audiences {
    /// Tokens for one of these, at least one.
    Named(Vec<String>),
    /// Any token of the issuer, for whomever it is, as only [`dangerous`](crate::dangerous) says.
    Any,
}

/// As the log has it.
impl fmt::Debug for Audiences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(names) => names.fmt(f),
            Self::Any => f.write_str("any"),
        }
    }
}
