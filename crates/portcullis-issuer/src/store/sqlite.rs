//! The embedded store: one SQLite file, in write-ahead mode.

mod direct;
mod group;
mod open;
mod problem;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use self::group::GroupCommit;
use self::problem::BUSY_TIMEOUT;
pub(super) use self::problem::{LOCKED, is_locked};
use super::dialect::{
    Change, Column, Database, Dialect, Housekeeping, Pooled, Row, Statement, Transaction, Turn,
    Writer,
};
use super::sql::rows::session_to_rotate;
use super::sql::sessions::refresh::RotateRefresh;
use crate::domain::sessions::{Refreshed, Rotation};
use crate::error::StoreError;
use crate::files::{self, FileId};

/// Connections to one SQLite file. Readers do not wait for writers.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    file: OpenedFile,
    readers: SqlitePool,
    /// For all changes that do not use [`GroupCommit`].
    writer: SqlitePool,
    group: GroupCommit,
    /// Admits one writer of this process at a time, in the order of their requests.
    turn: Arc<Semaphore>,
    ended_sessions: Notify,
}

/// The path of the database, and the identity of the file that it led to when it was opened.
#[derive(Debug, Clone)]
struct OpenedFile {
    path: PathBuf,
    id: Option<FileId>,
}

impl Database for SqliteStore {
    type Connection = SqliteConnection;

    async fn change<C: Change>(&self, change: C) -> Result<C::Outcome, StoreError> {
        self.group.change(change).await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Refreshed, StoreError> {
        self.group.change(RotateRefresh(rotation)).await
    }

    /// Starts a transaction that holds the write lock from its start, so that no other writer
    /// changes the data between its reads and its writes.
    async fn begin(&self) -> Result<Transaction<Self>, sqlx::Error> {
        let turn = Some(self.take_turn().await?);
        self.file.require()?;
        Ok(Turn { inner: self.writer.begin_with("BEGIN IMMEDIATE").await?, turn })
    }

    async fn begin_snapshot(&self) -> Result<Transaction<Self>, sqlx::Error> {
        self.file.require()?;
        Ok(Turn { inner: self.readers.begin().await?, turn: None })
    }

    async fn reader(&self) -> Result<Pooled<Self>, sqlx::Error> {
        self.file.require()?;
        self.readers.acquire().await
    }

    async fn writer(&self) -> Result<Writer<Self>, sqlx::Error> {
        let turn = Some(self.take_turn().await?);
        self.file.require()?;
        Ok(Turn { inner: self.writer.acquire().await?, turn })
    }

    /// Returns `None`: SQLite does not notify other processes of changes.
    fn told_version(&self) -> Option<i64> {
        None
    }

    fn learn_version(&self, _: i64) {}

    /// Returns `true`. Several processes with the same file may be leaders at the same time, since
    /// the write lock serializes the steps of a leader.
    fn is_leader(&self) -> bool {
        true
    }

    fn ended_sessions(&self) -> &Notify {
        &self.ended_sessions
    }

    async fn close_all(&self) {
        self.group.close().await;
        self.readers.close().await;
        // Closing the last connection moves the write-ahead log into the main file.
        self.writer.close().await;
    }
}

impl SqliteStore {
    async fn take_turn(&self) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        let turn = timeout(BUSY_TIMEOUT, Arc::clone(&self.turn).acquire_owned()).await;
        // The semaphore is never closed.
        turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)
    }
}

