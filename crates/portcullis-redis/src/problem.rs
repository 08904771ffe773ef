//! The reasons why an operation failed, without values of entries.

use std::time::Duration;

use portcullis::feed::StoreError;
use redis::RedisError;

/// A failed operation.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Problem {
    #[error("Redis: {0}")]
    Client(RedisError),
    #[error("Redis: no response within {0:?}")]
    Timeout(Duration),
    #[error("Redis: waiting before the next attempt after a failure: {0}")]
    Waits(String),
    #[error(
        "Redis: the entry was written to the disk of {local} server and {replicas} replicas in time, and {wanted} \
         replicas are required"
    )]
    Unconfirmed { local: u64, replicas: u64, wanted: u64 },
    #[error("Redis: the server is a replica; the URL must lead to the primary")]
    Replica,
    #[error(
        "Redis: `INFO` or `XINFO STREAM` has no `{0}`; Redis 7.0 or newer, or Valkey, is required"
    )]
    Missing(&'static str),
    #[error("Redis: a value in the hash of revocations is not an entry of the feed")]
    Entry,
}

impl From<RedisError> for Problem {
    fn from(error: RedisError) -> Self {
        Self::Client(error)
    }
}

impl From<Problem> for StoreError {
    fn from(problem: Problem) -> Self {
        Self::unavailable(problem)
    }
}
