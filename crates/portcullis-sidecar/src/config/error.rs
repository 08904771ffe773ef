//! The errors of a settings file.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use super::Config;

/// An error in the settings of a sidecar. It names the file and the line.
pub struct ConfigError {
    file: Option<PathBuf>,
    line: Option<usize>,
    problem: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConfigError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { file: None, line: None, problem: problem.into(), source: None }
    }

    pub(super) fn unreadable(error: std::io::Error) -> Self {
        Self { source: Some(Box::new(error)), ..Self::new("the file cannot be read") }
    }

    pub(super) fn on(self, line: Option<usize>) -> Self {
        Self { line: self.line.or(line), ..self }
    }

    pub(super) fn at(self, file: &Path) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }

    /// Adds the name of the file that the settings are from.
    pub(crate) fn in_file_of(self, config: &Config) -> Self {
        Self { file: config.path.clone(), ..self }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}:{line}: ", file.display())?,
            (Some(file), None) => write!(f, "{}: ", file.display())?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.problem)
    }
}

/// Like `Display`, with the causes, for a `main` that returns the error.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::causes::with_causes(self))
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
