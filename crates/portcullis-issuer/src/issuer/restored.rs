//! The steps after a database was restored from a backup.

use super::Issuer;
use crate::domain::audit::{Actor, EventKind};
use crate::error::Error;

/// The result of [`Issuer::restored`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The `kid` of the new signing key.
    pub kid: String,
    /// The number of ended sessions.
    pub ended_sessions: u64,
}

impl Issuer {
    /// Makes a database that was restored from a backup safe, before the issuer serves again.
    ///
    /// In the backup, keys that were withdrawn later are still published, and sessions that were
    /// ended later are still live. So this call invalidates every token that was ever issued. It
    /// creates a new signing key, withdraws all others, ends all sessions and begins new status
    /// lists; in the old lists every place is revoked. Users must log in again. Machine clients
    /// keep their credentials, and request new tokens.
    ///
    /// No other process may serve on this database meanwhile. If the call is interrupted, repeat
    /// it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store fails, [`Error::Signer`] if an external signer has no new key.
    pub async fn restored(&self) -> Result<Restored, Error> {
        let domain = self.domain();
        let event = domain.audit.event_by(EventKind::Restored, Actor::Operator);
        domain.introspection.tokens.start_new_lists(&event).await?;
        let ended_sessions = domain.people.end_all_sessions(Actor::Operator).await?;
        let kid = domain.keys.replace_all().await?;
        Ok(Restored { kid, ended_sessions })
    }
}
