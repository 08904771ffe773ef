//! The rules of a policy and their evaluation.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use super::check::Check;
use super::compare::is_equal;
use super::unmet::Unmet;
use crate::authenticated::Authenticated;
use crate::claims::{NumericDate, PolicyClaim, RegisteredClaims};
use crate::error::UnreadableClaim;
use crate::json;
use crate::profile::Lack;
use crate::refusal::Denial;

/// The maximum time that `auth_time` or `iat` may be ahead of this clock: the largest possible
/// leeway. A later time is an error and must not count as "just now".
const MAX_SKEW: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Rule {
    #[serde(deserialize_with = "not_empty")]
    Scopes(Vec<String>),
    #[serde(deserialize_with = "not_empty")]
    AnyScope(Vec<String>),
    #[serde(deserialize_with = "not_empty")]
    Roles(Vec<String>),
    #[serde(deserialize_with = "not_empty")]
    AnyRole(Vec<String>),
    #[serde(deserialize_with = "not_empty")]
    Permissions(Vec<String>),
    #[serde(deserialize_with = "not_empty")]
    AnyPermission(Vec<String>),
    Claim {
        name: String,
        #[serde(deserialize_with = "exact")]
        value: Value,
    },
    #[serde(deserialize_with = "not_empty")]
    Acr(Vec<String>),
    #[serde(rename = "max_auth_age_secs", with = "seconds")]
    MaxAuthAge(Duration),
    #[serde(rename = "max_token_age_secs", with = "seconds")]
    MaxTokenAge(Duration),
    Custom(Check),
    #[serde(deserialize_with = "not_empty")]
    And(Vec<Rule>),
    #[serde(deserialize_with = "not_empty")]
    Or(Vec<Rule>),
    Not(Box<Rule>),
}

