//! What is said about a setting that is wrong.

use std::fmt;

use super::causes::debug_with_causes;

/// A setting is wrong: its name, its value unless that is a secret, and what would be right.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    name: &'static str,
    value: Option<String>,
    expected: String,
}

impl ConfigError {
    pub(crate) fn new(
        name: &'static str,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        let value = without_credentials(value.to_string());
        Self { name, value: Some(value), expected: expected.into() }
    }

    /// For a setting whose value is a secret.
    pub(crate) fn hidden(name: &'static str, expected: impl Into<String>) -> Self {
        Self { name, value: None, expected: expected.into() }
    }

    /// The environment variable of the setting.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// What stands before an `@` in a URL may be a password.
fn without_credentials(value: String) -> String {
    match value.rsplit_once('@') {
        Some((_, rest)) => format!("(not shown)@{rest}"),
        None => value,
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} is {value:?}: {}", self.name, self.expected),
            None => write!(f, "{} {}", self.name, self.expected),
        }
    }
}

impl std::error::Error for ConfigError {}

debug_with_causes!(ConfigError);
