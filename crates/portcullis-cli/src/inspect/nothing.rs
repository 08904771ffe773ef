//! The reason that no settings are suggested, and the remedy.

use std::fmt;

use portcullis::{ConfigError, Refusal};
use serde::Serialize;

use crate::output;

#[derive(Debug, Serialize)]
pub(super) struct Nothing {
    pub(super) why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Nothing {
    pub(super) fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: None }
    }

    pub(super) fn remedied(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn of_refusal(refusal: &Refusal) -> Self {
        Self { why: refusal.reason().to_string(), remedy: Some(refusal.remedy().to_owned()) }
    }

    pub(super) fn of_settings(error: &ConfigError) -> Self {
        // `Debug` includes the causes.
        Self { why: format!("{error:?}"), remedy: None }
    }
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  nothing to suggest: {}", output::line(&self.why))?;
        let remedy = self.remedy.as_deref().map(output::line);
        remedy.iter().try_for_each(|remedy| write!(f, "\n    remedy: {remedy}"))
    }
}
