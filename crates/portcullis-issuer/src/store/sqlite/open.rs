//! Opening the file. A damaged file, or one of another program, is rejected before anything is
//! written to it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Notify, Semaphore};

use super::group::GroupCommit;
use super::problem::{BUSY_TIMEOUT, Problem, explain, explain_migration, is_locked, problem};
use super::{OpenedFile, SqliteStore};
use crate::error::Error;
use crate::files;
use crate::store::migrations;

/// The number of connections for reading.
const READERS: u32 = 4;

impl SqliteStore {
    /// Opens the database, or creates it if it is absent, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the file is read-only, locked, damaged, newer than this program or
    /// not an issuer's database. The file is not changed then.
    pub(crate) async fn open(path: &Path) -> Result<Self, Error> {
        // Checked first: SQLite would open the file for reading only, and leave side files that the
        // issuer cannot remove.
        if !files::is_writable(path) {
            return Err(problem(path, Problem::ReadOnly, None));
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            // An acknowledged logout must survive a power failure.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        if path.exists() {
            files::warn_if_others_may_read(path);
            // Checked before write-ahead mode is enabled, which would change the file of another
            // program.
            let mut probe = connect(path, &options).await?;
            let checked = check(path, &mut probe).await;
            probe.close().await.map_err(|error| explain(path, error))?;
            checked?;
        } else {
            // SQLite gives its side files the permissions of the main file. An error is ignored
            // here: SQLite reports its cause below.
            drop(files::create_new(&files::follow_links(path)));
        }
        let first = options.clone().create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
        let mut connection = connect(path, &first).await?;
        let migrated = migrate(path, &mut connection).await;
        connection.close().await.map_err(|error| explain(path, error))?;
        migrated?;

        let pool =
            |size| SqlitePoolOptions::new().max_connections(size).acquire_timeout(BUSY_TIMEOUT);
        let file = OpenedFile { path: path.to_owned(), id: files::id_of(path) };
        let turn = Arc::new(Semaphore::new(1));
        let usable = {
            let file = file.clone();
            move || file.require()
        };
        let group = GroupCommit::start(path, Arc::clone(&turn), usable)
            .map_err(|error| problem(path, Problem::Failed, Some(error.into())))?;
        // SQLite has one writer at a time. Writers have their own pool, so that waiting writers do
        // not occupy the connections of readers.
        let writer = pool(1)
            // When the disk is full, SQLite itself rolls back the transaction. The driver's own
            // rollback then fails, and the driver considers the connection to be in a transaction
            // for ever. Such a connection is discarded.
            .before_acquire(|connection, _| {
                let usable = !connection.is_in_transaction();
                Box::pin(async move { Ok(usable) })
            })
            .connect_lazy_with(options.clone());
        let readers = pool(READERS).connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self { file, readers, writer, group, turn, ended_sessions: Notify::new() })
    }
}

/// Connects, and retries while the file is locked: if two processes enable write-ahead mode at the
/// same time, SQLite rejects one of them without waiting.
async fn connect(path: &Path, options: &SqliteConnectOptions) -> Result<SqliteConnection, Error> {
    let start = Instant::now();
    loop {
        match options.connect().await {
            Err(error) if is_locked(&error) && start.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done.map_err(|error| explain(path, error)),
        }
    }
}

/// Brings the schema up to date under the write lock. If two processes start at the same time, the
/// second waits, and finds the schema up to date. A lock that another program keeps is reported
/// here, at the start.
async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), Error> {
    let mut tx =
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| explain(path, error))?;
    migrations::migrator(migrations::SQLITE)
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(|error| explain_migration(path, error))?;
    tx.commit().await.map_err(|error| explain(path, error))
}

/// Returns an error if the file is damaged, or belongs to another program.
async fn check(path: &Path, connection: &mut SqliteConnection) -> Result<(), Error> {
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| explain(path, error))?;
    if verdict != "ok" {
        return Err(problem(path, Problem::Damaged, Some(verdict.into())));
    }
    // The table of migrations is no proof, since other programs that use sqlx have it, too.
    let foreign: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema) AND 2 <> (SELECT count(*) FROM sqlite_schema \
         WHERE type = 'table' AND name IN ('_sqlx_migrations', 'key_ring'))",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(|error| explain(path, error))?;
    if foreign { Err(problem(path, Problem::Foreign, None)) } else { Ok(()) }
}
