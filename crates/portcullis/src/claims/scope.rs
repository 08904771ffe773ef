//! `scope`: names separated by spaces ([RFC 6749 §3.3], [RFC 9068 §2.2.3]).
//!
//! [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
//! [RFC 9068 §2.2.3]: https://www.rfc-editor.org/rfc/rfc9068#section-2.2.3

use std::fmt;

use serde::Deserialize;

/// The scope of a token or of a requirement.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Scope(String);

impl Scope {
    /// Whether `name` is one of the names, with regard to case.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|scope| scope == name)
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|name| !name.is_empty())
    }

    /// The names as the claim has them: separated by spaces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows the number of names, and no name: the scope may be out of a token.
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
    fn names_are_whole_words() {
        let scope: Scope = ["orders:read", "orders:write"].iter().collect();
        assert_eq!(scope.as_str(), "orders:read orders:write");
        assert!(scope.contains("orders:write"));
        for other in ["orders", "orders:rea", "ORDERS:READ", "orders:read orders:write", "", " "] {
            assert!(!scope.contains(other), "{other:?}");
        }
    }

    #[test]
    fn spare_spaces_are_no_names() {
        let scope = Scope("  a   b ".to_owned());
        assert_eq!(scope.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(Scope::default().iter().count(), 0);
    }
}
