//! The embedded store: one SQLite file, in write-ahead mode.

mod open;
mod problem;
#[path = "sql/store.rs"]
mod sql;

use std::io;
use std::path::PathBuf;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

pub(super) use self::problem::is_locked;
use crate::files::{self, FileId};

type Db = SqliteStore;
type Connection = SqliteConnection;
type DbRow = SqliteRow;

const NEWEST_KEYS_FIRST: &str = "SELECT * FROM signing_keys ORDER BY created_at DESC, rowid DESC";
/// A transaction that writes holds the whole file's lock already.
const LOCK_KEYS: &str = "SELECT version FROM key_ring";
const LOCK_SESSION: &str = "SELECT id FROM sessions WHERE id = $1";
const FORGET_SESSIONS: &str = "DELETE FROM sessions WHERE expires_at <= $1";
const FREE_PLACES: &str = "DELETE FROM status_places WHERE taken_until <= $1";
const FORGET_JWTS: &str = "DELETE FROM spent_jwts WHERE expires_at <= $1";

/// Connections to one SQLite file: whoever reads never waits for whoever writes.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    path: PathBuf,
    /// Which file it was when it was opened.
    file: Option<FileId>,
    readers: SqlitePool,
    writer: SqlitePool,
}

impl SqliteStore {
    /// Starts a transaction that holds the write lock from its first statement, so that what it
    /// reads is still true when it writes.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.require_file()?;
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Starts a transaction whose statements all see the same.
    async fn begin_snapshot(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.require_file()?;
        self.readers.begin().await
    }

    /// SQLite goes on writing to a file that was moved or deleted, and what it acknowledges is lost
    /// (<https://sqlite.org/howtocorrupt.html> 4.1); and a reader that is opened meanwhile joins
    /// another file with this one's write-ahead log. So neither is done unless the path still leads
    /// to the file that was opened.
    fn require_file(&self) -> Result<(), sqlx::Error> {
        if files::id_of(&self.path) == self.file {
            return Ok(());
        }
        let gone = "the database file was moved, replaced or deleted; put it back";
        Err(io::Error::new(io::ErrorKind::NotFound, gone).into())
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        self.require_file()?;
        self.readers.acquire().await
    }

    async fn writer(&self) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        self.require_file()?;
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

#[cfg(test)]
impl SqliteStore {
    /// Fills the disk, as far as this store can tell.
    pub(crate) async fn let_the_file_have(&self, pages: i64) {
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(limit).execute(&self.writer).await.unwrap();
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;

    /// Going through half a million places takes ten times as long as the few that are revoked.
    #[tokio::test]
    async fn what_a_list_says_is_read_from_the_index_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("a.db")).await.unwrap();
        let mut reader = store.reader().await.unwrap();
        let explain = format!("EXPLAIN QUERY PLAN {}", sql::status_places::REVOKED);
        let plan = sqlx::query(sqlx::AssertSqlSafe(explain)).bind(1).bind(1);
        let plan = plan.fetch_all(&mut *reader).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
        assert!(
            matches!(&steps[..], [step] if step.contains("USING COVERING INDEX revoked_places")),
            "{steps:?}"
        );
    }
}
