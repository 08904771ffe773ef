//! What is said about a setting that is wrong.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::causes::debug_with_causes;

/// A setting is wrong: its name, its value unless that is a secret, what would be right, and the line
/// of the settings file if it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    name: Cow<'static, str>,
    value: Option<String>,
    expected: String,
    place: Option<String>,
}

impl ConfigError {
    pub(crate) fn new(
        name: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        let value = without_credentials(value.to_string());
        Self { value: Some(value), ..Self::hidden(name, expected) }
    }

    /// For a setting whose value is a secret.
    pub(crate) fn hidden(name: impl Into<Cow<'static, str>>, expected: impl Into<String>) -> Self {
        Self { name: name.into(), value: None, expected: expected.into(), place: None }
    }

    /// In this settings file, at this line if it is known.
    pub(crate) fn at(mut self, path: &Path, line: Option<usize>) -> Self {
        let path = path.display();
        self.place = Some(match line {
            Some(line) => format!("{path}:{line}: "),
            None => format!("{path}: "),
        });
        self
    }

    /// By the setting's key in the file.
    pub(crate) fn named(mut self, key: String) -> Self {
        self.name = key.into();
        self
    }

    /// The environment variable of the setting; the key, if the value comes from a settings file;
    /// or that file, if it cannot be used at all.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
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
        f.write_str(self.place.as_deref().unwrap_or_default())?;
        match &self.value {
            Some(value) => write!(f, "{} is {value:?}: {}", self.name, self.expected),
            None => write!(f, "{} {}", self.name, self.expected),
        }
    }
}

impl std::error::Error for ConfigError {}

debug_with_causes!(ConfigError);
