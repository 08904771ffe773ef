//! What one route requires of its callers, beyond the gate.

use crate::policy::Policy;
use crate::revocation::Revocation;

/// What a route requires of its callers: a [`Policy`], that their token was not [revoked](Revocation),
/// or both. An adapter's `RequireLayer` or `Require` takes one, or a policy or a revocation alone.
///
/// ```
/// use portcullis::{Policy, Revocation, adapter::Requirement};
///
/// let pay = Requirement::from(Policy::scopes(["payments:write"])).revocation(Revocation::live());
/// let logged_in = Requirement::from(Revocation::live());
/// # let _ = (pay, logged_in);
/// ```
#[derive(Debug, Clone)]
pub struct Requirement {
    pub(crate) policy: Option<Policy>,
    pub(crate) revocation: Revocation,
}

impl Requirement {
    /// Requires `revocation` as well, and replaces any that was set before. What the gate requires
    /// still holds.
    #[must_use]
    pub fn revocation(self, revocation: Revocation) -> Self {
        Self { revocation, ..self }
    }
}

impl From<Policy> for Requirement {
    fn from(policy: Policy) -> Self {
        Self { policy: Some(policy), revocation: Revocation::expiry() }
    }
}

impl From<Revocation> for Requirement {
    fn from(revocation: Revocation) -> Self {
        Self { policy: None, revocation }
    }
}
