//! The reasons why an operation failed, without values of entries.

use std::error::Error as _;
use std::time::Duration;

use portcullis::feed::StoreError;

/// A failed operation. The database's own details are omitted, because they can quote a row.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Problem {
    #[error("PostgreSQL: {message} (SQLSTATE {code})")]
    Database { code: String, message: String },
    #[error("PostgreSQL: {0}")]
    Connection(String),
    #[error("PostgreSQL: no response within {0:?}")]
    Timeout(Duration),
    #[error("PostgreSQL: waiting before the next attempt after a failure: {0}")]
    Waits(String),
    #[error("PostgreSQL: the commit is not confirmed by the standbys: {0}")]
    Unconfirmed(String),
    #[error("PostgreSQL: the server is a standby; the URL must lead to the primary")]
    Standby,
    #[error("PostgreSQL: a row of `portcullis_revocations` is not an entry of the feed")]
    Row,
}

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(error) = error.as_db_error() {
            let code = error.code().code().to_owned();
            return Self::Database { code, message: error.message().to_owned() };
        }
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self::Connection(text)
    }
}

impl From<Problem> for StoreError {
    fn from(problem: Problem) -> Self {
        Self::unavailable(problem)
    }
}
