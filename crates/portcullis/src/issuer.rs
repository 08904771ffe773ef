//! One trusted issuer: its keys, what its tokens must say, and how it tells of revocations.

mod audiences;
mod keys;
mod rules;
mod status;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::algorithm::Algorithm;
use crate::revocation::{Introspections, StatusLists};

pub(crate) use audiences::Audiences;
pub(crate) use keys::IssuerKeys;
pub(crate) use rules::ClaimsRules;
pub use status::IssuerStatus;

/// An issuer, what its tokens must say, and its keys.
pub(crate) struct TrustedIssuer {
    /// The name of the rule set that these are the rules of, if a resolver has answered with them.
    pub(crate) rule_set: Option<Arc<str>>,
    pub(crate) rules: ClaimsRules,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) keys: IssuerKeys,
    pub(crate) status_lists: StatusLists,
    pub(crate) introspections: Introspections,
    /// Whether it was forgotten: its tokens and callers are refused.
    pub(crate) forgotten: AtomicBool,
}

impl TrustedIssuer {
    pub(crate) fn name(&self) -> &str {
        &self.rules.issuer
    }

    /// Whether tokens are held to the same rules by both. Their keys may differ.
    pub(crate) fn has_rules_of(&self, other: &Self) -> bool {
        self.rules == other.rules && self.algorithms == other.algorithms
    }

    /// Stops the background renewal of its keys, since it was replaced or evicted. Requests that still
    /// use it are answered.
    pub(crate) fn retire(&self) {
        self.keys.retire();
    }

    pub(crate) fn forget(&self) {
        self.forgotten.store(true, Ordering::Relaxed);
        self.retire();
    }

    pub(crate) fn is_forgotten(&self) -> bool {
        self.forgotten.load(Ordering::Relaxed)
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
