//! A claim that is present but cannot be read: it counts neither as absent nor as equal to any
//! value.

use crate::causes::debug_with_causes;
use crate::json::Unreadable;

/// A claim that is present but cannot be read, with the reason. It contains no value from the
/// token.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("claim `{name}` cannot be read: {why}")]
pub struct UnreadableClaim {
    name: Box<str>,
    why: Unreadable,
}

debug_with_causes!(UnreadableClaim);

impl UnreadableClaim {
    pub(crate) fn new(name: &str, why: Unreadable) -> Self {
        Self { name: name.into(), why }
    }

    /// A claim that should list roles or permissions and has another type.
    pub(crate) fn no_names(name: &str) -> Self {
        Self::new(name, Unreadable::WrongType { expected: "a string or an array of strings" })
    }

    /// A claim that should list scopes and has another type. A string is split at spaces; an array
    /// element is not.
    pub(crate) fn no_scopes(name: &str) -> Self {
        let expected = "a space-separated string, or an array with one scope per element";
        Self::new(name, Unreadable::WrongType { expected })
    }

    /// A duplicate claim that a rule or profile reads.
    pub(crate) fn repeated(name: &str) -> Self {
        Self::new(name, Unreadable::Repeated)
    }

    /// Returns the name of the claim, or the path to a nested one, such as `realm_access.roles`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the claim or one of its members is duplicated.
    pub(crate) fn is_repeated(&self) -> bool {
        matches!(self.why, Unreadable::Repeated | Unreadable::DuplicateMember)
    }
}
