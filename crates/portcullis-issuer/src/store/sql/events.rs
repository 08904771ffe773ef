//! The audit log.

use sqlx::Row as _;

use super::{Connection, DbRow};
use crate::domain::audit::{Event, NewEvent};
use crate::error::StoreError;
use crate::metrics;

pub(super) async fn insert(
    connection: &mut Connection,
    event: &NewEvent,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO events (at, kind, user_id, session_id, kid, client_id, address) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(event.at)
    .bind(event.kind.as_str())
    .bind(&event.user_id)
    .bind(&event.session_id)
    .bind(&event.kid)
    .bind(&event.client_id)
    .bind(&event.address)
    .execute(connection)
    .await?;
    metrics::event(event.kind.as_str());
    Ok(())
}

pub(super) async fn after(
    connection: &mut Connection,
    serial: i64,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    let rows = sqlx::query("SELECT * FROM events WHERE serial > $1 ORDER BY serial LIMIT $2")
        .bind(serial)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(event_from).collect()
}

pub(super) async fn forget(connection: &mut Connection, before: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM events WHERE at < $1").bind(before).execute(connection).await?;
    Ok(())
}

fn event_from(row: &DbRow) -> Result<Event, StoreError> {
    Ok(Event {
        serial: row.try_get("serial")?,
        at: row.try_get("at")?,
        kind: row.try_get("kind")?,
        user_id: row.try_get("user_id")?,
        session_id: row.try_get("session_id")?,
        kid: row.try_get("kid")?,
        client_id: row.try_get("client_id")?,
        address: row.try_get("address")?,
    })
}
