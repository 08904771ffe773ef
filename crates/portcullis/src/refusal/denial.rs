//! Why a policy is not met.

use std::time::Duration;

use crate::causes::debug_with_causes;
use crate::claims::Scope;
use crate::duration::InSeconds;
use crate::error::UnreadableClaim;

/// Why a [`Policy`](crate::Policy) is not met. What it names is the policy's, not the token's.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The token's scope does not reach; the client is told what would.
    #[error("the scope does not suffice; {:?} is needed{}", .needed.as_str(), granted_in(*.unread))]
    #[non_exhaustive]
    Scope {
        /// The scope that the policy asks for.
        needed: Scope,
        /// A claim that has it and that the profile does not read.
        unread: Option<&'static str>,
    },
    /// The user must authenticate anew or otherwise (RFC 9470); the client is told how.
    #[error("the user's authentication does not suffice; needed: {}", step_up(.acr_values, *.max_age))]
    #[non_exhaustive]
    Authentication {
        /// What `acr` should be one of, the preferred ones first; empty if it does not matter.
        acr_values: Vec<String>,
        /// How long ago the user may have authenticated, if that matters.
        max_age: Option<Duration>,
    },
    /// The token was issued too long ago; the client can refresh it.
    #[error("the token was issued more than {} ago, or does not say when", InSeconds(*.max))]
    #[non_exhaustive]
    TokenAge {
        /// The oldest that it may be.
        max: Duration,
    },
    /// The bearer may not do this, and no refreshed token of theirs would change that.
    #[error("`{rule}` is not met{}", granted_in(*.unread))]
    #[non_exhaustive]
    Forbidden {
        /// The part of the policy that is not met.
        rule: String,
        /// A claim that has what it asks for and that the profile does not read.
        unread: Option<&'static str>,
    },
    /// It is unknown whether the policy is met: a claim cannot be read, or has another type than the
    /// policy compares it with.
    #[error(transparent)]
    UnreadableClaim(UnreadableClaim),
    /// A custom check that was read as data has no meaning; see
    /// [`Policy::bind`](crate::Policy::bind).
    #[error("the custom check {name:?} is not bound to a function")]
    #[non_exhaustive]
    UnboundCheck {
        /// Its name.
        name: String,
    },
}

debug_with_causes!(Denial);

fn granted_in(unread: Option<&str>) -> String {
    unread.map_or_else(String::new, |claim| {
        format!("; the token has it in `{claim}`, which the profile does not read")
    })
}

fn step_up(acr_values: &[String], max_age: Option<Duration>) -> String {
    // Without either it is a policy with an empty list, which no token meets.
    let acr = (!acr_values.is_empty() || max_age.is_none())
        .then(|| format!("`acr` one of {acr_values:?}"));
    let age = max_age.map(|age| format!("`auth_time` at most {} ago", InSeconds(age)));
    [acr, age].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

impl Denial {
    /// A short, stable name, from a closed list: for logs and metric labels.
    pub(crate) fn rule(&self) -> &'static str {
        match self {
            Self::Scope { .. } => "scope",
            Self::Authentication { .. } => "authentication",
            Self::TokenAge { .. } => "token_age",
            Self::Forbidden { .. } => "policy",
            Self::UnreadableClaim(_) => "unreadable_claim",
            Self::UnboundCheck { .. } => "unbound_check",
        }
    }

    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Scope { unread: Some(_), .. } => {
                "the issuer has granted it: name the claim with `scopes_at` (PORTCULLIS_SCOPES_AT), or choose \
                 the issuer's profile"
            }
            Self::Forbidden { unread: Some(_), .. } => {
                "the issuer has granted it: name the claim with `roles_at` (PORTCULLIS_ROLES_AT), or choose \
                 the issuer's profile"
            }
            Self::Scope { .. } | Self::Forbidden { .. } => {
                "if the user or client should have it, grant it at the issuer, and have the client ask for it \
                 and get a new token: one that was issued before stays as it is"
            }
            Self::Authentication { .. } => {
                "the client should have the user authenticate again, as the challenge says"
            }
            Self::TokenAge { .. } => "the client should refresh its token; check both clocks",
            Self::UnreadableClaim(_) => {
                "compare the claim's JSON type and form at the issuer with what the policy expects"
            }
            Self::UnboundCheck { .. } => "call `Policy::bind` with the check's name at start",
        }
    }

    /// Whether the policy is unknown, and not known to be not met: then its negation is unknown, too.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::UnreadableClaim(_) | Self::UnboundCheck { .. })
    }
}
