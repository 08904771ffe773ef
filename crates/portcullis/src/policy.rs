//! What an authenticated caller may do, as data.

mod check;
mod denial;
mod display;
mod rule;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::authenticated::Authenticated;
use crate::json;
use check::Check;
use rule::Rule;

pub use denial::Denial;

/// A requirement that a caller must meet.
///
/// ```
/// use std::time::Duration;
/// use portcullis::Policy;
///
/// let read = Policy::scopes(["orders:read"]);
/// let refund = Policy::scopes(["orders:write"])
///     .and(Policy::any_role(["clerk", "admin"]))
///     .and(Policy::max_auth_age(Duration::from_secs(300)));
/// assert_eq!(
///     refund.to_string(),
///     "scopes(orders:write) and any_role(clerk, admin) and max_auth_age(300s)",
/// );
/// assert_ne!(read, refund);
/// ```
///
/// It is held to with [`Authenticated::require`] in a handler, or by an adapter's `RequireLayer`
/// in front of it.
///
/// It can be kept as data. What is written is what the constructors are called:
///
/// ```
/// # use portcullis::Policy;
/// let refund: Policy = serde_json::from_str(
///     r#"{"and": [{"scopes": ["orders:write"]}, {"any_role": ["clerk", "admin"]},
///                 {"max_auth_age_secs": 300}]}"#,
/// )?;
/// assert!(serde_json::from_str::<Policy>(r#"{"scopes": []}"#).is_err());
/// assert!(serde_json::from_str::<Policy>(r#"{"scope": ["a"]}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// An empty list, which asks for nothing or can not be met, is refused there: in a file it is a
/// mistake. A [custom check](Self::custom) is written as its name, and must be
/// [bound](Self::bind) again when it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policy(Rule);

impl Policy {
    /// The token must have every one of these scopes. An empty list asks for nothing; a name that
    /// no scope can have, such as an empty one, can not be met.
    #[must_use]
    pub fn scopes<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::Scopes(strings(scopes)))
    }

    /// The token must have at least one of these scopes. An empty list can not be met.
    #[must_use]
    pub fn any_scope<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::AnyScope(strings(scopes)))
    }

    /// The bearer must have every one of these roles. An empty list asks for nothing.
    #[must_use]
    pub fn roles<S: Into<String>>(roles: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::Roles(strings(roles)))
    }

    /// The bearer must have at least one of these roles. An empty list can not be met.
    #[must_use]
    pub fn any_role<S: Into<String>>(roles: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::AnyRole(strings(roles)))
    }

    /// The bearer must have every one of these permissions, from where the
    /// [profile](crate::Profile) finds them. An empty list asks for nothing.
    #[must_use]
    pub fn permissions<S: Into<String>>(permissions: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::Permissions(strings(permissions)))
    }

    /// The bearer must have at least one of these permissions. An empty list can not be met.
    #[must_use]
    pub fn any_permission<S: Into<String>>(permissions: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::AnyPermission(strings(permissions)))
    }

    /// The claim `name`, a member of the payload itself, must be `value`: of the same type, an
    /// array in the same order. A claim that is absent is not met.
    #[must_use]
    pub fn claim(name: impl Into<String>, value: impl Into<Value>) -> Self {
        let mut value = value.into();
        // One that is too large to be held is in no claim either.
        json::normalize(&mut value);
        Self(Rule::Claim { name: name.into(), value })
    }

    /// The user must have been authenticated in one of these ways: `acr` is one of `values`, the
    /// preferred ones first. If it is not, the client is told which would do ([RFC 9470 §3]) and
    /// can have the user authenticate again.
    ///
    /// [RFC 9470 §3]: https://www.rfc-editor.org/rfc/rfc9470#section-3
    #[must_use]
    pub fn acr<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::Acr(strings(values)))
    }

    /// The user must have proved who they are, which is `auth_time`, at most this long ago: whole
    /// seconds, since that is how the client is told ([RFC 9470 §3]). A token without `auth_time`
    /// does not meet it.
    ///
    /// [RFC 9470 §3]: https://www.rfc-editor.org/rfc/rfc9470#section-3
    #[must_use]
    pub fn max_auth_age(age: Duration) -> Self {
        Self(Rule::MaxAuthAge(Duration::from_secs(age.as_secs())))
    }

    /// The token must have been issued, which is `iat`, at most this long ago: whole seconds. An
    /// older one, and one without `iat`, is refused with 401, so that the client refreshes it.
    ///
    /// For all routes at once there is the setting
    /// [`max_token_age`](crate::AuthenticatorBuilder::max_token_age).
    #[must_use]
    pub fn max_token_age(age: Duration) -> Self {
        Self(Rule::MaxTokenAge(Duration::from_secs(age.as_secs())))
    }

    /// `check` must hold. Its name is what logs, and a policy that is kept as data, call it.
    ///
    /// ```
    /// # use portcullis::{Authenticated, Policy};
    /// fn is_employee(who: &Authenticated) -> bool {
    ///     who.subject().is_some_and(|subject| subject.ends_with("@example.com"))
    /// }
    ///
    /// let policy = Policy::custom("employee", is_employee);
    /// assert_eq!(serde_json::to_string(&policy)?, r#"{"custom":"employee"}"#);
    ///
    /// let read: Policy = serde_json::from_str(r#"{"custom":"employee"}"#)?;
    /// assert_eq!(read.unbound().collect::<Vec<_>>(), ["employee"]);
    /// assert_eq!(read.bind("employee", is_employee).unbound().count(), 0);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn custom(
        name: impl Into<String>,
        check: impl Fn(&Authenticated) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Rule::Custom(Check::new(name.into(), check)))
    }

    /// Gives every custom check called `name` that was read as data its meaning.
    #[must_use]
    pub fn bind(
        mut self,
        name: &str,
        check: impl Fn(&Authenticated) -> bool + Send + Sync + 'static,
    ) -> Self {
        let bound = Check::new(name.to_owned(), check);
        self.0.for_each_check(&mut |check| {
            if check.name() == name {
                *check = bound.clone();
            }
        });
        self
    }

    /// The names of the custom checks that have no meaning yet. Whoever meets one is answered
    /// with 500, whatever stands around it.
    pub fn unbound(&self) -> impl Iterator<Item = &str> {
        self.0.checks().into_iter().filter(|check| !check.is_bound()).map(Check::name)
    }

    /// Both must be met.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut rules = if let Rule::And(rules) = self.0 { rules } else { vec![self.0] };
        rules.push(other.0);
        Self(Rule::And(rules))
    }

    /// One of the two must be met. If neither is, the refusal is that of the first.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut rules = if let Rule::Or(rules) = self.0 { rules } else { vec![self.0] };
        rules.push(other.0);
        Self(Rule::Or(rules))
    }

    /// It must not be met. Beware of what is absent: `Policy::roles(["suspended"]).not()` is met
    /// by a token that names no roles at all.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "a policy is no boolean")]
    pub fn not(self) -> Self {
        Self(Rule::Not(Box::new(self.0)))
    }

    /// Whether `who` meets it.
    pub(crate) fn check(&self, who: &Authenticated) -> Result<(), Denial> {
        self.0.check(who)
    }
}

fn strings<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests;
