//! The parts of the store in SQL, written once for both databases.
//!
//! Each method is one transaction. A method that is a [`Change`](super::dialect::Change) may share
//! its transaction with other changes.

mod audit;
mod clients;
mod housekeeping;
mod keys;
mod logouts;
mod people;
mod rekey;
pub(super) mod rows;
mod second_factor;
pub(super) mod sessions;
pub(super) mod tokens;
mod user_tokens;
mod users;

use std::time::Instant;

use crate::domain::Answer;
use crate::error::StoreError;
use crate::metrics;

/// Does the same as [`timed`] with a transaction, and once more if the database ended it because of
/// others.
fn retried<'a, T, F>(operation: &'static str, work: impl Fn() -> F + Send + 'a) -> Answer<'a, T>
where
    T: Send + 'a,
    F: Future<Output = Result<T, StoreError>> + Send + 'a,
{
    timed(operation, async move {
        match work().await {
            Err(error) if is_conflict(&error) => {
                tracing::debug!(
                    error = &error as &(dyn std::error::Error + 'static),
                    operation,
                    "transaction ended because of another; retried once"
                );
                work().await
            }
            outcome => outcome,
        }
    })
}

/// Returns whether PostgreSQL ended a transaction because of others: for a deadlock, or because it
/// could not be serialized. It has changed nothing.
pub(super) fn is_conflict(error: &StoreError) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    let code = cause.and_then(sqlx::Error::as_database_error).and_then(|error| error.code());
    matches!(code.as_deref(), Some("40P01" | "40001"))
}

/// Boxes the future of one method, and records its duration and outcome.
fn timed<'a, T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, StoreError>> + Send + 'a,
) -> Answer<'a, T> {
    Box::pin(async move {
        let begun = Instant::now();
        let outcome = work.await;
        metrics::store(operation, begun.elapsed(), outcome.is_ok());
        outcome
    })
}
