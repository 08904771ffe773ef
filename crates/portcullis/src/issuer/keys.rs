//! An issuer's keys: fetched here, or given by the application.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::key::{KeyRequest, VerificationKey};
use crate::key_source::KeySource;
use crate::remote::RemoteKeySet;

pub(crate) enum IssuerKeys {
    Fetched(RemoteKeySet),
    Given(Arc<dyn KeySource>),
}

impl IssuerKeys {
    pub(crate) fn source(&self) -> &dyn KeySource {
        match self {
            Self::Fetched(keys) => keys,
            Self::Given(keys) => keys,
        }
    }

    pub(crate) fn shared(&self) -> Arc<dyn KeySource> {
        match self {
            Self::Fetched(keys) => Arc::new(keys.clone()),
            Self::Given(keys) => keys.clone(),
        }
    }

    /// Uses the keys that were kept from an earlier run; see [`RemoteKeySet::restore`].
    pub(crate) fn restore(&self) -> Option<Result<Duration, String>> {
        if let Self::Fetched(keys) = self { keys.restore() } else { None }
    }

    pub(crate) fn are_fetched(&self) -> bool {
        matches!(self, Self::Fetched(_))
    }

    /// Takes over the keys that `other` has fetched, if there are none here and both are fetched
    /// alike.
    pub(crate) fn adopt(&self, other: &Self) {
        if let (Self::Fetched(keys), Self::Fetched(other)) = (self, other) {
            keys.adopt(other);
        }
    }

    /// Stops the background renewal of fetched keys.
    pub(crate) fn retire(&self) {
        if let Self::Fetched(keys) = self {
            keys.retire();
        }
    }

    /// As [`KeySource::is_current`]. Keys that were fetched are asked as of `at`: a request
    /// reads the clocks once.
    pub(crate) fn is_current(
        &self,
        wanted: &KeyRequest<'_>,
        key: &VerificationKey,
        at: impl FnOnce() -> Timestamp,
    ) -> bool {
        match self {
            Self::Fetched(keys) => keys.is_current_at(wanted, key, at()),
            Self::Given(keys) => keys.is_current(wanted, key),
        }
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source().fmt(f)
    }
}
