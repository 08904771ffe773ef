//! The error for a wrong setting.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::causes::debug_with_causes;

/// The error for a wrong setting. It has the setting's name, its value unless that is a secret, the
/// expected value, and the file and line if the value comes from a settings file.
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

    /// Creates an error without the value, for a setting whose value is a secret.
    pub(crate) fn hidden(name: impl Into<Cow<'static, str>>, expected: impl Into<String>) -> Self {
        Self { name: name.into(), value: None, expected: expected.into(), place: None }
    }

    /// Adds the settings file, and the line if it is known.
    pub(crate) fn at(mut self, path: &Path, line: Option<usize>) -> Self {
        let path = path.display();
        self.place = Some(match line {
            Some(line) => format!("{path}:{line}: "),
            None => format!("{path}: "),
        });
        self
    }

    /// Names the setting by its key in the file.
    pub(crate) fn named(mut self, key: String) -> Self {
        self.name = key.into();
        self
    }

    /// Returns the environment variable of the setting, or its key if the value comes from a
    /// settings file. If that file cannot be used at all, returns the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Removes the part before an `@`, which may be the password of a URL.
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
