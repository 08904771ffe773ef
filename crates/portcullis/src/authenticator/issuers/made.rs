//! The issuers that a resolver's answers made.

use std::sync::{Arc, Weak};

use crate::issuer::TrustedIssuer;

/// The minimum number of issuers at which the dropped ones are removed.
const FULL_AT_LEAST: usize = 64;

/// The issuers that something holds: the cache, a caller or a stream.
#[derive(Default)]
pub(super) struct Made {
    issuers: Vec<Weak<TrustedIssuer>>,
    /// The number of issuers at which the dropped ones are removed.
    full_at: usize,
}

impl Made {
    pub(super) fn add(&mut self, issuer: &Arc<TrustedIssuer>) {
        if self.issuers.len() >= self.full_at {
            self.issuers.retain(|issuer| issuer.strong_count() > 0);
            self.full_at = (self.issuers.len() * 2).max(FULL_AT_LEAST);
        }
        self.issuers.push(Arc::downgrade(issuer));
    }

    /// Forgets all issuers of a rule set, also those that were evicted or replaced.
    pub(super) fn forget(&self, rule_set: &str) {
        for issuer in self.issuers.iter().filter_map(Weak::upgrade) {
            if issuer.rule_set.as_deref() == Some(rule_set) {
                issuer.forget();
            }
        }
    }
}
