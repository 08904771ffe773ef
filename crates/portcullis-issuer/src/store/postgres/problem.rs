//! Why a server cannot be used, and what to do about it.

use std::io::ErrorKind;

use crate::config::DatabaseUrl;
use crate::error::Error;

pub(super) enum Problem {
    Unreachable,
    AccessDenied,
    NoSuchDatabase,
    Untrusted,
    Foreign,
    Newer,
    Locked,
    Failed,
}

pub(super) fn problem(
    url: &DatabaseUrl,
    problem: Problem,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let (problem, remedy) = match problem {
        Problem::Unreachable => (
            "the server cannot be reached",
            "Check the host and port in IDENTSPHERE_DATABASE_URL, and that PostgreSQL runs there",
        ),
        Problem::AccessDenied => (
            "the server denied access to this user",
            "Check the user and password in IDENTSPHERE_DATABASE_URL, and that the user may create \
             tables there (or that another user has created them)",
        ),
        Problem::NoSuchDatabase => (
            "there is no such database",
            "Create it (CREATE DATABASE …), or name another one in IDENTSPHERE_DATABASE_URL",
        ),
        Problem::Untrusted => (
            "there is no TLS connection that satisfies sslmode",
            "Check that the server has a certificate for this host, and name its certificate \
             authority with sslrootcert in IDENTSPHERE_DATABASE_URL. The cause is given below",
        ),
        Problem::Foreign => (
            "it belongs to another program",
            "Name an empty database or schema in IDENTSPHERE_DATABASE_URL (a schema with \
             options=-c%20search_path=NAME); it was not changed",
        ),
        Problem::Newer => (
            "its schema is unknown to this version of the issuer",
            "Run the version of the issuer that last used it, or name another database in \
             IDENTSPHERE_DATABASE_URL",
        ),
        Problem::Locked => (
            "another process has kept it locked for 5 seconds",
            "Another issuer may be changing its schema; try again",
        ),
        Problem::Failed => ("PostgreSQL returned an error", "The cause is given below"),
    };
    Error::Database { database: url.to_string(), problem, remedy, source }
}

/// Explains an error to the operator
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(super) fn explain(url: &DatabaseUrl, error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code());
    let kind = match (&error, code.as_deref()) {
        // A failed TLS handshake, or a missing file of the certificate authority.
        (sqlx::Error::Io(error), _)
            if error.kind() == ErrorKind::InvalidData
                || (error.kind() == ErrorKind::NotFound && url.names_an_authority()) =>
        {
            Problem::Untrusted
        }
        (sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut, _) => Problem::Unreachable,
        (sqlx::Error::Tls(_), _) => Problem::Untrusted,
        (_, Some("28000" | "28P01" | "42501")) => Problem::AccessDenied,
        (_, Some("3D000")) => Problem::NoSuchDatabase,
        (_, Some("55P03" | "57014")) => Problem::Locked,
        (_, Some(code)) if code.starts_with("57P") || code.starts_with("53") => {
            Problem::Unreachable
        }
        _ => Problem::Failed,
    };
    problem(url, kind, Some(Box::new(error)))
}

pub(super) fn explain_migration(url: &DatabaseUrl, error: sqlx::migrate::MigrateError) -> Error {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            explain(url, error)
        }
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => {
            problem(url, Problem::Newer, Some(Box::new(error)))
        }
        other => problem(url, Problem::Failed, Some(Box::new(other))),
    }
}
