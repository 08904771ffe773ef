//! What can be wrong with a configuration.

use crate::causes::debug_with_causes;
use crate::fetch::FetchError;
use crate::settings::Setting;

/// Why an [`Authenticator`](crate::Authenticator) could not be built.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A compulsory setting is absent.
    #[error("{setting} is not set: {}", .setting.meaning)]
    #[non_exhaustive]
    Missing {
        /// The setting.
        setting: &'static Setting,
    },
    /// A setting has a value that can not be right.
    #[error("{setting} is {value:?}: {expected}")]
    #[non_exhaustive]
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
    #[non_exhaustive]
    Renamed {
        /// The variable.
        variable: String,
        /// Its name now.
        renamed: String,
    },
    /// A variable is no longer read, because another setting has taken its place.
    #[error("{variable} is no longer read: set {}={value}", .setting.variable)]
    Replaced {
        /// The variable.
        variable: String,
        /// The setting that has taken its place.
        setting: &'static Setting,
        /// The value of that setting with the same meaning.
        value: String,
    },
    /// Two settings can not both hold.
    #[error("{first} and {second} contradict each other: {why}")]
    #[non_exhaustive]
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
    #[non_exhaustive]
    KeysUnavailable {
        /// The issuer.
        issuer: String,
        /// What went wrong.
        source: FetchError,
    },
    /// A setting of one of several issuers is wrong.
    #[error("of the issuer {issuer}: {problem}")]
    #[non_exhaustive]
    OfIssuer {
        /// The issuer.
        issuer: String,
        /// What is wrong.
        #[source]
        problem: Box<ConfigError>,
    },
    /// A gate asks the issuer about each token, and this issuer cannot be asked.
    #[error(
        "a gate asks the issuer about each token (`Revocation::live`), and {issuer} has no \
         `introspection_url`: set it, and what goes with it, for every issuer of the gate"
    )]
    #[non_exhaustive]
    NoIntrospection {
        /// The issuer.
        issuer: String,
    },
    /// A host that a resolved issuer's documents may come from is none.
    #[error(
        "allow_private_host is {host:?}: it must be one host name or address, without scheme, port \
         or path"
    )]
    #[non_exhaustive]
    PrivateHost {
        /// What was named.
        host: String,
    },
    /// A setting of the first issuer was set, and there is none: all issuers are a resolver's.
    #[error(
        "{method} is a setting of one issuer, and this builder has none: set it on the \
         `IssuerSettings` that the resolver answers with"
    )]
    #[non_exhaustive]
    NoFirstIssuer {
        /// The method of the builder.
        method: &'static str,
    },
    /// There is nothing to fetch the keys with.
    #[error("no HTTP client to fetch keys with: {reason}")]
    #[non_exhaustive]
    NoHttpClient {
        /// Why there is none.
        reason: String,
    },
}

impl ConfigError {
    /// Names the issuer whose setting it is.
    pub(crate) fn of(self, issuer: &str) -> Self {
        Self::OfIssuer { issuer: issuer.to_owned(), problem: Box::new(self) }
    }

    pub(crate) fn invalid(
        setting: &'static Setting,
        value: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Invalid { setting, value: value.into(), expected: expected.into() }
    }
}

debug_with_causes!(ConfigError);
