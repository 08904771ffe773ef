//! Settings of tokens and status lists.

use std::time::Duration;

use super::store::Until;
use crate::clock::secs;

/// The lifetime of a status list, in TTLs. During an outage, an app can use its list for this long. A
/// replayed list is also accepted for this long.
pub(super) const LIFETIME_IN_TTLS: u32 = 10;

/// The number of seconds by which a place is reserved for longer than necessary. With access tokens of
/// 60 s, only one refresh in ten then writes the place's row.
const PLACE_SLACK: i64 = 600;

/// Settings of tokens and status lists.
#[derive(Debug, Clone)]
pub(crate) struct TokenSettings {
    /// The `iss` of every token.
    pub(crate) issuer: String,
    /// The APIs that users' tokens may be for, besides the issuer itself.
    pub(crate) audiences: Vec<String>,
    /// Whether a user's token is for the issuer alone unless its client names other resources.
    pub(crate) narrow: bool,
    pub(crate) access_expiry: Duration,
    pub(crate) status_list_ttl: Duration,
    pub(crate) clock_skew: Duration,
    /// Whether a session without a second factor gets tokens for the issuer alone.
    pub(crate) second_factor_required: bool,
}

/// The `aud` of a session's token: the issuer or configured APIs, each once, and at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audience(Vec<String>);

impl Audience {
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|audience| audience == name)
    }
}

impl TokenSettings {
    /// Returns the audience for these resources (RFC 8707), or the default one without any; `None`
    /// if one of them is neither the issuer nor a configured API.
    pub(crate) fn audience(&self, resources: &[String]) -> Option<Audience> {
        let all = || std::iter::once(&self.issuer).chain(&self.audiences);
        if resources.is_empty() && self.narrow {
            return Some(Audience(vec![self.issuer.clone()]));
        }
        let mut audience: Vec<String> = Vec::new();
        let wanted: Vec<&String> =
            if resources.is_empty() { all().collect() } else { resources.iter().collect() };
        for name in wanted {
            if !all().any(|known| known == name) {
                return None;
            }
            if !audience.contains(name) {
                audience.push(name.clone());
            }
        }
        Some(Audience(audience))
    }

    /// Returns the `exp` of a token issued now.
    pub(super) fn expiry(&self, now: i64) -> i64 {
        now.saturating_add(secs(self.access_expiry))
    }

    /// Returns until when a token that is issued now needs its place.
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

    /// Returns the URI of a status list.
    pub(super) fn status_list_uri(&self, list: i64) -> String {
        format!("{}/v1/status-lists/{list}", self.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audience_is_what_was_requested_and_configured() {
        let mut settings = TokenSettings {
            issuer: "https://auth.example".to_owned(),
            audiences: vec!["a".to_owned(), "b".to_owned(), "a".to_owned()],
            narrow: false,
            access_expiry: Duration::from_secs(900),
            status_list_ttl: Duration::from_secs(30),
            clock_skew: Duration::from_secs(5),
            second_factor_required: false,
        };
        let audience = |settings: &TokenSettings, resources: &[&str]| {
            let resources: Vec<_> = resources.iter().map(|name| (*name).to_owned()).collect();
            settings.audience(&resources).map(|Audience(names)| names)
        };
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let issuer = "https://auth.example";
        assert_eq!(audience(&settings, &[]), names(&[issuer, "a", "b"]));
        settings.narrow = true;
        assert_eq!(audience(&settings, &[]), names(&[issuer]));
        for narrow in [false, true] {
            settings.narrow = narrow;
            assert_eq!(audience(&settings, &["b"]), names(&["b"]), "without the issuer");
            assert_eq!(audience(&settings, &["b", issuer, "b"]), names(&["b", issuer]));
            for wrong in [&["c"][..], &["a", "c"], &[""], &["https://auth.example/"]] {
                assert_eq!(audience(&settings, wrong), None, "{wrong:?}");
            }
        }
    }

    /// A verifier may still have a list with the former owner's bit. Every such list must have
    /// expired before the place has a new owner.
    #[test]
    fn place_is_reused_only_after_every_old_list_has_expired() {
        let settings = TokenSettings {
            issuer: "https://auth.example".to_owned(),
            audiences: Vec::new(),
            narrow: false,
            access_expiry: Duration::from_secs(900),
            status_list_ttl: Duration::from_secs(30),
            clock_skew: Duration::from_secs(5),
            second_factor_required: false,
        };
        let until = settings.until(100_000);
        assert_eq!(until.expiry, 100_000 + secs(settings.access_expiry) + 10);
        // The margin is ten TTLs and the clock skew.
        assert_eq!(until.free, 100_000 - 300 - 10);
    }
}
