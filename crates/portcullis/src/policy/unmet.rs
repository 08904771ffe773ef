//! A rule that is not met or unknown, and how such results combine.

use crate::authenticated::Authenticated;
use crate::profile::Lack;
use crate::refusal::Denial;

/// A denial, before the hint is added that another claim of the token has the missing names. That
/// claim is looked up only for the denial that rejects the request.
pub(super) struct Unmet<'r> {
    pub(super) denial: Denial,
    /// The missing names, all of one claim.
    pub(super) lacks: Vec<Lack<'r>>,
}

impl From<Denial> for Unmet<'_> {
    fn from(denial: Denial) -> Self {
        Self { denial, lacks: Vec::new() }
    }
}

impl Unmet<'_> {
    /// Returns the denial, with the place in the token of `who` that has the missing names.
    pub(super) fn explained(self, who: &Authenticated) -> Denial {
        let Self { mut denial, lacks } = self;
        if let Denial::Scope { unread, .. } | Denial::Forbidden { unread, .. } = &mut denial {
            *unread = who.unread_place(&lacks);
        }
        denial
    }

    /// Combines the denials of two alternatives: an unknown denial takes precedence; otherwise, the
    /// first one is returned.
    pub(super) fn or(self, other: Self) -> Self {
        match (&self.denial, &other.denial) {
            (Denial::UnboundCheck { .. }, _) => self,
            (_, Denial::UnboundCheck { .. }) => other,
            (first, second) if second.is_unknown() && !first.is_unknown() => other,
            _ => self,
        }
    }

    /// Combines the denials of two conjuncts. The result names all the changes that the client must
    /// make together, or it states that no change by the client can help.
    pub(super) fn and(self, other: Self) -> Self {
        let (mut lacks, other_lacks) = (self.lacks, other.lacks);
        match (self.denial, other.denial) {
            (unbound @ Denial::UnboundCheck { .. }, _)
            | (_, unbound @ Denial::UnboundCheck { .. }) => unbound.into(),
            // The rule is not met, regardless of the unknown part.
            (Denial::UnreadableClaim(_), known) if !known.is_unknown() => {
                Self { denial: known, lacks: other_lacks }
            }
            (known, Denial::UnreadableClaim(_)) => Self { denial: known, lacks },
            (Denial::Scope { needed, .. }, Denial::Scope { needed: also, .. }) => {
                let new = also.iter().filter(|name| !needed.contains(name));
                let needed = needed.iter().chain(new).collect();
                // Only a claim that has all of the names is a useful hint.
                lacks.extend(other_lacks);
                Self { denial: Denial::Scope { needed, unread: None }, lacks }
            }
            (
                Denial::Authentication { acr_values, max_age },
                Denial::Authentication { acr_values: other_values, max_age: other_age },
            ) => Self::from(Denial::Authentication {
                acr_values: if acr_values.is_empty() { other_values } else { acr_values },
                max_age: [max_age, other_age].into_iter().flatten().min(),
            }),
            // Authenticating again or refreshing the token would not help.
            (Denial::Authentication { .. } | Denial::TokenAge { .. }, denial) => {
                Self { denial, lacks: other_lacks }
            }
            (denial, _) => Self { denial, lacks },
        }
    }
}
