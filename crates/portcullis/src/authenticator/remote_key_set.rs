//! The builder of a [`RemoteKeySet`] that several issuers share.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::builder::KeptKeysSetting;
use super::checks::{not_empty, not_quoted};
use super::config_error::ConfigError;
use super::issuer_settings::IssuerSettings;
use super::of_issuer::of_issuer;
use super::start::first_keys;
use crate::algorithm::Algorithm;
use crate::clock::{Clock, default_clock};
use crate::crypto::{CryptoProvider, Provider};
use crate::fetch::Fetch;
use crate::issuer::IssuerKeys;
use crate::kept_keys::KeptKeys;
use crate::profile::Profile;
use crate::remote::RemoteKeySet;
use crate::settings;

/// Builds a [`RemoteKeySet`].
///
/// It has the key settings of [`IssuerSettings`](crate::IssuerSettings), with the same defaults and
/// bounds. It reads no environment variables.
#[derive(Clone)]
#[must_use = "nothing is checked or fetched before `build`"]
pub struct RemoteKeySetBuilder {
    /// The settings of the set. Only the key settings are used.
    issuer: IssuerSettings,
    is_discovered: bool,
    pub(super) clock: Arc<dyn Clock>,
    kept_keys: Option<KeptKeysSetting>,
}

impl RemoteKeySet {
    /// Creates a builder with the URL of the key set: https, or http on this machine.
    pub fn at(jwks_url: impl Into<String>) -> RemoteKeySetBuilder {
        RemoteKeySetBuilder::new(IssuerSettings::of_keys("").jwks_url(jwks_url), false)
    }

    /// Creates a builder that discovers the key set from an issuer's metadata, which is below the
    /// issuer's URL. The metadata must contain `issuer`, byte for byte.
    ///
    /// The set then belongs to this issuer: [`IssuerSettings`](crate::IssuerSettings) of another
    /// issuer reject it. For issuers that share keys, use [`at`](Self::at).
    pub fn discover(issuer: impl Into<String>) -> RemoteKeySetBuilder {
        RemoteKeySetBuilder::new(IssuerSettings::of_keys(issuer), true)
    }

    /// Creates a builder for a file, which is read again every few seconds.
    pub fn in_file(path: impl Into<PathBuf>) -> RemoteKeySetBuilder {
        RemoteKeySetBuilder::new(IssuerSettings::of_keys("").jwks_file(path), false)
    }
}

of_issuer! {
    RemoteKeySetBuilder, ".";
    discovery_url(url: impl Into<String>);
    allow_http_host(host: impl Into<String>);
    allow_private_host(host: impl Into<String>);
    ca_file(path: impl Into<PathBuf>);
    fetch_token_file(path: impl Into<PathBuf>);
    jwks_ttl(ttl: Duration);
    min_ttl(min_ttl: Duration);
    refresh_ahead(ahead: Duration);
    without_background_refresh();
    obey_no_cache();
    max_body_bytes(bytes: usize);
    max_keys(keys: usize);
    max_stale(max_stale: Duration);
    cooldown(cooldown: Duration);
    fetch_timeout(timeout: Duration);
    fetch(fetch: impl Fetch);
}

impl RemoteKeySetBuilder {
    fn new(issuer: IssuerSettings, is_discovered: bool) -> Self {
        Self { issuer, is_discovered, clock: default_clock(), kept_keys: None }
    }

    fn of_issuer(
        mut self,
        _setting: &'static str,
        change: impl FnOnce(IssuerSettings) -> IssuerSettings,
    ) -> Self {
        self.issuer = change(self.issuer);
        self
    }

    /// Fetches from public addresses only, as for the issuers of an
    /// [`IssuerResolver`](crate::config::IssuerResolver): for a URL or an issuer that a tenant
    /// chose.
    ///
    /// By default, any address is allowed.
    pub fn public_addresses_only(mut self) -> Self {
        self.issuer.origin.public_only = true;
        self
    }

    /// Imports keys for these algorithms only: by default, all asymmetric ones that the [crypto
    /// provider](Self::crypto_provider) supports. Each issuer that uses the set also has its own list
    /// of accepted algorithms.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.issuer = self.issuer.algorithms(algorithms);
        self
    }

    /// Discovers the keys as for an issuer with this profile. The profile may determine the URL of
    /// the metadata and the hosts of the keys.
    ///
    /// [`IssuerSettings`](crate::IssuerSettings) with such a profile reject a set that was
    /// discovered without it.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.issuer = self.issuer.profile(profile);
        self
    }

    /// Builds the set even if the keys cannot be fetched yet. An authenticator with this set still
    /// fails to start without keys, unless it has this setting, too.
    pub fn start_without_keys(mut self) -> Self {
        self.issuer = self.issuer.start_without_keys();
        self
    }

    /// Stores the key set in a file, like
    /// [`AuthenticatorBuilder::kept_keys_file`](crate::AuthenticatorBuilder::kept_keys_file).
    ///
    /// Use a separate file for this set.
    pub fn kept_keys_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.kept_keys = Some(KeptKeysSetting::File(path.into()));
        self
    }

    /// Stores the key set in `store`, as [`kept_keys_file`](Self::kept_keys_file) does in a file.
    pub fn kept_keys(mut self, store: impl KeptKeys) -> Self {
        self.kept_keys = Some(KeptKeysSetting::Elsewhere(Arc::new(store)));
        self
    }

    /// Sets the [crypto provider](crate::crypto): aws-lc by default. Without the feature `aws-lc`
    /// there is no default.
    ///
    /// An authenticator with another provider parses the keys again with its own. A key that this
    /// provider cannot use is skipped for all authenticators that use the set.
    pub fn crypto_provider(mut self, provider: &'static dyn CryptoProvider) -> Self {
        self.issuer.crypto = Some(Provider::new(provider));
        self
    }

    /// Sets the clock that the age of the set is computed with.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the settings and fetches the keys.
    ///
    /// # Errors
    ///
    /// An error if a setting is invalid, with its name, its value and what was expected. Unless
    /// [`start_without_keys`](Self::start_without_keys) is set, also an error if the keys cannot be
    /// fetched and no keys of an earlier run are usable.
    ///
    /// # Panics
    ///
    /// Panics on a tokio runtime without timers or I/O: fetches need both.
    pub async fn build(self) -> Result<RemoteKeySet, ConfigError> {
        let Self { issuer: mut of_keys, is_discovered, clock, kept_keys } = self;
        if is_discovered {
            not_empty(settings::ISSUER, &of_keys.issuer)?;
            not_quoted(settings::ISSUER, &of_keys.issuer)?;
        }
        of_keys.check_keys()?;
        let keeper = match kept_keys {
            Some(setting) => Some(setting.open().await?),
            None => None,
        };
        of_keys.origin.keeper = keeper.clone();
        let keys = of_keys.remote_key_set(&clock)?;
        let location = keys.location().to_string();
        let fetched = IssuerKeys::Fetched(keys.clone());
        match first_keys(&location, &fetched, &*clock).await {
            Err(source) if !of_keys.start_without_keys => {
                return Err(ConfigError::KeysUnavailable { issuer: location, source });
            }
            _ => {}
        }
        if let Some(keeper) = keeper {
            keeper.retain(&[&location]);
        }
        Ok(keys)
    }
}

impl fmt::Debug for RemoteKeySetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeySetBuilder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
