//! The log event and the metrics of a refusal.

use std::error::Error;
use std::sync::Arc;

use super::{Cause, Refusal, RefusalKind, Site};
use crate::duration::InSeconds;
use crate::error::TokenError;
use crate::metrics;

impl Refusal {
    pub(super) fn report(&self, site: &Site) {
        let (kind, rule) = (self.kind(), self.rule());
        metrics::refused(kind.as_str(), rule);
        let setting = self.setting().map(tracing::field::display);
        let (reason, remedy) = (self.reason(), self.remedy());
        let issuer = self.0.issuer.as_deref();
        let (method, route) = (site.method, site.route.as_deref());
        if kind == RefusalKind::Misconfigured {
            // This is a fault of the service, and every such request fails, so it is logged as an
            // error.
            tracing::error!(
                target: "portcullis::refusal",
                kind = kind.as_str(), rule, issuer, method, route, setting, %reason, remedy,
                "refused",
            );
            return;
        }
        // The failed fetch logged one warning. A warning here would let clients fill the log.
        let unavailable = match &self.0.cause {
            Cause::Unavailable { source, .. } | Cause::BudgetSpent { source, .. } => {
                source.as_ref()
            }
            _ => None,
        };
        let found = self.token_error().and_then(TokenError::found);
        tracing::debug!(
            target: "portcullis::refusal",
            kind = kind.as_str(), rule, issuer, method, route, setting, %reason, remedy,
            found = found.map(tracing::field::display),
            retry_after = self.retry_after().map(InSeconds).map(tracing::field::display),
            error = unavailable.map(|error| error as &dyn Error),
            "refused",
        );
        if let Some(space) = &self.0.space {
            space.tally.note(self, site);
        }
    }

    pub(super) fn issuer(&self) -> Option<&Arc<str>> {
        self.0.issuer.as_ref()
    }
}
