//! The requirements for the logout tokens and the security event tokens of an issuer.

use crate::revocation::LogoutMatch;

/// The requirements for the logout tokens and the security event tokens of an issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LogoutRules {
    /// The client IDs that logout tokens are sent to. Empty: none are accepted.
    pub(crate) clients: Vec<String>,
    /// The audiences of security event tokens. Empty: none are accepted.
    pub(crate) event_audiences: Vec<String>,
    /// What a logout token with both `sid` and `sub` revokes.
    pub(crate) matches: LogoutMatch,
    /// Whether `typ` may be `JWT` or absent.
    pub(crate) may_be_untyped: bool,
}

impl LogoutRules {
    /// Whether any token can be accepted.
    pub(crate) fn accept_any(&self) -> bool {
        !self.clients.is_empty() || !self.event_audiences.is_empty()
    }
}
