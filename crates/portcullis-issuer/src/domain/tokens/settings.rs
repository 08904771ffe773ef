//! Settings of tokens and status lists.

use std::time::Duration;

use super::store::Until;
use crate::clock::secs;

/// How long a list is valid, in TTLs: an app goes on for as long during an outage, and accepts a
/// replayed list for as long.
pub(super) const LIFETIME_IN_TTLS: u32 = 10;

/// How much longer than needed a place is taken, in seconds: with access tokens of 60 s, one refresh
/// in ten writes the row of the place.
const PLACE_SLACK: i64 = 600;

/// Settings of tokens and status lists.
#[derive(Debug, Clone)]
pub(crate) struct TokenSettings {
    /// The `iss` of every token.
    pub(crate) issuer: String,
    /// The APIs that users' tokens are for, besides the issuer itself.
    pub(crate) audiences: Vec<String>,
    pub(crate) access_expiry: Duration,
    pub(crate) status_list_ttl: Duration,
    pub(crate) clock_skew: Duration,
    /// Whether a session without a second factor gets tokens for the issuer alone.
    pub(crate) second_factor_required: bool,
}

impl TokenSettings {
    /// Returns the `exp` of a token issued now.
    pub(super) fn expiry(&self, now: i64) -> i64 {
        now.saturating_add(secs(self.access_expiry))
    }

    /// Until when a token that is issued now may be good anywhere.
    pub(crate) fn until(&self, now: i64) -> Until {
        let lifetime = self.access_expiry + 2 * self.clock_skew;
        let believed = LIFETIME_IN_TTLS * self.status_list_ttl + 2 * self.clock_skew;
        let expiry = now.saturating_add(secs(lifetime));
        Until {
            expiry,
            extend_to: expiry.saturating_add(PLACE_SLACK),
            free: now.saturating_sub(secs(believed)),
        }
    }

    /// Where a status list is published.
    pub(super) fn status_list_uri(&self, list: i64) -> String {
        format!("{}/v1/status-lists/{list}", self.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A verifier that still has a list that speaks of the one must not judge the other by it.
    #[test]
    fn no_list_is_believed_any_more_when_a_place_goes_to_somebody_else() {
        let settings = TokenSettings {
            issuer: "https://auth.example".to_owned(),
            audiences: Vec::new(),
            access_expiry: Duration::from_secs(900),
            status_list_ttl: Duration::from_secs(30),
            clock_skew: Duration::from_secs(5),
            second_factor_required: false,
        };
        let until = settings.until(100_000);
        assert_eq!(until.expiry, 100_000 + secs(settings.access_expiry) + 10);
        // Ten TTLs, and clocks that differ.
        assert_eq!(until.free, 100_000 - 300 - 10);
    }
}
