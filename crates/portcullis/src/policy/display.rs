//! A policy as text, for logs.

use std::fmt;

use super::Policy;
use super::rule::Rule;

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scopes(names) => write!(f, "scopes({})", names.join(", ")),
            Self::AnyScope(names) => write!(f, "any_scope({})", names.join(", ")),
            Self::Roles(names) => write!(f, "roles({})", names.join(", ")),
            Self::AnyRole(names) => write!(f, "any_role({})", names.join(", ")),
            Self::Permissions(names) => write!(f, "permissions({})", names.join(", ")),
            Self::AnyPermission(names) => write!(f, "any_permission({})", names.join(", ")),
            Self::Claim { name, value } => write!(f, "claim({name} = {value})"),
            Self::Acr(values) => write!(f, "acr({})", values.join(", ")),
            Self::MaxAuthAge(age) => write!(f, "max_auth_age({}s)", age.as_secs()),
            Self::MaxTokenAge(age) => write!(f, "max_token_age({}s)", age.as_secs()),
            Self::Custom(check) => write!(f, "custom({})", check.name()),
            Self::And(rules) => join(f, rules, " and "),
            Self::Or(rules) => join(f, rules, " or "),
            Self::Not(rule) => {
                f.write_str("not ")?;
                operand(f, rule)
            }
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, rules: &[Rule], word: &str) -> fmt::Result {
    for (index, rule) in rules.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        operand(f, rule)?;
    }
    Ok(())
}

/// Adds parentheses to a rule that has operands.
fn operand(f: &mut fmt::Formatter<'_>, rule: &Rule) -> fmt::Result {
    if matches!(rule, Rule::And(_) | Rule::Or(_)) {
        write!(f, "({rule})")
    } else {
        write!(f, "{rule}")
    }
}
