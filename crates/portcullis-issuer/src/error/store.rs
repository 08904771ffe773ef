//! That the store failed.

use super::causes::debug_with_causes;

/// The store failed; the cause is for the log, never for a client.
#[derive(thiserror::Error)]
#[error("{problem}")]
pub struct StoreError {
    problem: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

debug_with_causes!(StoreError);

impl StoreError {
    pub(crate) fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::because("the store failed", source)
    }

    /// For a problem that an operator can do something about.
    pub(crate) fn because(
        problem: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { problem, source: source.into() }
    }
}
