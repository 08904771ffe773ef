//! Authorization policies, as data.

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
/// *unknown* if the claim that it reads is present but cannot be read. Such a claim has a duplicate
/// member, has another type than the rule compares, or has a number that cannot be represented
/// exactly. Rules combine by Kleene's logic:
///
/// | | |
/// |---|---|
/// | [`not`](Self::not) | unknown if its operand is unknown |
/// | [`or`](Self::or) | met if one operand is met; otherwise unknown if one is unknown |
/// | [`and`](Self::and) | not met if one operand is not met; otherwise unknown if one is unknown |
///
/// Only a policy that is met lets the caller through. An unknown policy is rejected with 403, and
/// the log names the claim.
///
/// Enforce a policy with [`Authenticated::require`] in a handler, or with an adapter's
/// `RequireLayer` in front of the handler.
///
/// A policy can be stored as data. The keys are the names of the constructors:
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
/// Deserialization rejects an empty list, because it either requires nothing or can never be met. A
/// [custom check](Self::custom) is serialized as its name and must be [bound](Self::bind) again
/// after deserialization.
#[doc(alias("authorization", "scope", "role", "permission"))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policy(Rule);

impl Policy {
    /// Requires all of these scopes. An empty list requires nothing. A name that cannot be a scope,
    /// such as an empty one, is never met.
    #[must_use]
    pub fn scopes<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::Scopes(strings(scopes)))
    }

    /// Requires at least one of these scopes. An empty list is never met.
    #[must_use]
    pub fn any_scope<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::AnyScope(strings(scopes)))
    }

    /// Requires all of these roles. An empty list requires nothing.
    #[must_use]
    pub fn roles<S: Into<String>>(roles: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::Roles(strings(roles)))
    }

    /// Requires at least one of these roles. An empty list is never met.
    #[must_use]
    pub fn any_role<S: Into<String>>(roles: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::AnyRole(strings(roles)))
    }

    /// Requires all of these permissions, read where the [profile](crate::Profile) defines them. An
    /// empty list requires nothing.
    #[must_use]
    pub fn permissions<S: Into<String>>(permissions: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::Permissions(strings(permissions)))
    }

    /// Requires at least one of these permissions. An empty list is never met.
    #[must_use]
    pub fn any_permission<S: Into<String>>(permissions: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::AnyPermission(strings(permissions)))
    }

    /// Requires the top-level claim `name` to equal `value`.
    ///
    /// - **Numbers** are compared by exact value, regardless of notation: `1`, `1.0` and `1e0` are
    ///   equal, and so are `0` and `-0.0`. They are never rounded. A claim cannot be read if it has
    ///   a whole number outside -2^63 to 2^64 - 1, or a fraction that a 64-bit float does not print
    ///   with the same digits. The rule is then [unknown](Self#met-not-met-unknown).
    /// - A **fraction in `value`** is a 64-bit float, and counts as the decimal number that the
    ///   float prints. A float of 2^53 or more may have been rounded, so the rule is unknown.
    ///   Deserialization rejects such a value.
    /// - **Strings and booleans** must be identical. **Arrays** must have equal items in the same
    ///   order, **objects** the same names with equal values.
    /// - `null` equals only `null`. An absent claim equals nothing, not even `null`.
    /// - A **type** other than that of `value`, such as `"true"` for `true` or `["a"]` for `"a"`,
    ///   or a **duplicate member** makes the rule unknown, at any depth.
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

    /// Requires `acr` to be one of `values`, listed in order of preference. If it is not, the
    /// challenge names the acceptable values ([RFC 9470 §3]), and the client can have the user
    /// authenticate again.
    ///
    /// [RFC 9470 §3]: https://www.rfc-editor.org/rfc/rfc9470#section-3
    #[must_use]
    pub fn acr<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Self {
        Self(Rule::Acr(strings(values)))
    }

    /// Requires that the user authenticated at most this long ago, measured from `auth_time`. `age`
    /// is truncated to whole seconds, the unit of `max_age` in the challenge ([RFC 9470 §3]). A
    /// token without `auth_time` does not meet the policy.
    ///
    /// [RFC 9470 §3]: https://www.rfc-editor.org/rfc/rfc9470#section-3
    #[must_use]
    pub fn max_auth_age(age: Duration) -> Self {
        Self(Rule::MaxAuthAge(Duration::from_secs(age.as_secs())))
    }

    /// Requires that the token was issued at most this long ago, measured from `iat`. `age` is
    /// truncated to whole seconds. An older token, or one without `iat`, is rejected with 401, so
    /// that the client refreshes it.
    ///
    /// To limit the token age on all routes, use the setting
    /// [`max_token_age`](crate::AuthenticatorBuilder::max_token_age).
    #[must_use]
    pub fn max_token_age(age: Duration) -> Self {
        Self(Rule::MaxTokenAge(Duration::from_secs(age.as_secs())))
    }

    /// Requires `check` to return true. Its result is never unknown: a check that reads claims
    /// decides itself how to treat a [claim that cannot be read](Authenticated::claim). `name`
    /// identifies the check in logs and in serialized policies.
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

    /// Binds `check` to every custom check called `name`, for policies that were deserialized.
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

    /// Returns the names of the custom checks that are not bound. If evaluation reaches an unbound
    /// check, the request is answered with 500, regardless of the surrounding rules.
    pub fn unbound(&self) -> impl Iterator<Item = &str> {
        self.0.checks().into_iter().filter(|check| !check.is_bound()).map(Check::name)
    }

    /// Requires both policies to be met.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut rules = if let Rule::And(rules) = self.0 { rules } else { vec![self.0] };
        rules.push(other.0);
        Self(Rule::And(rules))
    }

    /// Requires at least one of the two policies to be met. If neither is, the refusal is the first
    /// policy's.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut rules = if let Rule::Or(rules) = self.0 { rules } else { vec![self.0] };
        rules.push(other.0);
        Self(Rule::Or(rules))
    }

    /// Requires the policy not to be met. An absent claim is not met:
    /// `Policy::roles(["suspended"]).not()` is met by a token without roles. A claim that cannot be
    /// read is [unknown](Self#met-not-met-unknown), and so is the negation: the same policy rejects
    /// a token whose `roles` is not a list of strings.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "a policy is not a boolean")]
    pub fn not(self) -> Self {
        Self(Rule::Not(Box::new(self.0)))
    }

    /// Checks whether `who` meets the policy.
    pub(crate) fn check(&self, who: &Authenticated) -> Result<(), Denial> {
        self.0.check(who).map_err(|unmet| unmet.explained(who))
    }
}

impl Authenticated {
    /// Requires the caller to meet a policy.
    ///
    /// ```
    /// use portcullis::{Authenticated, Policy, Refusal};
    ///
    /// fn refund(who: &Authenticated, amount: u64) -> Result<String, Refusal> {
    ///     if amount > 100 {
    ///         // 403 for callers without the role.
    ///         who.require(&Policy::roles(["supervisor"]))?;
    ///     }
    ///     Ok(format!("refunded {amount}"))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// If the policy is not met: a refusal with 403, or with 401 if the client can recover by
    /// refreshing the token or having the user authenticate again.
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
