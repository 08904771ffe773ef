//! The requirements for the logout tokens of an issuer.

use crate::revocation::LogoutMatch;

/// The requirements for the logout tokens of an issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LogoutRules {
    /// The client IDs that logout tokens are sent to. Empty: none are accepted.
    pub(crate) clients: Vec<String>,
    /// What a logout token with both `sid` and `sub` revokes.
    pub(crate) matches: LogoutMatch,
    /// Whether `typ` may be `JWT` or absent.
    pub(crate) may_be_untyped: bool,
}
