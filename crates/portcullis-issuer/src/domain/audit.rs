//! The audit log.

mod actor;
mod cap;
mod event;
mod store;

use std::sync::Arc;

use portcullis::clock::Clock;

pub(crate) use self::actor::{Actor, Authority};
pub(crate) use self::cap::Cap;
pub(crate) use self::event::NewEvent;
pub use self::event::{Event, EventKind};
pub(crate) use self::store::AuditStore;
use crate::clock::now_secs;
use crate::domain::peer::Peer;
use crate::error::Error;
use crate::metrics;

/// The scope of the users who may read the audit log over HTTP.
pub(crate) const AUDIT_SCOPE: &str = "identsphere:audit";

/// The maximum number of events that one call returns.
pub(crate) const PAGE: u16 = 1000;

/// The number of tokens of a client that each process records per hour. The metrics count all
/// tokens.
const CLIENT_TOKENS_PER_HOUR: u32 = 60;

/// The audit log of one issuer.
#[derive(Debug)]
pub(crate) struct Audit {
    store: Arc<dyn AuditStore>,
    clock: Arc<dyn Clock>,
    client_tokens: Cap,
}

impl Audit {
    pub(crate) fn new(store: Arc<dyn AuditStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, client_tokens: Cap::new(CLIENT_TOKENS_PER_HOUR) }
    }

    /// Creates an event with the current time and this peer. The store records it together with the
    /// change that it describes; if there is no change, [`record`](Self::record) records it.
    pub(crate) fn event(&self, kind: EventKind, peer: &Peer) -> NewEvent {
        NewEvent::new(kind, now_secs(&*self.clock)).address(peer.shown_address().as_deref())
    }

    /// Records an event that has no other effect on the store.
    pub(crate) async fn record(&self, event: &NewEvent) -> Result<(), Error> {
        Ok(self.store.record(event).await?)
    }

    /// Records that a client was given a token, at most as often per hour as the client's cap allows.
    pub(crate) async fn record_client_token(&self, event: &NewEvent) -> Result<(), Error> {
        let client_id = event.client_id.as_deref().unwrap_or_default();
        if self.client_tokens.take(client_id, event.at) {
            return self.record(event).await;
        }
        self.count(event);
        Ok(())
    }

    /// Counts an event that is one too many to be recorded.
    pub(crate) fn count(&self, event: &NewEvent) {
        metrics::event(event.kind.as_str());
    }

    /// Returns up to `limit` events, 1000 at most, after this serial number.
    pub(crate) async fn events(&self, after: i64, limit: u16) -> Result<Vec<Event>, Error> {
        Ok(self.store.events(after, i64::from(limit.min(PAGE))).await?)
    }
}
