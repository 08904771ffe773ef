//! Statements that run on every database, and what differs between the databases.

use std::borrow::Cow;
use std::fmt;

use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::{Arguments, Decode, Encode, Postgres, Sqlite, Type};

use crate::error::StoreError;

/// A database and its connections.
pub(super) trait Database: fmt::Debug + Send + Sync + 'static {
    type Connection: Dialect;

    /// Starts a transaction that writes.
    fn begin(&self) -> impl Future<Output = Result<Transaction<Self>, sqlx::Error>> + Send;
    /// Starts a transaction whose statements all see the same snapshot.
    fn begin_snapshot(&self)
    -> impl Future<Output = Result<Transaction<Self>, sqlx::Error>> + Send;
    fn reader(&self) -> impl Future<Output = Result<Pooled<Self>, sqlx::Error>> + Send;
    fn writer(&self) -> impl Future<Output = Result<Pooled<Self>, sqlx::Error>> + Send;
    /// Returns the version of the keys if the database has pushed it recently.
    fn told_version(&self) -> Option<i64>;
    fn learn_version(&self, version: i64);
    fn is_leader(&self) -> bool;
    fn close_all(&self) -> impl Future<Output = ()> + Send;
}

pub(super) type Transaction<D> = sqlx::Transaction<'static, Driver<D>>;
pub(super) type Pooled<D> = PoolConnection<Driver<D>>;
type Driver<D> = <<D as Database>::Connection as sqlx::Connection>::Database;

/// A connection, and the statements that differ between the databases.
pub(super) trait Dialect: sqlx::Connection {
    type Row: Row;

    const NEWEST_KEYS_FIRST: &'static str;
    const LOCK_KEYS: &'static str;
    const LOCK_SESSION: &'static str;
    const FORGET_SESSIONS: &'static str;
    const FREE_PLACES: &'static str;
    const FORGET_JWTS: &'static str;
    /// The user with a folded name. The database folds ASCII only, as the issuer does.
    const USER_NAMED: &'static str;
    const FORGET_AWAITING: &'static str;
    /// Locks a user's row until the end of the transaction.
    const LOCK_USER: &'static str;
    /// Keeps a user's row from being changed until the end of the transaction, if the user may log
    /// in with what was checked before.
    const HOLD_USER: &'static str;

    /// Runs a statement, and returns the number of changed rows.
    fn execute(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
    fn rows(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, sqlx::Error>> + Send;
    fn row(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Option<Self::Row>, sqlx::Error>> + Send;
    /// Returns the first column of every row.
    fn scalars<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Vec<T>, sqlx::Error>> + Send;
    /// Returns the first column of the first row.
    fn scalar<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> impl Future<Output = Result<Option<T>, sqlx::Error>> + Send;
}

/// A type that both drivers can decode from a column.
pub(super) trait Column:
    for<'r> Decode<'r, Postgres>
    + for<'r> Decode<'r, Sqlite>
    + Type<Postgres>
    + Type<Sqlite>
    + Send
    + Unpin
{
}

impl<T> Column for T where
    T: for<'r> Decode<'r, Postgres>
        + for<'r> Decode<'r, Sqlite>
        + Type<Postgres>
        + Type<Sqlite>
        + Send
        + Unpin
{
}

pub(super) trait Row: Send + Sync {
    /// Returns the column with this name.
    fn column<T: Column>(&self, name: &str) -> Result<T, StoreError>;
}

/// A statement and its values, in the order of their numbers.
#[must_use = "it has not run"]
pub(super) struct Statement<'v> {
    pub(super) sql: &'static str,
    values: Vec<Value<'v>>,
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
        Ok(connection.execute(self).await?)
    }

    pub(super) async fn fetch_all<C: Dialect>(
        self,
        connection: &mut C,
    ) -> Result<Vec<C::Row>, StoreError> {
        Ok(connection.rows(self).await?)
    }

    pub(super) async fn fetch_optional<C: Dialect>(
        self,
        connection: &mut C,
    ) -> Result<Option<C::Row>, StoreError> {
        Ok(connection.row(self).await?)
    }

    /// Returns the first column of every row.
    pub(super) async fn scalars<T: Column>(
        self,
        connection: &mut impl Dialect,
    ) -> Result<Vec<T>, StoreError> {
        Ok(connection.scalars(self).await?)
    }

    /// Returns the first column of the first row.
    pub(super) async fn scalar_optional<T: Column>(
        self,
        connection: &mut impl Dialect,
    ) -> Result<Option<T>, StoreError> {
        Ok(connection.scalar(self).await?)
    }

    /// Returns the first column of the row, of a statement that always has one.
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
