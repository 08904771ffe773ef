//! The accepted audiences.

use std::fmt;

/// The audiences whose tokens are accepted.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Audiences {
    /// Tokens for any of these audiences. The list has at least one.
    Named(Vec<String>),
    /// Tokens of any audience. Only [`dangerous`](crate::dangerous) sets it.
    Any,
}

/// Formats the audiences for the log.
impl fmt::Debug for Audiences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(names) => names.fmt(f),
            Self::Any => f.write_str("any"),
        }
    }
}
