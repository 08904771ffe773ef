//! The state of the handlers.

use std::sync::atomic::AtomicBool;

use portcullis::Authenticator;

use crate::config::IssuerConfig;
use crate::domain::Domain;

/// The state of the handlers.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) config: IssuerConfig,
    pub(crate) domain: Domain,
    /// For the routes behind the middleware.
    pub(crate) authenticator: Authenticator,
    /// Set on shutdown: readiness probes fail from then on.
    pub(crate) stopping: AtomicBool,
    /// Set once an unusable client address has been logged.
    pub(crate) unusable_address_logged: AtomicBool,
}
