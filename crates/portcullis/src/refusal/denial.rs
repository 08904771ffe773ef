//! Why a policy is not met.

use std::time::Duration;

use crate::causes::debug_with_causes;
use crate::claims::Scope;
use crate::duration::InSeconds;
use crate::error::UnreadableClaim;

/// The reason why a [`Policy`](crate::Policy) is not met. Its values come from the policy, not the
/// token.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The token lacks the required scope. The client learns which scope is needed.
    #[error("insufficient scope; {:?} is required{}", .needed.as_str(), granted_in(*.unread))]
    #[non_exhaustive]
    Scope {
        /// The scope that the policy requires.
        needed: Scope,
        /// A claim that grants the scope and that the profile does not read.
        unread: Option<&'static str>,
    },
    /// The user must authenticate again or more strongly (RFC 9470). The client learns how.
    #[error("insufficient user authentication; required: {}", step_up(.acr_values, *.max_age))]
    #[non_exhaustive]
    Authentication {
        /// The accepted values of `acr`, in order of preference. Empty if any is accepted.
        acr_values: Vec<String>,
        /// The maximum time since the user authenticated, if it is limited.
        max_age: Option<Duration>,
    },
    /// The token was issued too long ago. The client can refresh it.
    #[error("the token was issued more than {} ago, or has no `iat`", InSeconds(*.max))]
    #[non_exhaustive]
    TokenAge {
        /// The maximum age of the token.
        max: Duration,
    },
    /// The caller lacks a permission. A refreshed token would not change that.
    #[error("`{rule}` is not met{}", granted_in(*.unread))]
    #[non_exhaustive]
    Forbidden {
        /// The part of the policy that is not met.
        rule: String,
        /// A claim that grants the permission and that the profile does not read.
        unread: Option<&'static str>,
    },
    /// The policy cannot be evaluated: a claim is unreadable, or has another type than the policy
    /// compares it with.
    #[error(transparent)]
    UnreadableClaim(UnreadableClaim),
    /// A custom check was deserialized and is not bound to a function; see
    /// [`Policy::bind`](crate::Policy::bind).
    #[error("the custom check {name:?} is not bound to a function")]
    #[non_exhaustive]
    UnboundCheck {
        /// The name of the check.
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
    // A policy without values of `acr` and without a maximum age has an empty list, which no token
    // meets.
    let acr = (!acr_values.is_empty() || max_age.is_none())
        .then(|| format!("`acr` one of {acr_values:?}"));
    let age = max_age.map(|age| format!("`auth_time` at most {} ago", InSeconds(age)));
    [acr, age].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

impl Denial {
    /// A short, stable name from a closed list, for logs and metric labels.
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
                "the token has it in another claim: set `scopes_at` (PORTCULLIS_SCOPES_AT) to that claim, or \
                 choose the issuer's profile"
            }
            Self::Forbidden { unread: Some(_), .. } => {
                "the token has it in another claim: set `roles_at` (PORTCULLIS_ROLES_AT) to that claim, or \
                 choose the issuer's profile"
            }
            Self::Scope { .. } | Self::Forbidden { .. } => {
                "if the user or client should have it, grant it at the issuer, and have the client request it \
                 and get a new token: existing tokens do not change"
            }
            Self::Authentication { .. } => {
                "the client should have the user authenticate again, as the challenge requires"
            }
            Self::TokenAge { .. } => {
                "the client should refresh its token; check the clocks of the issuer and of this host"
            }
            Self::UnreadableClaim(_) => {
                "compare the claim's JSON type and form at the issuer with what the policy expects"
            }
            Self::UnboundCheck { .. } => "call `Policy::bind` with the check's name at start",
        }
    }

    /// Whether the policy could not be evaluated. Its negation cannot be evaluated then, either.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::UnreadableClaim(_) | Self::UnboundCheck { .. })
    }
}
