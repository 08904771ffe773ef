//! The errors of a configuration.

use crate::causes::debug_with_causes;
use crate::fetch::FetchError;
use crate::revocation::feed::StoreError;
use crate::settings::Setting;

/// An error in the configuration of an [`Authenticator`](crate::Authenticator).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A required setting is missing.
    #[error("{setting} is not set: {}", .setting.meaning)]
    #[non_exhaustive]
    Missing {
        /// The setting.
        setting: &'static Setting,
    },
    /// A setting has an invalid value.
    #[error("{setting} is {value:?}: {expected}")]
    #[non_exhaustive]
    Invalid {
        /// The setting.
        setting: &'static Setting,
        /// The invalid value.
        value: String,
        /// What was expected.
        expected: String,
    },
    /// A variable has the former prefix, from before the product was renamed.
    #[error("{variable} is no longer supported; rename it to {renamed}")]
    #[non_exhaustive]
    Renamed {
        /// The variable.
        variable: String,
        /// The current name.
        renamed: String,
    },
    /// A variable is no longer read, because another setting replaced it.
    #[error("{variable} is no longer supported; set {}={value}", .setting.variable)]
    Replaced {
        /// The variable.
        variable: String,
        /// The setting that replaced it.
        setting: &'static Setting,
        /// The value of that setting with the same meaning.
        value: String,
    },
    /// Two settings contradict each other.
    #[error("{first} and {second} contradict each other: {why}")]
    #[non_exhaustive]
    Contradiction {
        /// One of the two settings.
        first: &'static Setting,
        /// The other setting.
        second: &'static Setting,
        /// Why they contradict each other, and what was expected.
        why: String,
    },
    /// The issuer's keys could not be fetched at start.
    ///
    /// With [`start_without_keys`](crate::AuthenticatorBuilder::start_without_keys), the service
    /// starts anyway and answers 503 until the fetch succeeds.
    #[error("the keys of {issuer} could not be fetched")]
    #[non_exhaustive]
    KeysUnavailable {
        /// The issuer.
        issuer: String,
        /// The cause.
        source: FetchError,
    },
    /// A setting of one of several issuers is invalid.
    #[error("issuer {issuer}: {problem}")]
    #[non_exhaustive]
    OfIssuer {
        /// The issuer.
        issuer: String,
        /// The error in that setting.
        #[source]
        problem: Box<ConfigError>,
    },
    /// A gate requires introspection, which is not configured for this issuer.
    #[error(
        "the gate requires introspection (`Revocation::live`), but issuer {issuer} has no \
         `introspection_url`; set it for every issuer of the gate"
    )]
    #[non_exhaustive]
    NoIntrospection {
        /// The issuer.
        issuer: String,
    },
    /// A gate requires the revocation feed, but the authenticator has no
    /// [`revocations`](crate::AuthenticatorBuilder::revocations).
    #[error(
        "the gate requires the revocation feed (`Revocation::feed`), but the authenticator has no \
         `revocations`; set them on its builder"
    )]
    NoRevocations,
    /// The authenticator has revocations, but no setting limits the lifetime of the issuer's
    /// tokens.
    #[error(
        "`revocations` is set, but issuer {issuer} has neither `max_token_lifetime` nor \
         `max_token_age`, so that a revocation would have to be kept forever; set one of them"
    )]
    #[non_exhaustive]
    NoTokenLifetime {
        /// The issuer.
        issuer: String,
    },
    /// The store of the revocations could lose entries.
    #[error("the revocation store cannot be used")]
    #[non_exhaustive]
    RevocationStore {
        /// The cause, with the setting of the store.
        source: StoreError,
    },
    /// A receiver of logout tokens was created, and no issuer has
    /// [`logout_clients`](crate::IssuerSettings::logout_clients) or
    /// [`event_audiences`](crate::IssuerSettings::event_audiences).
    #[error(
        "no logout token or security event token could be accepted: set `revocations`, and the \
         `logout_clients` or the `event_audiences` of at least one issuer"
    )]
    NoLogoutClients,
    /// A host of `allow_private_host` is not a valid host name or address.
    #[error(
        "allow_private_host is {host:?}: it must be one host name or address, without scheme, port \
         or path"
    )]
    #[non_exhaustive]
    PrivateHost {
        /// The invalid value.
        host: String,
    },
    /// A setting of the first issuer was set on a builder whose issuers all come from a resolver.
    #[error(
        "{method} is a setting of one issuer, but this builder has none; set it on the \
         `IssuerSettings` that the resolver returns"
    )]
    #[non_exhaustive]
    NoFirstIssuer {
        /// The method of the builder.
        method: &'static str,
    },
    /// No HTTP client is available to fetch the keys.
    #[error("no HTTP client for fetching keys: {reason}")]
    #[non_exhaustive]
    NoHttpClient {
        /// The reason.
        reason: String,
    },
    /// No [crypto provider](crate::crypto) is available to verify signatures.
    #[error(
        "no crypto provider for verifying signatures: {reason}; enable the feature `aws-lc`, or set \
         another `crypto_provider`"
    )]
    #[non_exhaustive]
    NoCryptoProvider {
        /// The reason.
        reason: String,
    },
}

impl ConfigError {
    /// Adds the name of the issuer that the setting belongs to.
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
