//! Why a database cannot be used, and what to do about it.

use std::path::Path;
use std::time::Duration;

use sqlx::error::DatabaseError as _;
use sqlx::sqlite::SqliteError;

use crate::error::Error;

/// How long a writer waits for another process's transaction, and a request for a connection.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The error text if another program holds a lock.
pub(in crate::store) const LOCKED: &str = "the database is locked by another program. Close open \
                                           sqlite3 shells and backups, and try again";

/// Why a file cannot be used.
pub(super) enum Problem {
    ReadOnly,
    Damaged,
    Foreign,
    Newer,
    CannotOpen,
    Locked,
    Failed,
}

pub(super) fn problem(
    path: &Path,
    problem: Problem,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let (problem, remedy) = match problem {
        Problem::ReadOnly => (
            "it is read-only for this user",
            "Make it and its directory readable and writable for the user that runs the issuer (a \
             restored copy may belong to root: chown it), or name another file in \
             IDENTSPHERE_DATABASE",
        ),
        Problem::Damaged => (
            "it is damaged or not an SQLite file",
            "Restore it from a backup, or name another file in IDENTSPHERE_DATABASE; it was not \
             changed",
        ),
        Problem::Foreign => (
            "it belongs to another program",
            "Name another file in IDENTSPHERE_DATABASE; it was not changed",
        ),
        Problem::Newer => (
            "its schema is unknown to this version of the issuer",
            "Run the version of the issuer that last used it, or name another file in \
             IDENTSPHERE_DATABASE",
        ),
        Problem::CannotOpen => (
            "it cannot be opened or created",
            "Check that its directory exists and is writable for the user that runs the issuer, \
             and that IDENTSPHERE_DATABASE names a file",
        ),
        Problem::Locked => (
            "another program has kept it locked for 5 seconds",
            "Close open sqlite3 shells and backups, and try again",
        ),
        Problem::Failed => ("SQLite returned an error", "The cause is given below"),
    };
    Error::Database { database: path.display().to_string(), problem, remedy, source }
}

/// Explains an error to the operator, by its primary result code
/// (<https://sqlite.org/rescode.html>).
pub(super) fn explain(path: &Path, error: sqlx::Error) -> Error {
    let kind = match primary_code(&error) {
        Some(8) => Problem::ReadOnly,
        Some(11 | 26) => Problem::Damaged,
        Some(14) => Problem::CannotOpen,
        _ if is_locked(&error) => Problem::Locked,
        _ => Problem::Failed,
    };
    problem(path, kind, Some(Box::new(error)))
}

/// Returns whether the error is a lock of another connection that was not released in time.
pub(in crate::store) fn is_locked(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(5 | 6))
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    let code = error.code()?.parse::<i32>().ok()?;
    // The low byte of an extended code is the primary code.
    Some(code & 0xff)
}

pub(super) fn explain_migration(path: &Path, error: sqlx::migrate::MigrateError) -> Error {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            explain(path, error)
        }
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => {
            problem(path, Problem::Newer, Some(Box::new(error)))
        }
        other => problem(path, Problem::Failed, Some(Box::new(other))),
    }
}
