//! PostgreSQL, which several issuer processes share.
//!
//! A row that two processes may change is locked until the transaction ends. One process holds the
//! leader's advisory lock, and `NOTIFY` reports changes of the keys to all processes: see
//! [`watch`].

mod open;
mod problem;
mod refresh;
mod watch;

use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Postgres, Row as _};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use self::refresh::Batches;
use self::watch::Watch;
use super::dialect::{
    Change, Column, Database, Dialect, Housekeeping, Pooled, Row, Statement, Transaction, Turn,
    Writer,
};
use super::sql::is_conflict;
use super::sql::rows::session_to_rotate;
use super::sql::sessions::refresh::RotateRefresh;
use crate::domain::sessions::{Refreshed, Rotation};
use crate::error::StoreError;

/// Connections to one schema of a PostgreSQL database.
#[derive(Debug)]
pub(crate) struct PostgresStore {
    pool: PgPool,
    refreshes: Batches,
    watch: Arc<Watch>,
    watcher: AbortHandle,
    ended_sessions: Notify,
}

impl Database for PostgresStore {
    type Connection = PgConnection;

    async fn change<C: Change>(&self, mut change: C) -> Result<C::Outcome, StoreError> {
        match self.apply(&mut change).await {
            Err(error) if is_conflict(&error) => self.apply(&mut change).await,
            outcome => outcome,
        }
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Refreshed, StoreError> {
        match self.refreshes.rotate(&rotation).await {
            Some(rotated) => Ok(rotated),
            None => self.change(RotateRefresh(rotation)).await,
        }
    }

    async fn begin(&self) -> Result<Transaction<Self>, sqlx::Error> {
        Ok(Turn { inner: self.pool.begin().await?, turn: None })
    }

    async fn begin_snapshot(&self) -> Result<Transaction<Self>, sqlx::Error> {
        let snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        Ok(Turn { inner: self.pool.begin_with(snapshot).await?, turn: None })
    }

    async fn reader(&self) -> Result<Pooled<Self>, sqlx::Error> {
        self.pool.acquire().await
    }

    async fn writer(&self) -> Result<Writer<Self>, sqlx::Error> {
        Ok(Turn { inner: self.pool.acquire().await?, turn: None })
    }

    fn told_version(&self) -> Option<i64> {
        self.watch.version()
    }

    fn learn_version(&self, version: i64) {
        self.watch.learn(version);
    }

    fn ended_sessions(&self) -> &Notify {
        &self.ended_sessions
    }

    fn is_leader(&self) -> bool {
        self.watch.is_leader()
    }

    async fn close_all(&self) {
        self.refreshes.close();
        self.watcher.abort();
        self.watch.close().await;
        self.pool.close().await;
    }
}

impl PostgresStore {
    async fn apply<C: Change>(&self, change: &mut C) -> Result<C::Outcome, StoreError> {
        let mut tx = self.pool.begin().await?;
        let outcome = change.apply(&mut *tx).await?;
        tx.commit().await?;
        Ok(outcome)
    }
}

impl Dialect for PgConnection {
    type Row = PgRow;

