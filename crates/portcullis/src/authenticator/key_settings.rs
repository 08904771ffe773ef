//! The settings of fetched keys: defaults, bounds, and combinations that are errors.

use std::time::Duration;

use super::checks::{within, within_numbers};
use super::config_error::ConfigError;
use crate::duration::InSeconds;
use crate::key::{MAX_KEYS, MAX_MAX_KEYS};
use crate::remote::Limits;
use crate::settings::{self, Setting};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeySettings {
    /// The TTL of a key set: 5 minutes by default, which costs 288 fetches a day. Few services must
    /// reject a withdrawn key sooner.
    pub(super) ttl: Duration,
    /// The minimum TTL: by default 10 seconds, or the TTL if it is shorter. A server that sends
    /// `max-age=1` must not cause a fetch for every request.
    pub(super) min_ttl: Option<Duration>,
    /// The time between a refresh and the end of the TTL: by default a tenth of the TTL, at most 30
    /// seconds. In this time the refresh can be attempted several times before a request must wait.
    pub(super) refresh_ahead: Option<Duration>,
    pub(super) background_refresh: bool,
    /// The maximum time after the TTL that stale keys are used: an hour by default. Most outages
    /// are shorter, and a compromised key must not stay in use for longer.
    pub(super) max_stale: Duration,
    pub(super) obey_no_cache: bool,
    /// The time after which unknown `kid`s may cause one more fetch: 30 seconds by default. Two
    /// fetches a minute are no load for an issuer, whatever clients send.
    pub(super) cooldown: Duration,
    /// The deadline of a fetch, and the longest time that a request waits: 5 seconds by default. A
    /// healthy fetch is faster.
    pub(super) fetch_timeout: Duration,
    /// The maximum size of a document, in bytes: by default 512 KiB, ten times the largest known
    /// key set.
    pub(super) max_body: usize,
    /// The maximum number of keys in a set: 200 by default. The largest issuers publish a few
    /// dozen.
    pub(super) max_keys: usize,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            ttl: 300 * SECOND,
            min_ttl: None,
            refresh_ahead: None,
            background_refresh: true,
            max_stale: 3600 * SECOND,
            obey_no_cache: false,
            cooldown: 30 * SECOND,
            fetch_timeout: 5 * SECOND,
            max_body: 512 * 1024,
            max_keys: MAX_KEYS,
        }
    }
}

impl KeySettings {
    pub(super) fn limits(&self) -> Limits {
        let ahead = self.refresh_ahead.unwrap_or((self.ttl / 10).min(30 * SECOND));
        Limits {
            ttl: self.ttl,
            min_ttl: self.min_ttl.unwrap_or(10 * SECOND).min(self.ttl),
            refresh_ahead: if self.background_refresh { ahead } else { Duration::ZERO },
            max_stale: self.max_stale,
            obey_no_cache: self.obey_no_cache,
            cooldown: self.cooldown,
            fetch_timeout: self.fetch_timeout,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within(settings::JWKS_TTL, self.ttl, SECOND, DAY)?;
        within(settings::MAX_STALE, self.max_stale, Duration::ZERO, 7 * DAY)?;
        within(settings::COOLDOWN, self.cooldown, SECOND, DAY / 24)?;
        within(settings::FETCH_TIMEOUT, self.fetch_timeout, SECOND / 10, 60 * SECOND)?;
        if let Some(min_ttl) = self.min_ttl {
            within(settings::MIN_TTL, min_ttl, SECOND, DAY)?;
            self.check_below_ttl(settings::MIN_TTL, min_ttl, min_ttl <= self.ttl)?;
            if min_ttl < self.fetch_timeout {
                return Err(ConfigError::Contradiction {
                    first: settings::MIN_TTL,
                    second: settings::FETCH_TIMEOUT,
                    why: format!(
                        "a fetch may take {}, so keys could be past a TTL of {} when they \
                         arrive; raise `min_ttl` or lower `fetch_timeout`",
                        InSeconds(self.fetch_timeout),
                        InSeconds(min_ttl)
                    ),
                });
            }
        }
        if let Some(ahead) = self.refresh_ahead {
            within(settings::REFRESH_AHEAD, ahead, SECOND / 10, DAY)?;
            self.check_below_ttl(settings::REFRESH_AHEAD, ahead, ahead < self.ttl)?;
            if !self.background_refresh {
                return Err(ConfigError::Contradiction {
                    first: settings::REFRESH_AHEAD,
                    second: settings::BACKGROUND_REFRESH,
                    why: "background refresh is disabled, so nothing is refreshed ahead; set only one of the two".into(),
                });
            }
        }
        within_numbers(settings::MAX_BODY, self.max_body, 1024, 16 * 1024 * 1024)?;
        within_numbers(settings::MAX_KEYS, self.max_keys, 1, MAX_MAX_KEYS)
    }

    fn check_below_ttl(
        &self,
        setting: &'static Setting,
        value: Duration,
        below: bool,
    ) -> Result<(), ConfigError> {
        if below {
            return Ok(());
        }
        Err(ConfigError::Contradiction {
            first: setting,
            second: settings::JWKS_TTL,
            why: format!("{} exceeds the TTL of {}", InSeconds(value), InSeconds(self.ttl)),
        })
    }
}
