//! The parts of the store in SQL, written once for both databases.
//!
//! Each method is one transaction. A method that is a [`Change`](super::dialect::Change) may share
//! its transaction with other changes.

mod audit;
mod clients;
mod housekeeping;
mod keys;
pub(super) mod logouts;
mod passkeys;
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

/// Does the same as [`timed`] for work in a transaction. Retries the work once if the database
/// ended the transaction because of a conflict with another one.
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
                    "transaction conflict; retrying once"
                );
                work().await
            }
            outcome => outcome,
        }
    })
}

/// Returns whether PostgreSQL rolled back a transaction because of a deadlock or a serialization
/// failure. The transaction has changed nothing.
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