impl OpenedFile {
    /// Returns an error unless the path still leads to the file that was opened. SQLite continues
    /// to write to a file that was moved or deleted, so that acknowledged changes are lost
    /// (<https://sqlite.org/howtocorrupt.html> 4.1). A new reader would combine the file that is
    /// now at the path with the write-ahead log of the opened file.
    fn require(&self) -> Result<(), sqlx::Error> {
        if files::id_of(&self.path) == self.id {
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
    /// Needs no lock: a transaction that writes has locked the whole file.
    const LOCK_KEYS: &'static str = "SELECT version FROM key_ring";
    const SESSION_TO_ROTATE: &'static str = session_to_rotate!();
    const HOUSEKEEPING: Housekeeping = Housekeeping {
        erase_successors: "UPDATE sessions SET sealed_successor = NULL WHERE id IN \
            (SELECT id FROM sessions WHERE sealed_successor IS NOT NULL AND rotated_at < $1 \
             LIMIT $2)",
        forget_former_tokens: "DELETE FROM refresh_tokens WHERE hash IN \
            (SELECT refresh_tokens.hash FROM sessions \
             JOIN refresh_tokens ON refresh_tokens.session_id = sessions.id \
             WHERE sessions.expires_at <= $1 LIMIT $2)",
        forget_sessions: "DELETE FROM sessions WHERE id IN \
            (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2)",
        free_places: "DELETE FROM status_places WHERE owner IN \
            (SELECT owner FROM status_places WHERE taken_until <= $1 LIMIT $2)",
        forget_jwts: "DELETE FROM spent_jwts WHERE hash IN \
            (SELECT hash FROM spent_jwts WHERE expires_at <= $1 LIMIT $2)",
        forget_refresh_keys: "DELETE FROM refresh_keys WHERE number IN \
            (SELECT number FROM refresh_keys WHERE verify_until <= $1 \
             AND number < (SELECT max(number) FROM refresh_keys) LIMIT $2)",
        forget_events: "DELETE FROM events WHERE serial IN \
            (SELECT serial FROM events WHERE at < $1 LIMIT $2)",
        forget_user_tokens: "DELETE FROM user_tokens WHERE hash IN \
            (SELECT hash FROM user_tokens WHERE expires_at <= $1 LIMIT $2)",
        forget_ceremonies: "DELETE FROM passkey_ceremonies WHERE hash IN \
            (SELECT hash FROM passkey_ceremonies WHERE expires_at <= $1 LIMIT $2)",
        forget_unverified: "DELETE FROM users WHERE id IN \
            (SELECT id FROM users WHERE awaits = 'verification' AND created_at <= $1 AND NOT EXISTS \
             (SELECT 1 FROM user_tokens WHERE user_id = users.id) LIMIT $2)",
    };
    const USER_NAMED: &'static str = "SELECT * FROM users WHERE lower(name) = $1";
    const FORGET_AWAITING: &'static str =
        "DELETE FROM users WHERE lower(name) = $1 AND awaits = $2";
    const END_OLDEST_SESSIONS: &'static str = "UPDATE sessions \
        SET ended_at = $1, end_reason = 'deleted' WHERE id IN \
        (SELECT id FROM sessions WHERE user_id = $2 AND ended_at IS NULL AND expires_at > $1 \
         ORDER BY last_used_at DESC, id LIMIT $4 OFFSET $3) RETURNING id";
    const END_SOME_SESSIONS: &'static str = "UPDATE sessions \
        SET ended_at = $1, end_reason = 'deleted' WHERE id IN \
        (SELECT id FROM sessions WHERE ended_at IS NULL LIMIT $2)";
    /// Needs no lock: a transaction that writes has locked the whole file.
    const LOCK_USER: &'static str = "SELECT * FROM users WHERE id = $1";
    const HOLD_USER: &'static str = "SELECT id FROM users \
        WHERE id = $1 AND credentials = $2 AND disabled_at IS NULL AND awaits IS NULL";
    const HOLD_CLIENT: &'static str =
        "SELECT id FROM clients WHERE place_owner = $1 AND disabled_at IS NULL";
    const DROP_EXPIRED_LOGOUTS: &'static str = "DELETE FROM logout_messages WHERE id IN \
        (SELECT id FROM logout_messages WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2) \
        RETURNING client_id";
    const DROP_LOGOUTS_OF_CLIENT: &'static str = "DELETE FROM logout_messages WHERE id IN \
        (SELECT id FROM logout_messages WHERE client_id = $1 ORDER BY expires_at LIMIT $2) \
        RETURNING client_id";

    async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, StoreError> {
        let arguments = statement.arguments::<Sqlite>()?;
        let done = sqlx::query_with(statement.sql, arguments).execute(self).await?;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<Self::Row>, StoreError> {
        let arguments = statement.arguments::<Sqlite>()?;
        Ok(sqlx::query_with(statement.sql, arguments).fetch_all(self).await?)
    }

    async fn row(&mut self, statement: Statement<'_>) -> Result<Option<Self::Row>, StoreError> {
        let arguments = statement.arguments::<Sqlite>()?;
        Ok(sqlx::query_with(statement.sql, arguments).fetch_optional(self).await?)
    }

    async fn scalars<T: Column>(&mut self, statement: Statement<'_>) -> Result<Vec<T>, StoreError> {
        let arguments = statement.arguments::<Sqlite>()?;
        Ok(sqlx::query_scalar_with(statement.sql, arguments).fetch_all(self).await?)
    }

    async fn scalar<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> Result<Option<T>, StoreError> {
        let arguments = statement.arguments::<Sqlite>()?;
        Ok(sqlx::query_scalar_with(statement.sql, arguments).fetch_optional(self).await?)
    }
}

impl Row for SqliteRow {
    fn column<T: Column>(&self, name: &str) -> Result<T, StoreError> {
        Ok(self.try_get(name)?)
    }
}

#[cfg(test)]
struct Pragma(&'static str);

#[cfg(test)]
impl Change for Pragma {
    type Outcome = i64;

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<i64, StoreError> {
        super::dialect::query(self.0).scalar(connection).await
    }
}

#[cfg(test)]
impl SqliteStore {
    /// Limits the size of the file, in pages, on every connection that writes, as a full disk does.
    pub(crate) async fn let_the_file_have(&self, pages: i64) {
        let limit: &'static str = format!("PRAGMA max_page_count = {pages}").leak();
        sqlx::query(limit).execute(&self.writer).await.unwrap();
        self.group.change(Pragma(limit)).await.unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::logouts;
    use crate::store::sql::tokens::places::REVOKED;

    /// Returns the steps in which SQLite runs a statement with `values` numbers.
    async fn plan(statement: &str, values: usize) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("a.db")).await.unwrap();
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan = (0..values).fold(sqlx::query(explain), |plan, _| plan.bind(1));
        let steps = plan.fetch_all(&mut *store.reader().await.unwrap()).await.unwrap();
        steps.iter().map(|step| step.get("detail")).collect()
    }

    /// A hundred thousand messages may wait for each client.
    #[tokio::test]
    async fn logout_messages_are_found_by_their_indexes() {
        for (statement, values, expected) in [
            (
                logouts::TO_NOTIFY,
                2,
                "SEARCH logout_messages USING INDEX logout_messages_to_send \
                 (client_id=? AND next_at<?)",
            ),
            (
                logouts::DUE,
                4,
                "SEARCH logout_messages USING INDEX logout_messages_to_send \
                 (client_id=? AND next_at<?)",
            ),
            (
                logouts::WAITING,
                0,
                "SEARCH logout_messages USING INDEX logout_messages_of_client (client_id=?)",
            ),
            (
                SqliteConnection::DROP_EXPIRED_LOGOUTS,
                2,
                "SEARCH logout_messages USING INDEX logout_messages_by_expiry (expires_at<?)",
            ),
            (
                SqliteConnection::DROP_LOGOUTS_OF_CLIENT,
                2,
                "SEARCH logout_messages USING INDEX logout_messages_of_client (client_id=?)",
            ),
            (
                "DELETE FROM logout_messages WHERE client_id = $1",
                1,
                "SEARCH logout_messages USING INDEX logout_messages_of_client (client_id=?)",
            ),
        ] {
            // Whether the index covers the statement depends on the version of SQLite.
            let plain = |step: &String| step.replace(" EXISTS", "").replace(" COVERING", "");
            let steps: Vec<String> = plan(statement, values).await.iter().map(plain).collect();
            assert!(steps.iter().any(|step| step == expected), "{statement}: {steps:?}");
            let is_slow =
                |step: &String| step.contains("TEMP B-TREE") || step.ends_with("logout_messages");
            assert!(!steps.iter().any(is_slow), "{statement}: {steps:?}");
        }
    }

    /// Reading all places of a list, about half a million, takes ten times as long.
    #[tokio::test]
    async fn revoked_places_are_read_from_the_index_alone() {
        let steps = plan(REVOKED, 2).await;
        assert!(
            matches!(&steps[..], [step] if step.contains("USING COVERING INDEX revoked_places")),
            "{steps:?}"
        );
    }
}
