//! The status of a key set, for readiness probes, status pages and alerts.

use std::time::Duration;

use crate::fetch::FetchError;
use crate::key::SkippedKey;

/// The status of one issuer's keys.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeySetStatus {
    /// The issuer or the URL that the keys are fetched from.
    pub location: String,
    /// Whether the keys may be used.
    pub freshness: Freshness,
    /// Time since the start of the fetch that returned or confirmed the keys.
    pub age: Option<Duration>,
    /// The age at which the keys must be renewed: the setting, or less if the server's caching
    /// headers shorten it.
    pub ttl: Option<Duration>,
    /// The error of the last fetch, if it failed.
    pub last_error: Option<FetchError>,
    /// Time until the next attempt, while failures back off.
    pub next_attempt: Option<Duration>,
    /// Whether the keys are from an earlier run ([`kept_keys_file`]), because the issuer has been
    /// unreachable since the start.
    ///
    /// [`kept_keys_file`]: crate::AuthenticatorBuilder::kept_keys_file
    pub is_kept: bool,
    /// The number of usable keys.
    pub keys: usize,
    /// The keys that cannot be used, each with the reason.
    pub skipped: Vec<SkippedKey>,
    /// How long a withdrawn key may still be accepted while the issuer is reachable: the TTL plus
    /// one fetch, and one more fetch if the first one fails.
    pub withdrawal_bound: Duration,
    /// How long a withdrawn key may still be accepted while the issuer is unreachable.
    pub withdrawal_bound_in_outage: Duration,
}

/// Whether and how a key set may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Freshness {
    /// The keys are used immediately.
    Fresh,
    /// The keys are used immediately, and refreshed in the background.
    Ageing,
    /// The keys are past their TTL: they are refreshed before use, or used while the refresh fails.
    Stale,
    /// The keys are not used: there is no key set, or the refresh has failed for too long.
    Unavailable,
}

impl Freshness {
    /// Returns a short, stable name from a closed list.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Ageing => "ageing",
            Self::Stale => "stale",
            Self::Unavailable => "unavailable",
        }
    }
}
