//! `scope`: names separated by spaces ([RFC 6749 §3.3], [RFC 9068 §2.2.3]).
//!
//! [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
//! [RFC 9068 §2.2.3]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2.3

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};

use crate::json::{Lenient, Text};

/// The scope of a token or of a requirement.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// Returns whether the scope contains `name`, case-sensitively.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|scope| scope == name)
    }

    /// Returns the names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        names(&self.0)
    }

    /// Returns the names, separated by spaces, as in the claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn from_text(names: &str) -> Self {
        Self(names.to_owned())
    }
}

/// Returns the names in a text, in order.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|name| !name.is_empty())
}

/// Whether there is no name, or only blank ones.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim_start().is_empty()
}

/// Reads a claim that is a space-separated string or an array of names. Returns the names, separated
/// by spaces, and false if part of the claim is neither. An element of an array is one name and is
/// never split.
pub(super) fn read<'a>(claim: &Lenient<'a>) -> (Cow<'a, str>, bool) {
    if let Lenient::Text(names) = claim {
        return (names.0.clone(), true);
    }
    let is_name = |name: &&Text<'_>| !name.0.contains(' ');
    let Scope(names) = claim.strings().iter().filter(is_name).map(|name| &*name.0).collect();
    (names.into(), claim.strings().iter().all(|name| is_name(&name)) && !claim.is_malformed())
}

/// Whether [`read`] reads the whole claim and a name is not blank.
pub(super) fn has_names(claim: &Lenient<'_>) -> bool {
    let is_list = !matches!(claim, Lenient::Text(_));
    let names = || claim.strings().iter().map(|name| &*name.0);
    let is_split = is_list && names().any(|name| name.contains(' '));
    !claim.is_malformed() && !is_split && names().any(|name| !is_blank(name))
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (names, is_whole) = read(&Lenient::deserialize(deserializer)?);
        if is_whole {
            Ok(Self(names.into_owned()))
        } else {
            Err(D::Error::custom(
                "not a space-separated string or an array with one scope per element",
            ))
        }
    }
}

/// Shows the number of names, but no name: the scope may come from a token.
impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("names", &self.iter().count()).finish()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Scope {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut scope = String::new();
        for name in names {
            if !scope.is_empty() {
                scope.push(' ');
            }
            scope.push_str(name.as_ref());
        }
        Self(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_name_matches_whole_words_only() {
        let scope: Scope = ["orders:read", "orders:write"].iter().collect();
        assert_eq!(scope.as_str(), "orders:read orders:write");
        assert!(scope.contains("orders:write"));
        for other in ["orders", "orders:rea", "ORDERS:READ", "orders:read orders:write", "", " "] {
            assert!(!scope.contains(other), "{other:?}");
        }
    }

    #[test]
    fn extra_spaces_are_not_scope_names() {
        let scope = Scope("  a   b ".to_owned());
        assert_eq!(scope.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(Scope::default().iter().count(), 0);
    }
}
