//! The embedded store: one SQLite file, in write-ahead mode.

mod open;
mod problem;
#[path = "sql/store.rs"]
mod sql;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

pub(super) use self::problem::is_locked;

type Db = SqliteStore;
type Connection = SqliteConnection;
type DbRow = SqliteRow;

const NEWEST_KEYS_FIRST: &str = "SELECT * FROM signing_keys ORDER BY created_at DESC, rowid DESC";
/// A transaction that writes holds the whole file's lock already.
const LOCK_KEYS: &str = "SELECT version FROM key_ring";
const LOCK_SESSION: &str = "SELECT id FROM sessions WHERE id = $1";
const FORGET_SESSIONS: &str = "DELETE FROM sessions WHERE expires_at <= $1";

/// Connections to one SQLite file: whoever reads never waits for whoever writes.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl SqliteStore {
    /// Starts a transaction that holds the write lock from its first statement, so that what it
    /// reads is still true when it writes.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Starts a transaction whose statements all see the same.
    async fn begin_snapshot(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.readers.begin().await
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        self.readers.acquire().await
    }

    async fn writer(&self) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        self.writer.acquire().await
    }

    /// Nobody tells: the file is asked each time, which costs microseconds.
    fn told_version(&self) -> Option<i64> {
        None
    }

    fn learn_version(&self, _: i64) {}

    /// Whoever holds the write lock, for as long as it takes.
    fn is_leader(&self) -> bool {
        true
    }

    async fn close_all(&self) {
        self.readers.close().await;
        // The last connection carries everything over into the main file.
        self.writer.close().await;
    }
}
