//! What can be wrong with a configuration.

use crate::remote::fetch::FetchError;
use crate::settings::Setting;

/// Why an [`Authenticator`](crate::Authenticator) could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A compulsory setting is absent.
    #[error("{setting} is not set: {}", .setting.meaning)]
    Missing {
        /// The setting.
        setting: &'static Setting,
    },
    /// A setting has a value that can not be right.
    #[error("{setting} is {value:?}: {expected}")]
    Invalid {
        /// The setting.
        setting: &'static Setting,
        /// The offending value.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// A variable still has the name that it had before the family was renamed.
    #[error("{variable} is no longer read: rename it to {renamed}")]
    Renamed {
        /// The variable.
        variable: String,
        /// Its name now.
        renamed: String,
    },
    /// Two settings can not both hold.
    #[error("{first} and {second} contradict each other: {why}")]
    Contradiction {
        /// One of the two.
        first: &'static Setting,
        /// The other one.
        second: &'static Setting,
        /// What would be right.
        why: String,
    },
    /// The issuer's keys could not be fetched at start.
    ///
    /// [`start_without_keys`](crate::AuthenticatorBuilder::start_without_keys) makes the service
    /// start all the same, and answer 503 until they can be.
    #[error("the keys of {issuer} could not be fetched")]
    KeysUnavailable {
        /// The issuer.
        issuer: String,
        /// What went wrong.
        source: FetchError,
    },
    /// There is nothing to fetch the keys with.
    #[error("no HTTP client to fetch keys with: {reason}")]
    NoHttpClient {
        /// Why there is none.
        reason: String,
    },
}

impl ConfigError {
    pub(crate) fn invalid(
        setting: &'static Setting,
        value: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Invalid { setting, value: value.into(), expected: expected.into() }
    }
}
