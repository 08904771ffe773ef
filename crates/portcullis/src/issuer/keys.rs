//! The keys of an issuer: fetched, or provided by the application.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::key::{KeyRequest, VerificationKey};
use crate::key_source::KeySource;
use crate::remote::RemoteKeySet;
use crate::sync::Notify;

pub(crate) enum IssuerKeys {
    /// Fetched for this issuer only.
    Fetched(RemoteKeySet),
    /// Fetched for several issuers or services.
    Shared {
        keys: RemoteKeySet,
        /// Whether the set and the service use the same clock, so that they can share its readings.
        same_clock: bool,
    },
    Given(Arc<dyn KeySource>),
}

impl IssuerKeys {
    pub(crate) fn source(&self) -> &dyn KeySource {
        match self {
            Self::Fetched(keys) | Self::Shared { keys, .. } => keys,
            Self::Given(keys) => keys,
        }
    }

    pub(crate) fn shared(&self) -> Arc<dyn KeySource> {
        match self {
            Self::Fetched(keys) | Self::Shared { keys, .. } => Arc::new(keys.clone()),
            Self::Given(keys) => keys.clone(),
        }
    }

    /// Restores the keys that an earlier run stored; see [`RemoteKeySet::restore`].
    pub(crate) fn restore(&self) -> Option<Result<Duration, String>> {
        if let Self::Fetched(keys) = self { keys.restore() } else { None }
    }

    pub(crate) fn are_fetched(&self) -> bool {
        matches!(self, Self::Fetched(_) | Self::Shared { .. })
    }

    /// Whether response headers that forbid caching are obeyed. `None` if the keys are not fetched
    /// here.
    pub(crate) fn obey_no_cache(&self) -> Option<bool> {
        match self {
            Self::Fetched(keys) | Self::Shared { keys, .. } => Some(keys.obeys_no_cache()),
            Self::Given(_) => None,
        }
    }

    /// Takes over the keys that `other` fetched, if this set is empty and both are fetched in the
    /// same way.
    pub(crate) fn adopt(&self, other: &Self) {
        if let (Self::Fetched(keys), Self::Fetched(other)) = (self, other) {
            keys.adopt(other);
        }
    }

    /// Notifies `listener` whenever fetched keys have changed.
    pub(crate) fn notify(&self, listener: &Arc<Notify>) {
        if let Self::Fetched(keys) | Self::Shared { keys, .. } = self {
            keys.notify(listener);
        }
    }

    /// Stops the background refresh of keys that are fetched for this issuer only.
    pub(crate) fn retire(&self) {
        if let Self::Fetched(keys) = self {
            keys.retire();
        }
    }

    /// Like [`KeySource::is_current`], but uses `at` for fetched keys, so that a request reads the
    /// clocks once.
    pub(crate) fn is_current(
        &self,
        wanted: &KeyRequest<'_>,
        key: &VerificationKey,
        at: impl FnOnce() -> Timestamp,
    ) -> bool {
        match self {
            Self::Fetched(keys) | Self::Shared { keys, same_clock: true } => {
                keys.is_current_at(wanted, key, at())
            }
            Self::Shared { keys, same_clock: false } => keys.is_current(wanted, key),
            Self::Given(keys) => keys.is_current(wanted, key),
        }
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source().fmt(f)
    }
}
