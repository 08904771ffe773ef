//! A trusted issuer: its keys, the rules for its tokens, and its revocation sources.

mod audiences;
mod keys;
mod logout;
mod rules;
mod status;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::crypto::Algorithms;
use crate::revocation::feed::TokenFeed;
use crate::revocation::{Introspections, StatusLists};

pub(crate) use audiences::Audiences;
pub(crate) use keys::IssuerKeys;
pub(crate) use logout::LogoutRules;
pub(crate) use rules::ClaimsRules;
pub use status::{FeedStatus, IssuerStatus};

/// An issuer, the rules for its tokens, and its keys.
pub(crate) struct TrustedIssuer {
    /// The name of the rule set, if a resolver returned it.
    pub(crate) rule_set: Option<Arc<str>>,
    /// The settings that a resolver returned, for comparison with its next answer.
    pub(crate) made_from: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) rules: ClaimsRules,
    pub(crate) algorithms: Algorithms,
    pub(crate) keys: IssuerKeys,
    pub(crate) status_lists: StatusLists,
    pub(crate) introspections: Introspections,
    /// The revocations that were reported to the service, if it has a feed.
    pub(crate) feed: Option<TokenFeed>,
    /// The requirements for the issuer's logout tokens, if any are accepted.
    pub(crate) logout: LogoutRules,
    /// Whether the issuer was forgotten. Its tokens and callers are then rejected.
    pub(crate) forgotten: AtomicBool,
}

impl TrustedIssuer {
    pub(crate) fn name(&self) -> &str {
        &self.rules.issuer
    }

    /// Stops the background refresh of the issuer's keys, after the issuer was replaced or evicted.
    /// Requests that still use the issuer are answered.
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
