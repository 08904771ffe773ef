//! The audit log: who may read it, and when it is forgotten.

mod event;
mod store;

use std::time::Duration;

pub(crate) use self::event::NewEvent;
pub use self::event::{Event, EventKind};
pub(crate) use self::store::AuditStore;

use crate::clock::secs;
use crate::error::Error;
use crate::issuer::Issuer;

/// The scope of those who may read it over HTTP.
pub(crate) const AUDIT_SCOPE: &str = "identsphere:audit";

/// The most events that are read at once.
pub(crate) const PAGE: u16 = 1000;

/// How often old events are looked for.
const TIDY: Duration = Duration::from_secs(60 * 60);

impl Issuer {
    /// Up to `limit` events of the audit log, 1000 at most, after the one of this serial number:
    /// 0 begins with the first.
    ///
    /// Several processes on one PostgreSQL write at once: of events that are a few seconds apart
    /// the one with the lower number may appear later.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails.
    pub async fn events(&self, after: i64, limit: u16) -> Result<Vec<Event>, Error> {
        Ok(self.store().events(after, i64::from(limit.min(PAGE))).await?)
    }

    /// Forgets what is older than `IDENTSPHERE_AUDIT_DAYS`, until this issuer is dropped.
    pub(crate) fn keep_audit_log_tidy(&self) {
        let issuer = self.downgrade();
        let tidy = tokio::spawn(async move {
            while let Some(issuer) = issuer() {
                let before = issuer.now().saturating_sub(secs(issuer.config().audit_retention));
                if issuer.store().leads()
                    && let Err(error) = issuer.store().forget_events(before).await
                {
                    let error = &error as &(dyn std::error::Error + 'static);
                    tracing::warn!(error, "cannot forget old events; trying again later");
                }
                drop(issuer);
                tokio::time::sleep(TIDY).await;
            }
        });
        drop(tidy);
    }
}
