//! Statements on a rusqlite connection: unlike with sqlx, a statement is not sent to another
//! thread.
//!
//! Each future is ready at its first poll: the statement blocks the thread that polls it.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};
use sqlx::SqliteConnection;

use super::problem::LOCKED;
use crate::error::StoreError;
use crate::store::dialect::{Column, Dialect, Housekeeping, Row, Statement, Value};

impl Dialect for Connection {
    type Row = DirectRow;

    const NEWEST_KEYS_FIRST: &'static str = SqliteConnection::NEWEST_KEYS_FIRST;
    const LOCK_KEYS: &'static str = SqliteConnection::LOCK_KEYS;
    const SESSION_TO_ROTATE: &'static str = SqliteConnection::SESSION_TO_ROTATE;
    const HOUSEKEEPING: Housekeeping = SqliteConnection::HOUSEKEEPING;
    const USER_NAMED: &'static str = SqliteConnection::USER_NAMED;
    const FORGET_AWAITING: &'static str = SqliteConnection::FORGET_AWAITING;
    const END_OLDEST_SESSIONS: &'static str = SqliteConnection::END_OLDEST_SESSIONS;
    const END_SOME_SESSIONS: &'static str = SqliteConnection::END_SOME_SESSIONS;
    const LOCK_USER: &'static str = SqliteConnection::LOCK_USER;
    const HOLD_USER: &'static str = SqliteConnection::HOLD_USER;
    const HOLD_CLIENT: &'static str = SqliteConnection::HOLD_CLIENT;
    const DROP_EXPIRED_LOGOUTS: &'static str = SqliteConnection::DROP_EXPIRED_LOGOUTS;
    const DROP_LOGOUTS_OF_CLIENT: &'static str = SqliteConnection::DROP_LOGOUTS_OF_CLIENT;

    async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, StoreError> {
        let mut prepared = bound(self, &statement)?;
        Ok(u64::try_from(prepared.raw_execute().map_err(failed)?).unwrap_or_default())
    }

    async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<DirectRow>, StoreError> {
        fetch(self, &statement, usize::MAX)
    }

    async fn row(&mut self, statement: Statement<'_>) -> Result<Option<DirectRow>, StoreError> {
        Ok(fetch(self, &statement, 1)?.pop())
    }

    async fn scalars<T: Column>(&mut self, statement: Statement<'_>) -> Result<Vec<T>, StoreError> {
        fetch(self, &statement, usize::MAX)?.iter().map(DirectRow::first).collect()
    }

    async fn scalar<T: Column>(
        &mut self,
        statement: Statement<'_>,
    ) -> Result<Option<T>, StoreError> {
        fetch(self, &statement, 1)?.first().map(DirectRow::first).transpose()
    }
}

/// A row that does not borrow from its statement.
pub(in crate::store) struct DirectRow {
    names: Arc<[String]>,
    values: Vec<Owned>,
}

impl DirectRow {
    fn first<T: Column>(&self) -> Result<T, StoreError> {
        let value = self.values.first().ok_or_else(|| StoreError::new("a row has no columns"))?;
        T::column_result(ValueRef::from(value)).map_err(StoreError::new)
    }
}

impl Row for DirectRow {
    fn column<T: Column>(&self, name: &str) -> Result<T, StoreError> {
        let mut all = self.names.iter().zip(&self.values);
        let (_, value) = all
            .find(|(found, _)| *found == name)
            .ok_or_else(|| StoreError::new(format!("a row has no column `{name}`")))?;
        T::column_result(ValueRef::from(value)).map_err(StoreError::new)
    }
}

/// Prepares a statement, or takes it from the connection's cache, and binds its values.
fn bound<'c>(
    connection: &'c Connection,
    statement: &Statement<'_>,
) -> Result<CachedStatement<'c>, StoreError> {
    let mut prepared = connection.prepare_cached(statement.sql).map_err(failed)?;
    for at in 1..=prepared.parameter_count() {
        // SQLite numbers parameters by their first occurrence, and takes `$3` as a name. The number
        // in the name is the number of the value.
        let number = prepared.parameter_name(at).and_then(|name| name.get(1..)?.parse().ok());
        let value = number.and_then(|number: usize| statement.values.get(number.checked_sub(1)?));
        let value = value.ok_or_else(|| StoreError::new("a statement lacks a value"))?;
        prepared.raw_bind_parameter(at, value).map_err(failed)?;
    }
    Ok(prepared)
}

fn fetch(
    connection: &Connection,
    statement: &Statement<'_>,
    at_most: usize,
) -> Result<Vec<DirectRow>, StoreError> {
    let mut prepared = bound(connection, statement)?;
    let names: Arc<[String]> = prepared.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = prepared.raw_query();
    let mut fetched = Vec::new();
    while fetched.len() < at_most
        && let Some(row) = rows.next().map_err(failed)?
    {
        let values = (0..names.len()).map(|at| row.get::<_, Owned>(at));
        fetched.push(DirectRow {
            names: Arc::clone(&names),
            values: values.collect::<Result<_, _>>().map_err(failed)?,
        });
    }
    Ok(fetched)
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Integer(value) => value.map_or(ValueRef::Null, ValueRef::Integer),
            Self::Text(value) => {
                value.as_deref().map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
            }
            Self::Bytes(value) => value.map_or(ValueRef::Null, ValueRef::Blob),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// Converts an error. A `From` would make rusqlite part of the public API.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => StoreError::because(LOCKED, error),
        _ => StoreError::new(error),
    }
}
