//! How a key set is: for a readiness probe, a status page, an alarm.

use std::time::Duration;

use crate::fetch::FetchError;
use crate::key::SkippedKey;

/// How the keys of one issuer are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeySetStatus {
    /// The issuer, or the URL, that they are fetched from.
    pub location: String,
    /// What they may be used for.
    pub freshness: Freshness,
    /// Since the fetch began that brought or confirmed them.
    pub age: Option<Duration>,
    /// The age at which they must be renewed: the setting, or less where the server says so.
    pub ttl: Option<Duration>,
    /// What the last fetch failed of, if it did.
    pub last_error: Option<FetchError>,
    /// Until the next attempt, while failures back off.
    pub next_attempt: Option<Duration>,
    /// Whether the keys were kept from an earlier run ([`kept_keys_file`]), because the issuer could
    /// not be reached since the start.
    ///
    /// [`kept_keys_file`]: crate::AuthenticatorBuilder::kept_keys_file
    pub is_kept: bool,
    /// How many keys can be used.
    pub keys: usize,
    /// Those that can not, each with its reason.
    pub skipped: Vec<SkippedKey>,
    /// The longest that a withdrawn key is accepted while the issuer can be reached: the TTL, one
    /// fetch, and one more after a failure.
    pub withdrawal_bound: Duration,
    /// The longest that a withdrawn key is accepted while the issuer can not be reached.
    pub withdrawal_bound_in_outage: Duration,
}

/// What a key set may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Freshness {
    /// Used without asking.
    Fresh,
    /// Used without asking, and about to be renewed.
    Ageing,
    /// Past its TTL: renewed before it is used, or used while it can not be renewed.
    Stale,
    /// Not used: there is none, or it could not be renewed for too long.
    Unavailable,
}

impl Freshness {
    /// A short, stable name, from a closed list.
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
