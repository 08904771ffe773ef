//! The audit log: who may read it, and when it is forgotten.

mod actor;
mod event;
mod store;

use std::sync::{Arc, Weak};
use std::time::Duration;

use portcullis::clock::Clock;

pub(crate) use self::actor::Actor;
pub(crate) use self::event::NewEvent;
pub use self::event::{Event, EventKind};
pub(crate) use self::store::AuditStore;
use crate::clock::{now_secs, secs};
use crate::domain::peer::Peer;
use crate::error::Error;

/// The scope of those who may read it over HTTP.
pub(crate) const AUDIT_SCOPE: &str = "identsphere:audit";

/// The most events that are read at once.
pub(crate) const PAGE: u16 = 1000;

/// How often old events are looked for.
const TIDY: Duration = Duration::from_secs(60 * 60);

/// The audit log of one issuer.
#[derive(Debug)]
pub(crate) struct Audit {
    store: Arc<dyn AuditStore>,
    clock: Arc<dyn Clock>,
    retention: Duration,
}

impl Audit {
    pub(crate) fn new(
        store: Arc<dyn AuditStore>,
        clock: Arc<dyn Clock>,
        retention: Duration,
    ) -> Self {
        Self { store, clock, retention }
    }

    /// Creates an event of this moment and this peer. The store records it with the change, or
    /// [`record`](Self::record) does.
    pub(crate) fn event(&self, kind: EventKind, peer: &Peer) -> NewEvent {
        NewEvent::new(kind, now_secs(&*self.clock)).address(peer.shown_address().as_deref())
    }

    /// Records an event that has no other effect on the store.
    pub(crate) async fn record(&self, event: &NewEvent) -> Result<(), Error> {
        Ok(self.store.record(event).await?)
    }

    /// Returns up to `limit` events, 1000 at most, after this serial number.
    pub(crate) async fn events(&self, after: i64, limit: u16) -> Result<Vec<Event>, Error> {
        Ok(self.store.events(after, i64::from(limit.min(PAGE))).await?)
    }

    /// Deletes events older than the retention, once an hour, until the log is dropped.
    pub(crate) async fn keep_tidy(audit: Weak<Self>) {
        while let Some(audit) = audit.upgrade() {
            let before = now_secs(&*audit.clock).saturating_sub(secs(audit.retention));
            if audit.store.leads()
                && let Err(error) = audit.store.forget_events(before).await
            {
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::warn!(error, "cannot forget old events; trying again later");
            }
            drop(audit);
            tokio::time::sleep(TIDY).await;
        }
    }
}
