//! Why a server cannot be used, and what to do about it.

use std::io::ErrorKind;

use crate::config::DatabaseUrl;
use crate::error::Error;

pub(super) enum Problem {
    Unreachable,
    NotLetIn,
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
            "Check host and port in IDENTSPHERE_DATABASE_URL, and that PostgreSQL runs there",
        ),
        Problem::NotLetIn => (
            "the server does not let this user in",
            "Check user and password in IDENTSPHERE_DATABASE_URL, and that the user may create \
             tables there (or that another one has)",
        ),
        Problem::NoSuchDatabase => (
            "there is no such database",
            "Create it (CREATE DATABASE …), or name another one in IDENTSPHERE_DATABASE_URL",
        ),
        Problem::Untrusted => (
            "no TLS connection came about that sslmode is content with",
            "Check that the server has a certificate for this host, name its authority with \
             sslrootcert in IDENTSPHERE_DATABASE_URL, and see the cause below",
        ),
        Problem::Foreign => (
            "it belongs to another program",
            "Name an empty database or schema in IDENTSPHERE_DATABASE_URL (a schema with \
             options=-c%20search_path=NAME); it was not changed",
        ),
        Problem::Newer => (
            "its schema is not one that this version of the issuer knows",
            "Run the version of the issuer that last used it, or name another database in \
             IDENTSPHERE_DATABASE_URL",
        ),
        Problem::Locked => (
            "another process has kept it locked for 5 seconds",
            "Another issuer may be changing its schema; try again",
        ),
        Problem::Failed => ("PostgreSQL refused it", "The cause is given below"),
    };
    Error::Database { database: url.to_string(), problem, remedy, source }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html> in our words.
pub(super) fn explain(url: &DatabaseUrl, error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code());
    let kind = match (&error, code.as_deref()) {
        // A handshake that failed, and the authority's file that is not there.
        (sqlx::Error::Io(error), _)
            if error.kind() == ErrorKind::InvalidData
                || (error.kind() == ErrorKind::NotFound && url.names_an_authority()) =>
        {
            Problem::Untrusted
        }
        (sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut, _) => Problem::Unreachable,
        (sqlx::Error::Tls(_), _) => Problem::Untrusted,
        (_, Some("28000" | "28P01" | "42501")) => Problem::NotLetIn,
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
