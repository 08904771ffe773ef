//! The parts of the store in SQL: the statements stand once, for both databases.
//!
//! Each method is one transaction around statements.

mod audit;
mod clients;
mod keys;
mod people;
mod rows;
mod second_factor;
mod sessions;
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
