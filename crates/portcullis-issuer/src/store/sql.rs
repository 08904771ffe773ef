//! The parts of the store in SQL, with the statements once for both databases.
//!
//! Each method is one transaction. A method that is a [`Change`](super::dialect::Change) may share
//! its transaction with others.

mod audit;
mod clients;
mod housekeeping;
mod keys;
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

/// Boxes the work of one method, and measures how long it takes.
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
