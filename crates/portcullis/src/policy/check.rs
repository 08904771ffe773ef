//! A custom check: a named function, or only its name after deserialization.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::authenticated::Authenticated;

type Function = dyn Fn(&Authenticated) -> bool + Send + Sync;

#[derive(Clone)]
pub(super) struct Check {
    name: String,
    /// `None` after deserialization.
    function: Option<Arc<Function>>,
}

impl Check {
    pub(super) fn new(
        name: String,
        function: impl Fn(&Authenticated) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { name, function: Some(Arc::new(function)) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_bound(&self) -> bool {
        self.function.is_some()
    }

    /// Returns the result of the check, or `None` if it is not bound.
    pub(super) fn holds(&self, who: &Authenticated) -> Option<bool> {
        self.function.as_ref().map(|function| function(who))
    }
}

/// Compares names, because functions cannot be compared.
impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).field("bound", &self.is_bound()).finish()
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { name: String::deserialize(deserializer)?, function: None })
    }
}
