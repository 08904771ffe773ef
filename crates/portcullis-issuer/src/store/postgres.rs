//! PostgreSQL, which several issuer processes share.
//!
//! A row that two of them may change is locked for the transaction. Of all processes one holds
//! the advisory lock of the leader, and each hears of a change of the keys by `NOTIFY`: see
//! [`watch`].

mod open;
mod problem;
mod watch;

use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Postgres, Row as _};
use tokio::task::AbortHandle;

use self::watch::Watch;
use super::dialect::{Column, Database, Dialect, Pooled, Row, Statement, Transaction};
use crate::error::StoreError;

/// Connections to one schema of a PostgreSQL database.
#[derive(Debug)]
pub(crate) struct PostgresStore {
    pool: PgPool,
    watch: Arc<Watch>,
    watcher: AbortHandle,
}

impl Database for PostgresStore {
    type Connection = PgConnection;

    async fn begin(&self) -> Result<Transaction<Self>, sqlx::Error> {
        self.pool.begin().await
    }

    /// Starts a transaction whose statements all see the same.
    async fn begin_snapshot(&self) -> Result<Transaction<Self>, sqlx::Error> {
        self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    async fn reader(&self) -> Result<Pooled<Self>, sqlx::Error> {
        self.pool.acquire().await
    }

    async fn writer(&self) -> Result<Pooled<Self>, sqlx::Error> {
        self.pool.acquire().await
    }

    fn told_version(&self) -> Option<i64> {
        self.watch.version()
    }

    fn learn_version(&self, version: i64) {
        self.watch.learn(version);
    }

    fn is_leader(&self) -> bool {
        self.watch.is_leader()
    }

    async fn close_all(&self) {
        self.watcher.abort();
        self.watch.close().await;
        self.pool.close().await;
    }
}

impl Dialect for PgConnection {
    type Row = PgRow;

    const NEWEST_KEYS_FIRST: &'static str =
        "SELECT * FROM signing_keys ORDER BY created_at DESC, serial DESC";
    const LOCK_KEYS: &'static str = "SELECT version FROM key_ring FOR UPDATE";
    const LOCK_SESSION: &'static str = "SELECT id FROM sessions WHERE id = $1 FOR UPDATE";
    /// Those that another process is forgetting are left to it.
    const FORGET_SESSIONS: &'static str = "DELETE FROM sessions WHERE id IN \
        (SELECT id FROM sessions WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)";
    const FREE_PLACES: &'static str = "DELETE FROM status_places WHERE owner IN \
        (SELECT owner FROM status_places WHERE taken_until <= $1 FOR UPDATE SKIP LOCKED)";
    const FORGET_JWTS: &'static str = "DELETE FROM spent_jwts WHERE hash IN \
        (SELECT hash FROM spent_jwts WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)";
    /// By the collation that folds ASCII and nothing else.
    const USER_NAMED: &'static str = "SELECT * FROM users WHERE lower(name COLLATE \"C\") = $1";
    const FORGET_AWAITING: &'static str =
        "DELETE FROM users WHERE lower(name COLLATE \"C\") = $1 AND awaits = $2";
    const LOCK_USER: &'static str = "SELECT * FROM users WHERE id = $1 FOR UPDATE";
    const HOLD_USER: &'static str = "SELECT id FROM users \
        WHERE id = $1 AND credentials = $2 AND disabled_at IS NULL AND awaits IS NULL FOR SHARE";

    async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        let arguments = statement.arguments::<Postgres>()?;
        let done = sqlx::query_with(statement.sql, arguments).execute(self).await?;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<Self::Row>, sqlx::Error> {
        let arguments = statement.arguments::<Postgres>()?;
        sqlx::query_with(statement.sql, arguments).fetch_all(self).await
    }

    async fn row(&mut self, statement: Statement<'_>) -> Result<Option<Self::Row>, sqlx::Error> {
        let arguments = statement.arguments::<Postgres>()?;
        sqlx::query_with(statement.sql, arguments).fetch_optional(self).await
    }

    async fn scalars<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> Result<Vec<T>, sqlx::Error> {
        let arguments = statement.arguments::<Postgres>()?;
        sqlx::query_scalar_with(statement.sql, arguments).fetch_all(self).await
    }

    async fn scalar<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> Result<Option<T>, sqlx::Error> {
        let arguments = statement.arguments::<Postgres>()?;
        sqlx::query_scalar_with(statement.sql, arguments).fetch_optional(self).await
    }
}

impl Row for PgRow {
    fn column<T: Column>(&self, name: &str) -> Result<T, StoreError> {
        Ok(self.try_get(name)?)
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}
