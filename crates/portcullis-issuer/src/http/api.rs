//! The state of the handlers.

use std::sync::atomic::AtomicBool;

use portcullis::Authenticator;

use super::problem::Problem;
use crate::config::IssuerConfig;
use crate::domain::Domain;
use crate::domain::tokens::Audience;

/// The state of the handlers.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) config: IssuerConfig,
    pub(crate) domain: Domain,
    /// The authenticator of the routes behind the middleware.
    pub(crate) authenticator: Authenticator,
    /// Set on shutdown: readiness probes fail from then on.
    pub(crate) stopping: AtomicBool,
    /// Set once an unusable client address has been logged.
    pub(crate) unusable_address_logged: AtomicBool,
}

impl Api {
    /// Returns the `aud` of a session's token for these resources (RFC 8707). Without resources it
    /// is the audience of the settings.
    pub(super) fn audience(&self, resources: &[String]) -> Result<Audience, Problem> {
        let settings = self.domain.introspection.tokens.settings();
        settings.audience(resources).ok_or(Problem::InvalidTarget)
    }
}