    const NEWEST_KEYS_FIRST: &'static str =
        "SELECT * FROM signing_keys ORDER BY created_at DESC, serial DESC";
    const LOCK_KEYS: &'static str = "SELECT version FROM key_ring FOR UPDATE";
    const SESSION_TO_ROTATE: &'static str =
        concat!(session_to_rotate!(), " FOR UPDATE OF sessions");
    /// Skips the rows that another process has locked.
    const HOUSEKEEPING: Housekeeping = Housekeeping {
        erase_successors: "UPDATE sessions SET sealed_successor = NULL WHERE id IN \
            (SELECT id FROM sessions WHERE sealed_successor IS NOT NULL AND rotated_at < $1 \
             LIMIT $2 FOR UPDATE SKIP LOCKED)",
        forget_former_tokens: "DELETE FROM refresh_tokens WHERE hash IN \
            (SELECT refresh_tokens.hash FROM sessions \
             JOIN refresh_tokens ON refresh_tokens.session_id = sessions.id \
             WHERE sessions.expires_at <= $1 LIMIT $2 FOR UPDATE OF refresh_tokens SKIP LOCKED)",
        forget_sessions: "DELETE FROM sessions WHERE id IN \
            (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        free_places: "DELETE FROM status_places WHERE owner IN \
            (SELECT owner FROM status_places WHERE taken_until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        forget_jwts: "DELETE FROM spent_jwts WHERE hash IN \
            (SELECT hash FROM spent_jwts WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        forget_refresh_keys: "DELETE FROM refresh_keys WHERE number IN \
            (SELECT number FROM refresh_keys WHERE verify_until <= $1 \
             AND number < (SELECT max(number) FROM refresh_keys) LIMIT $2 FOR UPDATE SKIP LOCKED)",
        forget_events: "DELETE FROM events WHERE serial IN \
            (SELECT serial FROM events WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        forget_user_tokens: "DELETE FROM user_tokens WHERE hash IN \
            (SELECT hash FROM user_tokens WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        forget_ceremonies: "DELETE FROM passkey_ceremonies WHERE hash IN \
            (SELECT hash FROM passkey_ceremonies WHERE expires_at <= $1 LIMIT $2 \
             FOR UPDATE SKIP LOCKED)",
        forget_unverified: "DELETE FROM users WHERE id IN \
            (SELECT id FROM users WHERE awaits = 'verification' AND created_at <= $1 AND NOT EXISTS \
             (SELECT 1 FROM user_tokens WHERE user_id = users.id) LIMIT $2 FOR UPDATE SKIP LOCKED)",
    };
    /// With the collation `C`, `lower` folds only ASCII letters.
    const USER_NAMED: &'static str = "SELECT * FROM users WHERE lower(name COLLATE \"C\") = $1";
    const FORGET_AWAITING: &'static str =
        "DELETE FROM users WHERE lower(name COLLATE \"C\") = $1 AND awaits = $2";
    /// A session that another process has locked is being used, and is not ended.
    const END_OLDEST_SESSIONS: &'static str = "UPDATE sessions \
        SET ended_at = $1, end_reason = 'deleted' WHERE id IN (SELECT id FROM sessions WHERE id IN \
        (SELECT id FROM sessions WHERE user_id = $2 AND ended_at IS NULL AND expires_at > $1 \
         ORDER BY last_used_at DESC, id LIMIT $4 OFFSET $3) \
        AND ended_at IS NULL FOR UPDATE SKIP LOCKED) RETURNING id";
    /// The rows are locked in the order of a batch of refreshes, so that the two cannot wait for each
    /// other.
    const END_SOME_SESSIONS: &'static str = "UPDATE sessions \
        SET ended_at = $1, end_reason = 'deleted' WHERE id IN (SELECT id FROM sessions WHERE id IN \
        (SELECT id FROM sessions WHERE ended_at IS NULL LIMIT $2) \
        AND ended_at IS NULL ORDER BY id FOR UPDATE)";
    const LOCK_USER: &'static str = "SELECT * FROM users WHERE id = $1 FOR UPDATE";
    const HOLD_USER: &'static str = "SELECT id FROM users \
        WHERE id = $1 AND credentials = $2 AND disabled_at IS NULL AND awaits IS NULL FOR SHARE";
    const HOLD_CLIENT: &'static str =
        "SELECT id FROM clients WHERE place_owner = $1 AND disabled_at IS NULL FOR SHARE";
    /// A message that another process has locked is being claimed or finished, and is left.
    const DROP_EXPIRED_LOGOUTS: &'static str = "DELETE FROM logout_messages WHERE id IN \
        (SELECT id FROM logout_messages WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 \
         FOR UPDATE SKIP LOCKED) RETURNING client_id";
    const DROP_LOGOUTS_OF_CLIENT: &'static str = "DELETE FROM logout_messages WHERE id IN \
        (SELECT id FROM logout_messages WHERE client_id = $1 ORDER BY expires_at LIMIT $2 \
         FOR UPDATE SKIP LOCKED) RETURNING client_id";

    async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, StoreError> {
        let arguments = statement.arguments::<Postgres>()?;
        let done = sqlx::query_with(statement.sql, arguments).execute(self).await?;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<Self::Row>, StoreError> {
        let arguments = statement.arguments::<Postgres>()?;
        Ok(sqlx::query_with(statement.sql, arguments).fetch_all(self).await?)
    }

    async fn row(&mut self, statement: Statement<'_>) -> Result<Option<Self::Row>, StoreError> {
        let arguments = statement.arguments::<Postgres>()?;
        Ok(sqlx::query_with(statement.sql, arguments).fetch_optional(self).await?)
    }

    async fn scalars<T: Column>(&mut self, statement: Statement<'_>) -> Result<Vec<T>, StoreError> {
        let arguments = statement.arguments::<Postgres>()?;
        Ok(sqlx::query_scalar_with(statement.sql, arguments).fetch_all(self).await?)
    }

    async fn scalar<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> Result<Option<T>, StoreError> {
        let arguments = statement.arguments::<Postgres>()?;
        Ok(sqlx::query_scalar_with(statement.sql, arguments).fetch_optional(self).await?)
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
