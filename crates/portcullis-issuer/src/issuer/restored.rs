//! After a database was restored from a backup.

use super::Issuer;
use crate::domain::audit::{Actor, EventKind};
use crate::error::Error;

/// What [`Issuer::restored`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The key that signs from now on.
    pub kid: String,
    /// How many sessions have ended.
    pub ended_sessions: u64,
}

impl Issuer {
    /// Makes a database safe that was restored from a backup, before it serves again.
    ///
    /// In the backup, keys that were withdrawn later are published, and sessions that were ended
    /// later go on. So every token that was ever issued is void afterwards: a new key signs, all
    /// others are withdrawn, all sessions have ended, and new status lists begin, while the old ones
    /// say of each place that it is revoked. Users log in again. Machine clients keep their
    /// credentials, and ask for new tokens.
    ///
    /// No other process may serve on this database meanwhile. If it is interrupted, call it again.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails, [`Error::Signer`] if a signer elsewhere has no new key.
    pub async fn restored(&self) -> Result<Restored, Error> {
        let domain = self.domain();
        let event = domain.audit.event_by(EventKind::Restored, Actor::Operator);
        domain.introspection.tokens.start_new_lists(&event).await?;
        let ended_sessions = domain.people.end_all_sessions(Actor::Operator).await?;
        let kid = domain.keys.replace_all().await?;
        Ok(Restored { kid, ended_sessions })
    }
}
