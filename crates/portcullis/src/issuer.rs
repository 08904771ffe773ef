//! One trusted issuer: its keys, what its tokens must say, and how it tells of revocations.

mod keys;
mod rules;
mod status;

use std::fmt;

use crate::algorithm::Algorithm;
use crate::revocation::{Introspections, StatusLists};

pub(crate) use keys::IssuerKeys;
pub(crate) use rules::ClaimsRules;
pub use status::IssuerStatus;

/// An issuer, what its tokens must say, and its keys.
pub(crate) struct TrustedIssuer {
    pub(crate) rules: ClaimsRules,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) keys: IssuerKeys,
    pub(crate) status_lists: StatusLists,
    pub(crate) introspections: Introspections,
}

impl TrustedIssuer {
    pub(crate) fn name(&self) -> &str {
        &self.rules.issuer
    }
}

impl fmt::Debug for TrustedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedIssuer")
            .field("rules", &self.rules)
            .field("algorithms", &self.algorithms)
            .field("keys", &self.keys)
            .finish()
    }
}