impl Rule {
    /// Evaluates the rule for `who`. The result is three-valued: a denial that [is
    /// unknown](Denial::is_unknown) means that the rule is unknown, and any other denial means that
    /// the rule is not met.
    pub(super) fn check(&self, who: &Authenticated) -> Result<(), Unmet<'_>> {
        let claims = who.registered();
        let scope = |name: &String| claims.has_scope_name(name);
        let role = |name: &String| claims.roles().any(|has| has == name);
        let permission = |name: &String| claims.permissions().any(|has| has == name);
        match self {
            Self::Scopes(names) | Self::AnyScope(names) => {
                self.lists(PolicyClaim::Scopes, names, scope, who)
            }
            Self::Roles(names) | Self::AnyRole(names) => {
                self.lists(PolicyClaim::Roles, names, role, who)
            }
            Self::Permissions(names) | Self::AnyPermission(names) => {
                self.lists(PolicyClaim::Permissions, names, permission, who)
            }
            Self::Claim { name, value } => match who.claim(name) {
                Ok(None) => self.allows(false),
                Ok(Some(claim)) => {
                    let unreadable = |why| Denial::UnreadableClaim(UnreadableClaim::new(name, why));
                    self.allows(is_equal(value, &claim).map_err(unreadable)?)
                }
                Err(unreadable) => Err(Denial::UnreadableClaim(unreadable).into()),
            },
            Self::Acr(values) => {
                let acr = claims.authentication_context();
                if acr.is_some_and(|acr| values.iter().any(|value| value == acr)) {
                    return Ok(());
                }
                readable(PolicyClaim::Acr, claims)?;
                Err(Denial::Authentication { acr_values: values.clone(), max_age: None }.into())
            }
            &Self::MaxAuthAge(max) => {
                if is_within(claims.authenticated_at(), max, who.now()) {
                    return Ok(());
                }
                readable(PolicyClaim::AuthTime, claims)?;
                Err(Denial::Authentication { acr_values: Vec::new(), max_age: Some(max) }.into())
            }
            &Self::MaxTokenAge(max) => {
                let young = is_within(claims.issued_at(), max, who.now());
                if young { Ok(()) } else { Err(Denial::TokenAge { max }.into()) }
            }
            Self::Custom(check) => match check.holds(who) {
                Some(holds) => self.allows(holds),
                None => Err(Denial::UnboundCheck { name: check.name().to_owned() }.into()),
            },
            Self::And(rules) => {
                let denials = rules.iter().filter_map(|rule| rule.check(who).err());
                denials.reduce(Unmet::and).map_or(Ok(()), Err)
            }
            Self::Or(rules) => self.any(rules, who),
            Self::Not(rule) => match rule.check(who) {
                Ok(()) => self.allows(false),
                Err(unmet) if unmet.denial.is_unknown() => Err(unmet),
                Err(_) => Ok(()),
            },
        }
    }

    fn allows(&self, met: bool) -> Result<(), Unmet<'_>> {
        if met { Ok(()) } else { Err(self.forbidden().into()) }
    }

    fn forbidden(&self) -> Denial {
        Denial::Forbidden { rule: self.to_string(), unread: None }
    }

    /// Evaluates a rule about a list of names. If the list is malformed, it is unknown whether a
    /// name that was not found is present.
    fn lists<'r>(
        &self,
        claim: PolicyClaim,
        names: &'r [String],
        has: impl Fn(&String) -> bool,
        who: &Authenticated,
    ) -> Result<(), Unmet<'r>> {
        let one_is_enough =
            matches!(self, Self::AnyScope(_) | Self::AnyRole(_) | Self::AnyPermission(_));
        let met = if one_is_enough { names.iter().any(&has) } else { names.iter().all(&has) };
        if met {
            return Ok(());
        }
        if !names.is_empty() {
            readable(claim, who.registered())?;
        }
        let missing = names.iter().filter(|name| !has(name)).map(String::as_str);
        let lack = Lack { of: claim, names: missing.collect(), one_is_enough };
        let denial = match claim {
            PolicyClaim::Scopes => Denial::Scope { needed: names.iter().collect(), unread: None },
            _ => self.forbidden(),
        };
        Err(Unmet { denial, lacks: vec![lack] })
    }

    fn any<'r>(&'r self, rules: &'r [Self], who: &Authenticated) -> Result<(), Unmet<'r>> {
        let mut said: Option<Unmet<'r>> = None;
        for rule in rules {
            let Err(unmet) = rule.check(who) else { return Ok(()) };
            said = Some(match said {
                Some(before) => before.or(unmet),
                None => unmet,
            });
        }
        said.map_or_else(|| self.allows(false), Err)
    }

    /// Returns all custom checks, at any depth.
    pub(super) fn checks(&self) -> Vec<&Check> {
        match self {
            Self::Custom(check) => vec![check],
            Self::And(rules) | Self::Or(rules) => rules.iter().flat_map(Self::checks).collect(),
            Self::Not(rule) => rule.checks(),
            _ => Vec::new(),
        }
    }

    pub(super) fn for_each_check(&mut self, visit: &mut impl FnMut(&mut Check)) {
        match self {
            Self::Custom(check) => visit(check),
            Self::And(rules) | Self::Or(rules) => {
                rules.iter_mut().for_each(|rule| rule.for_each_check(visit));
            }
            Self::Not(rule) => rule.for_each_check(visit),
            _ => {}
        }
    }
}

/// Returns a denial if the claim cannot be read, which makes the rule unknown.
fn readable(claim: PolicyClaim, claims: &RegisteredClaims) -> Result<(), Denial> {
    match claims.unreadable(claim) {
        Some(claim) => Err(Denial::UnreadableClaim(claim.clone())),
        None => Ok(()),
    }
}

/// Whether `moment` is at most `max` ago. False if it is absent.
fn is_within(moment: Option<NumericDate>, max: Duration, now: NumericDate) -> bool {
    let (Some(moment), now) = (moment, now.as_duration()) else { return false };
    let moment = moment.as_duration();
    now.saturating_sub(moment) <= max && moment.saturating_sub(now) <= MAX_SKEW
}

/// Deserializes a claim's value and rejects a number that may have been rounded.
fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let mut value = Value::deserialize(deserializer)?;
    if json::normalize(&mut value) {
        return Ok(value);
    }
    Err(de::Error::custom(
        "an inexact number; write whole numbers as integers, from -2^63 to 2^64 - 1",
    ))
}

fn not_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let items = Vec::deserialize(deserializer)?;
    if items.is_empty() {
        return Err(de::Error::custom("an empty list; name at least one item"));
    }
    Ok(items)
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(age: &Duration, to: S) -> Result<S::Ok, S::Error> {
        age.as_secs().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}
