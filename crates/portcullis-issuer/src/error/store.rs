//! A failure of the store.

use std::sync::Arc;

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

    /// Returns the error for one of several callers whose changes failed together.
    pub(crate) fn shared(error: &Arc<Self>) -> Self {
        Self { problem: error.problem, source: Box::new(Arc::clone(error)) }
    }

    /// Creates an error with a problem that an operator can solve.
    pub(crate) fn because(
        problem: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { problem, source: source.into() }
    }
}
