//! The embedded store: one SQLite file, in write-ahead mode.

mod open;
mod problem;

use std::io;
use std::path::PathBuf;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, SqliteConnection, SqlitePool};

pub(super) use self::problem::is_locked;
use super::dialect::{Column, Database, Dialect, Pooled, Row, Statement, Transaction};
use crate::error::StoreError;
use crate::files::{self, FileId};

/// Connections to one SQLite file: whoever reads never waits for whoever writes.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    path: PathBuf,
    /// Which file it was when it was opened.
    file: Option<FileId>,
    readers: SqlitePool,
    writer: SqlitePool,
}

impl Database for SqliteStore {
    type Connection = SqliteConnection;

    /// Starts a transaction that holds the write lock from its first statement, so that what it
    /// reads is still true when it writes.
    async fn begin(&self) -> Result<Transaction<Self>, sqlx::Error> {
        self.require_file()?;
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Starts a transaction whose statements all see the same.
    async fn begin_snapshot(&self) -> Result<Transaction<Self>, sqlx::Error> {
        self.require_file()?;
        self.readers.begin().await
    }

    async fn reader(&self) -> Result<Pooled<Self>, sqlx::Error> {
        self.require_file()?;
        self.readers.acquire().await
    }

    async fn writer(&self) -> Result<Pooled<Self>, sqlx::Error> {
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

impl SqliteStore {
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
}

impl Dialect for SqliteConnection {
    type Row = SqliteRow;

    const NEWEST_KEYS_FIRST: &'static str =
        "SELECT * FROM signing_keys ORDER BY created_at DESC, rowid DESC";
    /// A transaction that writes holds the whole file's lock already.
    const LOCK_KEYS: &'static str = "SELECT version FROM key_ring";
    const LOCK_SESSION: &'static str = "SELECT id FROM sessions WHERE id = $1";
    const FORGET_SESSIONS: &'static str = "DELETE FROM sessions WHERE expires_at <= $1";
    const FREE_PLACES: &'static str = "DELETE FROM status_places WHERE taken_until <= $1";
    const FORGET_JWTS: &'static str = "DELETE FROM spent_jwts WHERE expires_at <= $1";
    const USER_NAMED: &'static str = "SELECT * FROM users WHERE lower(name) = $1";
    const FORGET_AWAITING: &'static str =
        "DELETE FROM users WHERE lower(name) = $1 AND awaits = $2";
    /// A transaction that writes holds the whole file's lock already.
    const LOCK_USER: &'static str = "SELECT * FROM users WHERE id = $1";
    const HOLD_USER: &'static str = "SELECT id FROM users \
        WHERE id = $1 AND credentials = $2 AND disabled_at IS NULL AND awaits IS NULL";

    async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        let arguments = statement.arguments::<Sqlite>()?;
        let done = sqlx::query_with(statement.sql, arguments).execute(self).await?;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<Self::Row>, sqlx::Error> {
        let arguments = statement.arguments::<Sqlite>()?;
        sqlx::query_with(statement.sql, arguments).fetch_all(self).await
    }

    async fn row(&mut self, statement: Statement<'_>) -> Result<Option<Self::Row>, sqlx::Error> {
        let arguments = statement.arguments::<Sqlite>()?;
        sqlx::query_with(statement.sql, arguments).fetch_optional(self).await
    }

    async fn scalars<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> Result<Vec<T>, sqlx::Error> {
        let arguments = statement.arguments::<Sqlite>()?;
        sqlx::query_scalar_with(statement.sql, arguments).fetch_all(self).await
    }

    async fn scalar<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> Result<Option<T>, sqlx::Error> {
        let arguments = statement.arguments::<Sqlite>()?;
        sqlx::query_scalar_with(statement.sql, arguments).fetch_optional(self).await
    }
}

impl Row for SqliteRow {
    fn column<T: Column>(&self, name: &str) -> Result<T, StoreError> {
        Ok(self.try_get(name)?)
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
    use super::*;
    use crate::store::sql::tokens::places::REVOKED;

    /// Going through half a million places takes ten times as long as the few that are revoked.
    #[tokio::test]
    async fn what_a_list_says_is_read_from_the_index_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("a.db")).await.unwrap();
        let mut reader = store.reader().await.unwrap();
        let explain = format!("EXPLAIN QUERY PLAN {}", REVOKED);
        let plan = sqlx::query(sqlx::AssertSqlSafe(explain)).bind(1).bind(1);
        let plan = plan.fetch_all(&mut *reader).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
        assert!(
            matches!(&steps[..], [step] if step.contains("USING COVERING INDEX revoked_places")),
            "{steps:?}"
        );
    }
}
