//! How an issuer stands: for a status page, an alarm, a proof that a promise is kept.

use std::time::Duration;

use super::{Audiences, TrustedIssuer};
use crate::key_source::{Freshness, KeySetStatus};
use crate::revocation::StatusListStatus;

/// How one issuer stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuerStatus {
    /// What `iss` says in its tokens.
    pub issuer: String,
    /// The rule set that it is, if an [`IssuerResolver`](crate::config::IssuerResolver) has answered with
    /// it; `None` for an issuer that the service was built with.
    pub rule_set: Option<String>,
    /// Whether tokens are accepted whomever they are for, because
    /// [`dangerous::any_audience`](crate::dangerous::any_audience) says so.
    pub accepts_any_audience: bool,
    /// The longest that a token is accepted whose session was revoked, whatever the issuer does:
    /// by [`max_token_lifetime`](crate::AuthenticatorBuilder::max_token_lifetime) or
    /// [`max_token_age`](crate::AuthenticatorBuilder::max_token_age), and twice the leeway. `None`
    /// if neither is set: it is then as long as the issuer makes its tokens last.
    pub revocation_bound: Option<Duration>,
    /// How its keys are; `None` where they are not fetched but given.
    pub keys: Option<KeySetStatus>,
    /// How its status lists are: those that routes have asked for lately.
    pub status_lists: Vec<StatusListStatus>,
}

impl TrustedIssuer {
    pub(crate) fn status(&self) -> IssuerStatus {
        IssuerStatus {
            issuer: self.name().to_owned(),
            rule_set: self.rule_set.as_deref().map(str::to_owned),
            accepts_any_audience: self.rules.audiences == Audiences::Any,
            revocation_bound: self.rules.revocation_bound(),
            keys: self.keys.source().status(),
            status_lists: self.status_lists.status(),
        }
    }

    /// Whether there are keys to validate with.
    pub(crate) fn is_ready(&self) -> bool {
        self.keys.source().status().is_none_or(|status| status.freshness != Freshness::Unavailable)
    }
}
