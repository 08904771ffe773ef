//! What an authenticated caller may do, as data.

mod check;
mod compare;
mod display;
mod rule;
mod unmet;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::authenticated::Authenticated;
use crate::json;
use crate::refusal::{Denial, Refusal, Site, Unreported};
use check::Check;
use rule::Rule;

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
/// # Met, not met, unknown
///
/// A policy is three-valued. A rule about a claim that is absent or `null` is *not met*. A rule is
/// *unknown* if the claim that it reads is present and cannot be read: a member comes twice, the type is
/// another one than the rule compares, or a number cannot be held exactly. Rules combine by Kleene's
/// logic:
///
/// | | |
/// |---|---|
/// | [`not`](Self::not) | is unknown where its part is |
/// | [`or`](Self::or) | is met if one part is, and else unknown if one is |
/// | [`and`](Self::and) | is not met if one part is not, and else unknown if one is |
///
/// Only a policy that is met lets the caller through. One that is unknown is refused with 403, and the
/// log names the claim.
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
#[doc(alias("authorization", "scope", "role", "permission"))]
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

    /// The claim `name`, a member of the payload itself, must equal `value`.
    ///
    /// - **Numbers** are compared by their exact value, however they are written: `1`, `1.0` and `1e0` are
    ///   equal, `0` and `-0.0` too. They are never rounded. A claim with a whole number outside -2^63 to
    ///   2^64 - 1, or with a fraction that a 64-bit float does not print with the same digits, cannot be
    ///   read: the rule is [unknown](Self#met-not-met-unknown).
    /// - A **fraction in `value`** is the number that its 64-bit float prints. A float of 2^53 or more may
    ///   have been rounded, so the rule is unknown; policies that are read as data refuse it.
    /// - **Strings and booleans** must be identical. **Arrays** must have equal items in the same order,
    ///   **objects** the same names with equal values.
    /// - `null` equals `null` alone. An absent claim equals nothing, not even `null`.
    /// - Another **type** than that of `value`, such as `"true"` for `true` or `["a"]` for `"a"`, or a
    ///   **member that comes twice**, makes the rule unknown. Both count at any depth.
    ///
    /// ```
    /// # use portcullis::Policy;
    /// let ours = Policy::claim("tenant", "acme");
    /// // A token with `"suspended": "true"` meets neither this policy nor its negation.
    /// let active = Policy::claim("suspended", true).not();
    /// assert_eq!(active.to_string(), "not claim(suspended = true)");
    /// // 2^64 would be rounded.
    /// let data = r#"{"claim": {"name": "limit", "value": 18446744073709551616}}"#;
    /// assert!(serde_json::from_str::<Policy>(data).is_err());
    /// # let _ = ours;
    /// ```
    #[must_use]
    pub fn claim(name: impl Into<String>, value: impl Into<Value>) -> Self {
        let mut value = value.into();
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

    /// `check` must hold. Its result is never unknown: a check that reads claims decides itself what a
    /// [claim that cannot be read](Authenticated::claim) means. Its name is what logs, and a policy that is kept as data, call it.
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

    /// It must not be met. An absent claim is not met: `Policy::roles(["suspended"]).not()` is met by a
    /// token without roles. A claim that cannot be read is [unknown](Self#met-not-met-unknown), and so is
    /// the negation: the same policy refuses a token whose `roles` is not a list of strings.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "a policy is no boolean")]
    pub fn not(self) -> Self {
        Self(Rule::Not(Box::new(self.0)))
    }

    /// Whether `who` meets it.
    pub(crate) fn check(&self, who: &Authenticated) -> Result<(), Denial> {
        self.0.check(who).map_err(|unmet| unmet.explained(who))
    }
}

impl Authenticated {
    /// Holds the caller to a policy.
    ///
    /// # Errors
    ///
    /// When the policy is not met: a refusal with 403; with 401 where the client can do something
    /// about it, namely refresh the token or have the user authenticate again.
    pub fn require(&self, policy: &Policy) -> Result<(), Refusal> {
        self.meets(policy).map_err(|refusal| refusal.at(&Site::default()))
    }

    pub(crate) fn meets(&self, policy: &Policy) -> Result<(), Unreported> {
        let denied = |denial| Unreported::denied(denial, self.space());
        let denied = |denial| denied(denial).of_issuer(self.origin().issuer.name());
        policy.check(self).map_err(denied)
    }
}

fn strings<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests;
