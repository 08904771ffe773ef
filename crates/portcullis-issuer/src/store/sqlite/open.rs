//! Opening the file: refuse what is not ours or not sound, before anything is written to it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Semaphore;

use super::group::GroupCommit;
use super::problem::{BUSY_TIMEOUT, Problem, explain, explain_migration, is_locked, problem};
use super::{OpenedFile, SqliteStore};
use crate::error::Error;
use crate::files;

/// How many reads are answered at once.
const READERS: u32 = 4;

const MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations/sqlite");

impl SqliteStore {
    /// Opens the database, makes it if it is absent, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the file is read-only, locked, damaged, newer than this program
    /// or not an issuer's database. The file is left as it is.
    pub(crate) async fn open(path: &Path) -> Result<Self, Error> {
        // Before SQLite opens it for reading only, and leaves side files that nobody can remove.
        if !files::is_writable(path) {
            return Err(problem(path, Problem::ReadOnly, None));
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            // A logout that was answered must survive a power failure.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        if path.exists() {
            files::warn_if_others_may_read(path);
            // With nothing switched on yet: write-ahead mode would mark another program's file.
            let mut probe = connect(path, &options).await?;
            let checked = check(path, &mut probe).await;
            probe.close().await.map_err(|error| explain(path, error))?;
            checked?;
        } else {
            // SQLite gives its side files the permissions of the main one, and says what is wrong
            // if this fails.
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
        // SQLite has one writer at a time. They wait here, and not for a reader's connection.
        let writer = pool(1)
            // When the disk is full SQLite itself takes a transaction back. The driver tries to do
            // so again, fails, and takes the connection to be in one ever after.
            .before_acquire(|connection, _| {
                let usable = !connection.is_in_transaction();
                Box::pin(async move { Ok(usable) })
            })
            .connect_lazy_with(options.clone());
        let readers = pool(READERS).connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self { file, readers, writer, group, turn })
    }
}

/// Of two processes that switch write-ahead mode on at once, one is turned away without waiting.
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

/// Brings the schema up to date under the write lock, so that of two processes that start at once
/// the second finds everything done; and so that a lock that stays is found here.
async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), Error> {
    let mut tx =
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| explain(path, error))?;
    MIGRATIONS
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(|error| explain_migration(path, error))?;
    tx.commit().await.map_err(|error| explain(path, error))
}

/// Is the file sound, and is it ours or empty?
async fn check(path: &Path, connection: &mut SqliteConnection) -> Result<(), Error> {
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| explain(path, error))?;
    if verdict != "ok" {
        return Err(problem(path, Problem::Damaged, Some(verdict.into())));
    }
    // Other programs keep their migrations in the same table: it proves nothing by itself.
    let foreign: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema) AND 2 <> (SELECT count(*) FROM sqlite_schema \
         WHERE type = 'table' AND name IN ('_sqlx_migrations', 'key_ring'))",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(|error| explain(path, error))?;
    if foreign { Err(problem(path, Problem::Foreign, None)) } else { Ok(()) }
}
