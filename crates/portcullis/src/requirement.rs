//! The requirements of a single route, in addition to the gate's.

use crate::policy::Policy;
use crate::revocation::Revocation;

/// The requirements of a route: a [`Policy`], a [`Revocation`] check, or both. An adapter's
/// `RequireLayer` or `Require` takes one, or only a policy or a revocation.
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
    /// Also requires `revocation`. Replaces any revocation check that was set before. The
    /// requirements of the gate still apply.
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
