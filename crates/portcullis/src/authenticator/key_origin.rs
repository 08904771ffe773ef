//! The source of an issuer's keys, from the settings.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

use super::checks::without_password;
use super::config_error::ConfigError;
use super::key_settings::KeySettings;
use crate::clock::Clock;
use crate::crypto::Algorithms;
use crate::fetch::url::{UrlPolicy, parse_host};
use crate::fetch::{Client, Credential, Fetch, OriginCredential, Reach};
use crate::issuer::IssuerKeys;
use crate::key_source::KeySource;
use crate::profile::Profile;
use crate::remote::{self, Budget, Keeper, Location, RemoteKeySet};
use crate::settings::{self, Setting};

/// How often a file is read: reading is cheap, and a changed file should take effect quickly.
const FILE_TTL: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Default)]
pub(super) struct KeyOrigin {
    pub(super) jwks_url: Option<String>,
    pub(super) discovery_url: Option<String>,
    pub(super) jwks_file: Option<PathBuf>,
    pub(super) http_host: Option<String>,
    /// The hosts without a public address from which documents of a resolved issuer may be fetched.
    pub(super) private_hosts: Vec<String>,
    /// Whether documents may come from public addresses only, because tenants may choose the URLs.
    pub(super) public_only: bool,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) key_source: Option<GivenKeys>,
    pub(super) fetch: Option<Arc<dyn Fetch>>,
    /// The budget of key fetches. With `None`, the key set gets a separate budget.
    pub(super) budget: Option<Budget>,
    /// Stores the keys for the next start.
    pub(super) keeper: Option<Keeper>,
}

/// Keys that the application provides.
#[derive(Debug, Clone)]
pub(super) enum GivenKeys {
    /// A fetched set that several issuers share.
    Shared(RemoteKeySet),
    Source(Arc<dyn KeySource>),
}

