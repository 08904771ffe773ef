//! What an authenticated caller may do, as data.

use crate::claims::{RegisteredClaims, Scope};

/// A requirement that a token must meet.
///
/// ```
/// use tollgate::Policy;
///
/// let read = Policy::scopes(["orders:read"]);
/// let write = Policy::scopes(["orders:read", "orders:write"]);
/// let refund = write.and(Policy::any_role(["clerk", "admin"]));
/// assert_ne!(read, refund);
/// ```
///
/// It is held to with [`Authenticated::require`](crate::Authenticated::require) in a handler, or by an adapter's `RequireLayer`
/// in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy(Rule);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    AllScopes(Vec<String>),
    AnyScope(Vec<String>),
    AllRoles(Vec<String>),
    AnyRole(Vec<String>),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
}

/// Why a [`Policy`] is not met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The token's scope does not reach; the client is told what would.
    #[error("the scope does not suffice; {:?} is needed", .needed.as_str())]
    Scope {
        /// The scope that the policy asks for.
        needed: Scope,
    },
    /// The bearer has not the role.
    #[error("the bearer has not the role")]
    Role,
}

impl Policy {
    /// The token must have every one of these scopes. An empty list asks for nothing; a name that
    /// no scope can have, such as an empty one, can not be met.
    #[must_use]
    pub fn scopes<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::AllScopes(scopes.into_iter().map(Into::into).collect()))
    }

    /// The token must have at least one of these scopes. An empty list can not be met.
    #[must_use]
    pub fn any_scope<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::AnyScope(scopes.into_iter().map(Into::into).collect()))
    }

    /// The bearer must have every one of these roles. An empty list asks for nothing.
    #[must_use]
    pub fn roles<S: Into<String>>(roles: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::AllRoles(roles.into_iter().map(Into::into).collect()))
    }

    /// The bearer must have at least one of these roles. An empty list can not be met.
    #[must_use]
    pub fn any_role<S: Into<String>>(roles: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::AnyRole(roles.into_iter().map(Into::into).collect()))
    }

    /// Both must be met.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Rule::And(Box::new(self.0), Box::new(other.0)))
    }

    /// One of the two must be met. If neither is, the refusal is that of the first.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Rule::Or(Box::new(self.0), Box::new(other.0)))
    }

    /// Whether a caller with these claims meets it.
    pub(crate) fn check(&self, claims: &RegisteredClaims) -> Result<(), Denial> {
        self.0.check(claims)
    }
}

impl Rule {
    fn check(&self, claims: &RegisteredClaims) -> Result<(), Denial> {
        let has_scope = |name: &String| claims.scope().contains(name);
        let has_role = |role: &String| claims.roles().any(|has| has == role);
        let scope = |met: bool, needed: &[String]| {
            if met { Ok(()) } else { Err(Denial::Scope { needed: needed.iter().collect() }) }
        };
        let role = |met: bool| if met { Ok(()) } else { Err(Denial::Role) };
        match self {
            Self::AllScopes(needed) => scope(needed.iter().all(has_scope), needed),
            Self::AnyScope(needed) => scope(needed.iter().any(has_scope), needed),
            Self::AllRoles(roles) => role(roles.iter().all(has_role)),
            Self::AnyRole(roles) => role(roles.iter().any(has_role)),
            Self::And(first, second) => first.check(claims).and_then(|()| second.check(claims)),
            Self::Or(first, second) => {
                first.check(claims).or_else(|denial| second.check(claims).map_err(|_| denial))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Payload;

    fn claims(text: &str) -> RegisteredClaims {
        RegisteredClaims::parse(&Payload::for_test(text)).unwrap()
    }

    fn verdict(policy: &Policy) -> Result<(), Denial> {
        policy.check(&claims(r#"{"scope":"a b","roles":["clerk","temp"]}"#))
    }

    fn scope_denial(needed: &str) -> Result<(), Denial> {
        Err(Denial::Scope { needed: needed.split(' ').collect() })
    }

    #[test]
    fn scopes() {
        assert_eq!(verdict(&Policy::scopes(["a"])), Ok(()));
        assert_eq!(verdict(&Policy::scopes(["b", "a"])), Ok(()));
        assert_eq!(verdict(&Policy::scopes(["a", "c"])), scope_denial("a c"));
        assert_eq!(verdict(&Policy::any_scope(["c", "b"])), Ok(()));
        assert_eq!(verdict(&Policy::any_scope(["c", "d"])), scope_denial("c d"));
        assert_eq!(verdict(&Policy::any_scope([""; 0])), scope_denial(""));
        // A variable that was not set, a list that was not split: never met by accident.
        for name in ["", " ", "a b", "a "] {
            assert!(verdict(&Policy::scopes([name])).is_err(), "{name:?}");
            assert!(verdict(&Policy::any_scope([name])).is_err(), "{name:?}");
        }
    }

    #[test]
    fn roles() {
        assert_eq!(verdict(&Policy::roles(["temp", "clerk"])), Ok(()));
        assert_eq!(verdict(&Policy::roles(["clerk", "admin"])), Err(Denial::Role));
        assert_eq!(verdict(&Policy::any_role(["admin", "clerk"])), Ok(()));
        assert_eq!(verdict(&Policy::any_role(["admin", "Clerk"])), Err(Denial::Role));
    }

    #[test]
    fn both_and_either() {
        let (yes, no) = (|| Policy::scopes(["a"]), || Policy::scopes(["x"]));
        let also_no = || Policy::roles(["x"]);
        assert_eq!(verdict(&yes().and(yes())), Ok(()));
        assert_eq!(verdict(&yes().and(no())), scope_denial("x"));
        assert_eq!(verdict(&also_no().and(no())), Err(Denial::Role));
        assert_eq!(verdict(&no().or(yes())), Ok(()));
        assert_eq!(verdict(&no().or(also_no())), scope_denial("x"));
        // Without a claim there is nothing to meet it with.
        let nobody = claims("{}");
        assert!(yes().check(&nobody).is_err() && Policy::any_role(["a"]).check(&nobody).is_err());
    }
}
