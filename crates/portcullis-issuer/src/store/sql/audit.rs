//! The audit log.

use super::timed;
use crate::domain::Answer;
use crate::domain::audit::{AuditStore, Event, NewEvent};
use crate::error::StoreError;
use crate::metrics;
use crate::store::dialect::{Database, Dialect, Row, query};

impl<D: Database> AuditStore for D {
    fn record<'a>(&'a self, event: &'a NewEvent) -> Answer<'a, ()> {
        timed("record", async move { insert(&mut *self.writer().await?, event).await })
    }

    fn events(&self, after: i64, limit: i64) -> Answer<'_, Vec<Event>> {
        timed("events", async move { events_after(&mut *self.reader().await?, after, limit).await })
    }
}

/// Records and counts an event.
pub(super) async fn insert(
    connection: &mut impl Dialect,
    event: &NewEvent,
) -> Result<(), StoreError> {
    write(connection, event).await?;
    metrics::event(event.kind.as_str());
    Ok(())
}

/// Records an event of a change. The caller counts the event when the change is durable.
pub(super) async fn write(
    connection: &mut impl Dialect,
    event: &NewEvent,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO events (at, kind, user_id, session_id, kid, client_id, address, user_agent, \
         actor, user_name, count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(event.at)
    .bind(event.kind.as_str())
    .bind(&event.user_id)
    .bind(&event.session_id)
    .bind(&event.kid)
    .bind(&event.client_id)
    .bind(&event.address)
    .bind(&event.user_agent)
    .bind(&event.actor)
    .bind(&event.user_name)
    .bind(event.count)
    .execute(connection)
    .await?;
    Ok(())
}

async fn events_after(
    connection: &mut impl Dialect,
    serial: i64,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    let rows = query("SELECT * FROM events WHERE serial > $1 ORDER BY serial LIMIT $2")
        .bind(serial)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(event_from).collect()
}

fn event_from(row: &impl Row) -> Result<Event, StoreError> {
    Ok(Event {
        serial: row.column("serial")?,
        at: row.column("at")?,
        kind: row.column("kind")?,
        user_id: row.column("user_id")?,
        session_id: row.column("session_id")?,
        kid: row.column("kid")?,
        client_id: row.column("client_id")?,
        address: row.column("address")?,
        user_agent: row.column("user_agent")?,
        actor: row.column("actor")?,
        user_name: row.column("user_name")?,
        count: row.column("count")?,
    })
}
