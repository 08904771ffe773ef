//! The requirements of a single route, in addition to the gate's.

use std::sync::Arc;

use crate::authenticated::{Authenticated, Demand};
use crate::policy::Policy;
use crate::refusal::Unreported;
use crate::revocation::{Means, Revocation};

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

impl Demand for Requirement {
    fn is_met_by(&self, who: &Authenticated) -> Result<(), Unreported> {
        self.policy.as_ref().map_or(Ok(()), |policy| who.meets(policy))
    }

    fn visit_means(&self, visit: &mut dyn FnMut(Means)) {
        visit(self.revocation.means());
    }
}

impl Authenticated {
    /// Returns the caller with a further requirement, which its [streams](crate::streams) must also keep
    /// meeting.
    ///
    /// The gate and the adapters' `Require` layers add their own requirements. Use this method for a
    /// requirement that the handler itself has checked, for example with [`require`](Self::require).
    /// This method does not check whether the caller meets the requirement now.
    ///
    /// ```
    /// use portcullis::{Authenticated, Policy, Refusal, streams::OpenStream};
    ///
    /// fn subscribe(who: &Authenticated) -> Result<OpenStream, Refusal> {
    ///     let policy = Policy::scopes(["prices:read"]);
    ///     who.require(&policy)?;
    ///     // A renewed token needs the scope, too.
    ///     Ok(who.clone().requiring(policy).open_stream())
    /// }
    /// ```
    #[must_use]
    pub fn requiring(mut self, requirement: impl Into<Requirement>) -> Self {
        self.demands_mut().add(Arc::new(requirement.into()));
        self
    }
}

/// Records that `who` has met the requirement of a route, for its [streams](crate::streams). Every
/// adapter's `Require` calls it for the caller in the request's extensions.
pub fn note_requirement(who: &mut Authenticated, requirement: &Arc<Requirement>) {
    who.demands_mut().add(requirement.clone());
}