impl GivenKeys {
    /// Recognizes a shared set by its type, so that it is treated like a set that is fetched here.
    pub(super) fn new(source: impl KeySource) -> Self {
        let any: &dyn Any = &source;
        let shared = any.downcast_ref::<RemoteKeySet>();
        let shared = shared.or_else(|| any.downcast_ref::<Arc<RemoteKeySet>>().map(AsRef::as_ref));
        match shared {
            Some(keys) => Self::Shared(keys.clone()),
            None => Self::Source(Arc::new(source)),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Shared(one), Self::Shared(other)) => one.is_same(other),
            (Self::Source(one), Self::Source(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl KeyOrigin {
    /// Whether both fetch the same keys with the same client. A client or key source is the same
    /// only if it is the same object.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        // All fields are destructured by name, so that a new one must be compared, too.
        let Self {
            jwks_url,
            discovery_url,
            jwks_file,
            http_host,
            private_hosts,
            public_only: _,
            ca_file,
            token_file,
            key_source,
            fetch,
            budget: _,
            keeper: _,
        } = self;
        *jwks_url == other.jwks_url
            && *discovery_url == other.discovery_url
            && *jwks_file == other.jwks_file
            && *http_host == other.http_host
            && *private_hosts == other.private_hosts
            && *ca_file == other.ca_file
            && *token_file == other.token_file
            && are_same(key_source.as_ref(), other.key_source.as_ref(), GivenKeys::is_same)
            && are_same(fetch.as_ref(), other.fetch.as_ref(), Arc::ptr_eq)
    }

    /// The configured key source. Nothing is fetched yet.
    pub(super) fn key_source(
        &self,
        issuer: &str,
        profile: &Profile,
        algorithms: &Algorithms,
        settings: &KeySettings,
        client: Option<&Client>,
        clock: &Arc<dyn Clock>,
    ) -> Result<IssuerKeys, ConfigError> {
        match (&self.key_source, client) {
            (Some(GivenKeys::Source(keys)), _) => Ok(IssuerKeys::Given(keys.clone())),
            (Some(GivenKeys::Shared(keys)), _) => {
                check_shared(keys, issuer, profile)?;
                let same_clock = keys.is_judged_by(clock);
                Ok(IssuerKeys::Shared { keys: keys.clone(), same_clock })
            }
            (None, Some(client)) => {
                let keys = self.fetched(issuer, profile, algorithms, settings, client, clock)?;
                Ok(IssuerKeys::Fetched(keys))
            }
            (None, None) => Err(no_client()),
        }
    }

    /// A key set that is fetched with `client`.
    pub(super) fn fetched(
        &self,
        issuer: &str,
        profile: &Profile,
        algorithms: &Algorithms,
        settings: &KeySettings,
        client: &Client,
        clock: &Arc<dyn Clock>,
    ) -> Result<RemoteKeySet, ConfigError> {
        let urls = UrlPolicy {
            // A `discovery_url` may name a proxy, so the profile's key hosts do not apply with it.
            key_hosts: profile.key_hosts().filter(|_| self.discovery_url.is_none()),
            ..client.urls.clone()
        };
        let location = self.location(issuer, profile, &urls)?;
        let mut limits = settings.limits();
        if matches!(location, Location::File(_)) {
            limits.shorten_ttl(FILE_TTL);
        }
        let credential = self.token_file.as_ref().and_then(|file| {
            let credential = Credential::Token(file.clone());
            Some(OriginCredential { origin: location.configured_url()?.origin(), credential })
        });
        Ok(RemoteKeySet::new(remote::Config {
            allowed: algorithms.clone(),
            limits,
            max_keys: settings.max_keys,
            client: Client { urls, credential, ..client.clone() },
            clock: clock.clone(),
            // The file itself is available at the next start, so its keys need not be stored.
            keeper: self.keeper.clone().filter(|_| !matches!(location, Location::File(_))).map(
                |keeper| {
                    let name =
                        if issuer.is_empty() { location.to_string() } else { issuer.to_owned() };
                    (keeper, name)
                },
            ),
            location,
            budget: self.budget.clone().unwrap_or_default(),
        }))
    }

    /// The HTTP client for all fetches of the issuer. `None` if nothing is fetched: the keys come
    /// from a `key_source` that is not a shared set, no `fetch` is set, and `lists` is `false`. An
    /// issuer with a shared set uses the client of the set, unless the settings have another
    /// client.
    pub(super) fn client(
        &self,
        max_body: usize,
        lists: bool,
    ) -> Result<Option<Client>, ConfigError> {
        self.check_alternatives()?;
        let reach = self.reach()?;
        let max_body_setting = Some(settings::MAX_BODY);
        let http_host = self.allowed_host()?;
        let is_own = self.fetch.is_some() || self.ca_file.is_some();
        let (fetch, http_host) = match &self.key_source {
            // If tenants may choose URLs, the set's client is not used: the issuer's other URLs
            // need a client that is limited to `reach`.
            Some(GivenKeys::Shared(keys)) if !is_own && reach == Reach::Anywhere => {
                let client = keys.client();
                (client.fetch.clone(), http_host.or_else(|| client.urls.http_host.clone()))
            }
            Some(GivenKeys::Source(_)) if self.fetch.is_none() && !lists => return Ok(None),
            _ => (self.http_client(&reach)?, http_host),
        };
        let urls = UrlPolicy { http_host, key_hosts: None, reach };
        Ok(Some(Client { fetch, max_body, max_body_setting, urls, credential: None }))
    }

    /// Checks that the settings name only one source of keys.
    fn check_alternatives(&self) -> Result<(), ConfigError> {
        let file = self.jwks_file.as_ref().map(|path| path.display().to_string());
        let places = [
            (settings::JWKS_URL, &self.jwks_url),
            (settings::DISCOVERY_URL, &self.discovery_url),
            (settings::JWKS_FILE, &file),
        ];
        let mut set =
            places.into_iter().filter_map(|(setting, value)| Some((setting, value.as_ref()?)));
        if let (Some((first, _)), Some((second, _))) = (set.next(), set.next()) {
            let why = "keys come from one source; set only one of the two".to_owned();
            return Err(ConfigError::Contradiction { first, second, why });
        }
        let named =
            places.into_iter().find_map(|(setting, value)| Some((setting, value.as_ref()?)));
        if let (Some((setting, value)), true) = (named, self.key_source.is_some()) {
            let expected = "remove it: nothing is fetched if `key_source` is set";
            return Err(ConfigError::invalid(setting, value, expected));
        }
        if let (Some(path), true) = (&self.ca_file, self.fetch.is_some()) {
            let expected = "it applies to the default HTTP client only; configure trust in the client given to `fetch`";
            return Err(ConfigError::invalid(
                settings::CA_FILE,
                path.display().to_string(),
                expected,
            ));
        }
        Ok(())
    }

    fn location(
        &self,
        issuer: &str,
        profile: &Profile,
        urls: &UrlPolicy,
    ) -> Result<Location, ConfigError> {
        let secure = |setting, value| secure_url(setting, value, urls);
        if let Some(path) = &self.jwks_file {
            return Ok(Location::File(path.clone()));
        }
        if let Some(url) = &self.jwks_url {
            return Ok(Location::Fixed(secure(settings::JWKS_URL, url)?));
        }
        if let Some(url) = &self.discovery_url {
            let metadata = Some(secure(settings::DISCOVERY_URL, url)?);
            return Ok(Location::Discovered { issuer: issuer.to_owned(), metadata });
        }
        let url = secure(settings::ISSUER, issuer)?;
        if url.query().is_some() || url.fragment().is_some() {
            // RFC 8414 §2.
            let expected = "an issuer URL must not have a query or fragment";
            return Err(ConfigError::invalid(settings::ISSUER, issuer, expected));
        }
        let metadata = match profile.metadata_of(issuer) {
            Some(url) => Some(secure(settings::ISSUER, &url)?),
            None => None,
        };
        Ok(Location::Discovered { issuer: issuer.to_owned(), metadata })
    }

    /// The host that documents may be fetched from over plain http.
    fn allowed_host(&self) -> Result<Option<Host>, ConfigError> {
        let Some(text) = &self.http_host else { return Ok(None) };
        parse_host(text).map(Some).ok_or_else(|| {
            let expected = "it must be one host name or address, without scheme, port or path";
            ConfigError::invalid(settings::ALLOW_HTTP_HOST, text, expected)
        })
    }

    /// The hosts that may be connected to.
    fn reach(&self) -> Result<Reach, ConfigError> {
        if !self.public_only {
            return Ok(Reach::Anywhere);
        }
        let host = |text: &String| {
            parse_host(text).ok_or_else(|| ConfigError::PrivateHost { host: text.clone() })
        };
        let except = self.private_hosts.iter().map(host).collect::<Result<_, _>>()?;
        Ok(Reach::Public { except })
    }

    fn http_client(&self, reach: &Reach) -> Result<Arc<dyn Fetch>, ConfigError> {
        if let Some(fetch) = &self.fetch {
            return Ok(fetch.clone());
        }
        #[cfg(feature = "reqwest-no-provider")]
        return crate::fetch::ReqwestFetch::within(reach.clone())
            .map(|fetch| match &self.ca_file {
                Some(path) => Arc::new(fetch.trusting(path)) as Arc<dyn Fetch>,
                None => Arc::new(fetch),
            })
            .map_err(|source| ConfigError::NoHttpClient { reason: source.to_string() });
        #[cfg(not(feature = "reqwest-no-provider"))]
        {
            let _ = reach;
            let reason = "the feature `reqwest` is disabled, and no `fetch` is set".to_owned();
            Err(ConfigError::NoHttpClient { reason })
        }
    }
}

/// Checks a shared set that was discovered. It belongs to one issuer, and must respect the key
/// hosts of the issuer's profile, like a set that is discovered for this issuer alone.
fn check_shared(keys: &RemoteKeySet, issuer: &str, profile: &Profile) -> Result<(), ConfigError> {
    let Location::Discovered { issuer: of, metadata } = keys.location() else { return Ok(()) };
    if of != issuer {
        let expected = format!(
            "the URL of its `key_source` was discovered at {of}; for keys that several issuers \
             share, set the URL with `RemoteKeySet::at`"
        );
        return Err(ConfigError::invalid(settings::ISSUER, issuer, expected));
    }
    let hosts = keys.client().urls.key_hosts;
    // A `discovery_url` may name a proxy, so the profile's key hosts do not apply with it.
    let is_named = metadata.is_some() && hosts.is_none();
    if profile.key_hosts().is_some() && hosts != profile.key_hosts() && !is_named {
        let expected = "this profile restricts the hosts of the keys, but the issuer's \
                        `key_source` was built without that restriction; set the same \
                        profile with `RemoteKeySetBuilder::profile`";
        return Err(ConfigError::invalid(settings::PROFILE, profile.name(), expected));
    }
    Ok(())
}

pub(super) fn no_client() -> ConfigError {
    ConfigError::NoHttpClient { reason: "none is set".to_owned() }
}

fn are_same<T>(one: Option<&T>, other: Option<&T>, is_same: fn(&T, &T) -> bool) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => is_same(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

pub(super) fn secure_url(
    setting: &'static Setting,
    value: &str,
    urls: &UrlPolicy,
) -> Result<Url, ConfigError> {
    Url::parse(value).ok().filter(|url| urls.allows(url)).ok_or_else(|| {
        let expected = "it must be an https URL without a password, or an http URL with a loopback \
                        host (localhost, 127.0.0.1, [::1]) or the host in allow_http_host";
        ConfigError::invalid(setting, without_password(value), expected)
    })
}
