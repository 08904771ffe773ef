//! A claim that is present and cannot be read: it is neither absent nor equal to any value.

use super::TokenError;
use crate::json::{Raw, Unreadable};

/// A claim that is present and cannot be read, and why. Contains no value out of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("claim `{name}` cannot be read: {why}")]
pub struct UnreadableClaim {
    name: Box<str>,
    why: Unreadable,
}

impl UnreadableClaim {
    pub(crate) fn new(name: &str, why: Unreadable) -> Self {
        Self { name: name.into(), why }
    }

    /// A claim that should list the names of scopes, roles or permissions, and holds something else.
    pub(crate) fn no_names(name: &str) -> Self {
        Self::new(name, Unreadable::WrongType { expected: "a string or an array of strings" })
    }

    /// Returns the name of the claim, or the path to a nested one, such as `realm_access.roles`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a member comes twice in it.
    pub(crate) fn is_repeated(&self) -> bool {
        self.why == Unreadable::DuplicateMember
    }

    /// Refuses a payload whose claim of this name not only has another shape but has a member twice,
    /// or a number or a string that cannot be read.
    pub(crate) fn check_readable(&self, payload: Raw<'_>) -> Result<(), TokenError> {
        let unreadable = |why| TokenError::UnreadableClaim(Self::new(&self.name, why));
        payload.find(&self.name).map_or(Ok(()), |raw| raw.value().map(drop).map_err(unreadable))
    }
}
