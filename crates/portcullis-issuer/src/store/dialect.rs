//! Statements that run on every database, and traits for the differences between the databases.

mod turn;

use std::borrow::Cow;
use std::fmt;

use rusqlite::types::FromSql;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::{Arguments, Decode, Encode, Sqlite, Type};
use tokio::sync::Notify;

pub(super) use self::turn::Turn;
use crate::domain::sessions::{Refreshed, Rotation};
use crate::error::StoreError;

/// A database and its connections.
pub(super) trait Database: fmt::Debug + Send + Sync + 'static {
    type Connection: Dialect + sqlx::Connection;

    /// Makes a change in a transaction, which may also contain other changes. Returns when the
    /// change is durable.
    fn change<C: Change>(
        &self,
        change: C,
    ) -> impl Future<Output = Result<C::Outcome, StoreError>> + Send;
    /// Exchanges a refresh token, with as few round trips as the database allows.
    fn rotate(
        &self,
        rotation: Rotation,
    ) -> impl Future<Output = Result<Refreshed, StoreError>> + Send;

    /// Starts a transaction that writes.
    fn begin(&self) -> impl Future<Output = Result<Transaction<Self>, sqlx::Error>> + Send;
    /// Starts a transaction whose statements all see the same snapshot.
    fn begin_snapshot(&self)
    -> impl Future<Output = Result<Transaction<Self>, sqlx::Error>> + Send;
    fn reader(&self) -> impl Future<Output = Result<Pooled<Self>, sqlx::Error>> + Send;
    fn writer(&self) -> impl Future<Output = Result<Writer<Self>, sqlx::Error>> + Send;
    /// Returns the version of the keys if it is known without a query. On SQLite, it is never known.
    fn told_version(&self) -> Option<i64>;
    fn learn_version(&self, version: i64);
    fn is_leader(&self) -> bool;
    /// Returns the notifier that is notified when this process has ended a session.
    fn ended_sessions(&self) -> &Notify;
    fn close_all(&self) -> impl Future<Output = ()> + Send;
}

/// A change of the store, with all of its values. It is applied again if its transaction failed as a
/// whole, so it must not keep state from an earlier attempt.
pub(super) trait Change: Send + 'static {
    type Outcome: Send + 'static;

    fn apply<C: Dialect>(
        &mut self,
        connection: &mut C,
    ) -> impl Future<Output = Result<Self::Outcome, StoreError>> + Send;
}

pub(super) type Transaction<D> = Turn<sqlx::Transaction<'static, Driver<D>>>;
pub(super) type Writer<D> = Turn<PoolConnection<Driver<D>>>;
pub(super) type Pooled<D> = PoolConnection<Driver<D>>;
type Driver<D> = <<D as Database>::Connection as sqlx::Connection>::Database;

/// A connection, and the statements that differ between the databases.
pub(super) trait Dialect: Send {
    type Row: Row;

    const NEWEST_KEYS_FIRST: &'static str;
    const LOCK_KEYS: &'static str;
    /// Selects a session, its user and its place in a status list, for a rotation. Locks the
    /// session's row until the transaction ends.
    const SESSION_TO_ROTATE: &'static str;
    /// The statements of housekeeping. Each deletes or erases at most `$2` rows that are due at
    /// `$1`.
    const HOUSEKEEPING: Housekeeping;
    /// Selects the user with a folded name. The database folds only ASCII letters, as the issuer
    /// does.
    const USER_NAMED: &'static str;
    const FORGET_AWAITING: &'static str;
    /// Ends a user's live sessions except the `$3` most recently used ones. Ends at most `$4`
    /// sessions, and returns their ids.
    const END_OLDEST_SESSIONS: &'static str;
    /// Ends at most `$2` sessions of any users.
    const END_SOME_SESSIONS: &'static str;
    /// Locks a user's row until the end of the transaction.
    const LOCK_USER: &'static str;
    /// Selects a user who may log in, and whose credentials have not changed since they were
    /// checked. Prevents changes of the row until the transaction ends.
    const HOLD_USER: &'static str;
    /// Selects the client with this `place_owner`, if it is enabled. Prevents changes of the row
    /// until the transaction ends.
    const HOLD_CLIENT: &'static str;
    /// Deletes at most `$2` logout messages that expire at `$1` or before. Returns the id of each
    /// one's client.
    const DROP_EXPIRED_LOGOUTS: &'static str;
    /// Deletes at most `$2` logout messages of the client `$1`, those that expire first. Returns the
    /// id of each one's client.
    const DROP_LOGOUTS_OF_CLIENT: &'static str;

