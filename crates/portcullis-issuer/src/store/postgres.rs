//! PostgreSQL, which several issuer processes share.
//!
//! A row that two of them may change is locked for the transaction. Of all processes one holds
//! the advisory lock of the leader, and each hears of a change of the keys by `NOTIFY`: see
//! [`watch`].

mod open;
mod problem;
#[path = "sql/store.rs"]
mod sql;
mod watch;

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::task::AbortHandle;

use self::watch::Watch;

type Db = PostgresStore;
type Connection = PgConnection;
type DbRow = PgRow;

const NEWEST_KEYS_FIRST: &str = "SELECT * FROM signing_keys ORDER BY created_at DESC, serial DESC";
const LOCK_KEYS: &str = "SELECT version FROM key_ring FOR UPDATE";
const LOCK_SESSION: &str = "SELECT id FROM sessions WHERE id = $1 FOR UPDATE";
/// Those that another process is forgetting are left to it.
const FORGET_SESSIONS: &str = "DELETE FROM sessions WHERE id IN \
    (SELECT id FROM sessions WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)";
const FREE_PLACES: &str = "DELETE FROM status_places WHERE owner IN \
    (SELECT owner FROM status_places WHERE taken_until <= $1 FOR UPDATE SKIP LOCKED)";
const FORGET_JWTS: &str = "DELETE FROM spent_jwts WHERE hash IN \
    (SELECT hash FROM spent_jwts WHERE expires_at <= $1 FOR UPDATE SKIP LOCKED)";

/// Connections to one schema of a PostgreSQL database.
#[derive(Debug)]
pub(crate) struct PostgresStore {
    pool: PgPool,
    watch: Arc<Watch>,
    watcher: AbortHandle,
}

impl PostgresStore {
    async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin().await
    }

    /// Starts a transaction whose statements all see the same.
    async fn begin_snapshot(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    async fn reader(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        self.pool.acquire().await
    }

    async fn writer(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
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

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}
