//! The messages that report ended sessions to clients. Triggers write them.

use std::collections::BTreeMap;
use std::pin::Pin;

use super::{audit, timed};
use crate::domain::Answer;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::logouts::{Due, LogoutClient, LogoutMessage, LogoutStore, Undeliverable};
use crate::error::StoreError;
use crate::metrics;
use crate::store::dialect::{Change, Database, Dialect, Row, query};

/// Selects the enabled clients with a URI for which a message is due at `$1`.
pub(in crate::store) const TO_NOTIFY: &str = "\
    SELECT id, backchannel_logout_uri FROM clients \
    WHERE backchannel_logout_uri IS NOT NULL AND disabled_at IS NULL AND EXISTS \
    (SELECT 1 FROM logout_messages \
     WHERE client_id = clients.id AND next_at <= $1 AND expires_at > $2)";

/// Selects due messages of a client.
pub(in crate::store) const DUE: &str = "\
    SELECT * FROM logout_messages \
    WHERE client_id = $1 AND next_at <= $2 AND expires_at > $3 ORDER BY next_at LIMIT $4";

/// Counts the messages of each client, by an index alone.
pub(in crate::store) const WAITING: &str = "\
    SELECT id, (SELECT count(*) FROM logout_messages WHERE client_id = clients.id) AS waiting \
    FROM clients";

impl<D: Database> LogoutStore for D {
    fn session_ended(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.ended_sessions().notified())
    }

    fn clients_to_notify(&self, due: Due) -> Answer<'_, Vec<LogoutClient>> {
        timed("clients_to_notify", async move {
            let rows = query(TO_NOTIFY)
                .bind(due.now)
                .bind(due.expired)
                .fetch_all(&mut *self.reader().await?)
                .await?;
            let client = |row: &_| -> Result<_, StoreError> {
                let row: &<D::Connection as Dialect>::Row = row;
                Ok(LogoutClient {
                    id: row.column("id")?,
                    uri: row.column("backchannel_logout_uri")?,
                })
            };
            rows.iter().map(client).collect()
        })
    }

    fn claim_logouts<'a>(
        &'a self,
        client_id: &'a str,
        due: Due,
        until: i64,
        limit: i64,
    ) -> Answer<'a, Vec<LogoutMessage>> {
        let client_id = client_id.to_owned();
        timed("claim_logouts", self.change(Claim { client_id, due, until, limit }))
    }

    fn retry_logout<'a>(&'a self, message: &'a LogoutMessage, next_at: i64) -> Answer<'a, ()> {
        let (id, attempts) = (message.id.clone(), message.attempts);
        timed("retry_logout", self.change(Retry { id, attempts, next_at }))
    }

    fn finish_logout<'a>(
        &'a self,
        message: &'a LogoutMessage,
        event: Option<&'a NewEvent>,
    ) -> Answer<'a, ()> {
        timed("finish_logout", async move {
            let (id, event) = (message.id.clone(), event.cloned());
            let kind = event.as_ref().map(|event| event.kind);
            let was_there = self.change(Finish { id, event }).await?;
            if let Some(kind) = kind.filter(|_| was_there) {
                metrics::event(kind.as_str());
            }
            Ok(())
        })
    }

    fn waiting_logouts(&self) -> Answer<'_, Vec<(String, i64)>> {
        timed("waiting_logouts", async move {
            let rows = query(WAITING).fetch_all(&mut *self.reader().await?).await?;
            rows.iter().map(|row| Ok((row.column("id")?, row.column("waiting")?))).collect()
        })
    }

    fn drop_logouts(&self, which: Undeliverable, at: i64, limit: i64) -> Answer<'_, u64> {
        timed("drop_logouts", async move {
            let dropped = self.change(Drop { which, at, limit }).await?;
            for _ in &dropped {
                metrics::event(EventKind::LogoutNotDelivered.as_str());
            }
            Ok(dropped.values().map(|count| count.unsigned_abs()).sum())
        })
    }
}

struct Claim {
    client_id: String,
    due: Due,
    until: i64,
    limit: i64,
}

impl Change for Claim {
    type Outcome = Vec<LogoutMessage>;

    async fn apply<C: Dialect>(
        &mut self,
        connection: &mut C,
    ) -> Result<Vec<LogoutMessage>, StoreError> {
        let rows = query(DUE)
            .bind(&self.client_id)
            .bind(self.due.now)
            .bind(self.due.expired)
            .bind(self.limit)
            .fetch_all(connection)
            .await?;
        let mut claimed = Vec::new();
        for row in &rows {
            let message = message_from(row)?;
            // Another process may have claimed the message since this process read it.
            let changed = query(
                "UPDATE logout_messages SET attempts = attempts + 1, next_at = $1 \
                 WHERE id = $2 AND attempts = $3",
            )
            .bind(self.until)
            .bind(&message.id)
            .bind(message.attempts)
            .execute(connection)
            .await?;
            if changed == 1 {
                claimed.push(LogoutMessage { attempts: message.attempts + 1, ..message });
            }
        }
        Ok(claimed)
    }
}

struct Retry {
    id: String,
    attempts: i64,
    next_at: i64,
}

impl Change for Retry {
    type Outcome = ();

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<(), StoreError> {
        // After a later attempt has begun, the result of this one does not matter.
        query("UPDATE logout_messages SET next_at = $1 WHERE id = $2 AND attempts = $3")
            .bind(self.next_at)
            .bind(&self.id)
            .bind(self.attempts)
            .execute(connection)
            .await?;
        Ok(())
    }
}

struct Finish {
    id: String,
    event: Option<NewEvent>,
}

impl Change for Finish {
    /// Whether the message was still there.
    type Outcome = bool;

    async fn apply<C: Dialect>(&mut self, connection: &mut C) -> Result<bool, StoreError> {
        let was_there = delete(connection, &self.id).await?;
        if let Some(event) = self.event.as_ref().filter(|_| was_there) {
            audit::write(connection, event).await?;
        }
        Ok(was_there)
    }
}

struct Drop {
    which: Undeliverable,
    at: i64,
    limit: i64,
}

impl Change for Drop {
    /// The number of dropped messages of each client.
    type Outcome = BTreeMap<String, i64>;

    async fn apply<C: Dialect>(
        &mut self,
        connection: &mut C,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        let dropped = match &self.which {
            Undeliverable::Expired(at) => query(C::DROP_EXPIRED_LOGOUTS).bind(*at),
            Undeliverable::Of(client_id) => query(C::DROP_LOGOUTS_OF_CLIENT).bind(client_id),
        };
        let dropped: Vec<String> = dropped.bind(self.limit).scalars(connection).await?;
        let mut counts = BTreeMap::new();
        for client_id in dropped {
            *counts.entry(client_id).or_insert(0) += 1;
        }
        for (client_id, count) in &counts {
            let event = NewEvent::new(EventKind::LogoutNotDelivered, self.at);
            audit::write(connection, &event.client(client_id).count(*count)).await?;
        }
        Ok(counts)
    }
}

async fn delete(connection: &mut impl Dialect, id: &str) -> Result<bool, StoreError> {
    let deleted = query("DELETE FROM logout_messages WHERE id = $1").bind(id);
    Ok(deleted.execute(connection).await? == 1)
}

fn message_from(row: &impl Row) -> Result<LogoutMessage, StoreError> {
    Ok(LogoutMessage {
        id: row.column("id")?,
        client_id: row.column("client_id")?,
        session_id: row.column("session_id")?,
        user_id: row.column("user_id")?,
        ended_at: row.column("ended_at")?,
        attempts: row.column("attempts")?,
    })
}