    /// Runs a statement, and returns the number of changed rows.
    fn execute(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
    fn rows(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;
    fn row(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Option<Self::Row>, StoreError>> + Send;
    /// Returns the first column of every row.
    fn scalars<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Vec<T>, StoreError>> + Send;
    /// Returns the first column of the first row.
    fn scalar<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Option<T>, StoreError>> + Send;
}

/// The statements of housekeeping.
pub(super) struct Housekeeping {
    pub(super) erase_successors: &'static str,
    pub(super) forget_former_tokens: &'static str,
    pub(super) forget_sessions: &'static str,
    pub(super) free_places: &'static str,
    pub(super) forget_jwts: &'static str,
    pub(super) forget_refresh_keys: &'static str,
    pub(super) forget_events: &'static str,
    pub(super) forget_user_tokens: &'static str,
    pub(super) forget_ceremonies: &'static str,
    pub(super) forget_unverified: &'static str,
}

/// A type that all drivers can decode from a column.
pub(super) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + FromSql + PostgresColumn + Send + Unpin
{
}

impl<T> Column for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + FromSql + PostgresColumn + Send + Unpin
{
}

#[cfg(feature = "postgres")]
pub(super) trait PostgresColumn:
    for<'r> Decode<'r, sqlx::Postgres> + Type<sqlx::Postgres>
{
}

#[cfg(feature = "postgres")]
impl<T> PostgresColumn for T where T: for<'r> Decode<'r, sqlx::Postgres> + Type<sqlx::Postgres> {}

#[cfg(not(feature = "postgres"))]
pub(super) trait PostgresColumn {}

#[cfg(not(feature = "postgres"))]
impl<T> PostgresColumn for T {}

pub(super) trait Row: Send + Sync {
    /// Returns the column with this name.
    fn column<T: Column>(&self, name: &str) -> Result<T, StoreError>;
}

/// A statement and its values: the first value is `$1`.
#[must_use = "the statement has not run"]
pub(super) struct Statement<'v> {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value<'v>>,
}

pub(super) fn query<'v>(sql: &'static str) -> Statement<'v> {
    Statement { sql, values: Vec::new() }
}

impl<'v> Statement<'v> {
    pub(super) fn bind(mut self, value: impl Into<Value<'v>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Returns the values in the driver's form.
    pub(super) fn arguments<DB: sqlx::Database>(&self) -> Result<DB::Arguments, sqlx::Error>
    where
        for<'t> Option<i64>: Encode<'t, DB> + Type<DB>,
        for<'t> Option<&'t str>: Encode<'t, DB> + Type<DB>,
        for<'t> Option<&'t [u8]>: Encode<'t, DB> + Type<DB>,
    {
        let mut arguments = DB::Arguments::default();
        for value in &self.values {
            let added: Result<(), BoxDynError> = match value {
                Value::Integer(value) => arguments.add(*value),
                Value::Text(value) => arguments.add(value.as_deref()),
                Value::Bytes(value) => arguments.add(*value),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }

    pub(super) async fn execute(self, connection: &mut impl Dialect) -> Result<u64, StoreError> {
        connection.execute(self).await
    }

    pub(super) async fn fetch_all<C: Dialect>(
        self,
        connection: &mut C,
    ) -> Result<Vec<C::Row>, StoreError> {
        connection.rows(self).await
    }

    pub(super) async fn fetch_optional<C: Dialect>(
        self,
        connection: &mut C,
    ) -> Result<Option<C::Row>, StoreError> {
        connection.row(self).await
    }

    /// Returns the first column of every row.
    pub(super) async fn scalars<T: Column>(
        self,
        connection: &mut impl Dialect,
    ) -> Result<Vec<T>, StoreError> {
        connection.scalars(self).await
    }

    /// Returns the first column of the first row.
    pub(super) async fn scalar_optional<T: Column>(
        self,
        connection: &mut impl Dialect,
    ) -> Result<Option<T>, StoreError> {
        connection.scalar(self).await
    }

    /// Returns the first column of the first row of a statement that always returns a row.
    pub(super) async fn scalar<T: Column>(
        self,
        connection: &mut impl Dialect,
    ) -> Result<T, StoreError> {
        Ok(connection.scalar(self).await?.ok_or(sqlx::Error::RowNotFound)?)
    }
}

/// A value of a statement.
pub(super) enum Value<'v> {
    Integer(Option<i64>),
    Text(Option<Cow<'v, str>>),
    Bytes(Option<&'v [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(value: &'v String) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl<'v> From<&'v Option<String>> for Value<'v> {
    fn from(value: &'v Option<String>) -> Self {
        Self::Text(value.as_ref().map(Into::into))
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(value: Option<&'v str>) -> Self {
        Self::Text(value.map(Into::into))
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(value: &'v [u8]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'v> From<&'v Vec<u8>> for Value<'v> {
    fn from(value: &'v Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'v> From<Option<&'v [u8]>> for Value<'v> {
    fn from(value: Option<&'v [u8]>) -> Self {
        Self::Bytes(value)
    }
}
