//! Builds an [`Authenticator`]: checks the settings, then fetches the keys.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::runtime::Handle;

use super::checks::{
    check_cookie_name, check_origin, check_places, not_empty, not_quoted, within, within_numbers,
};
use super::config_error::ConfigError;
use super::issuer_settings::IssuerSettings;
use super::issuers::Issuers;
use super::key_origin::{GivenKeys, no_client, secure_url};
use super::start::{first_keys, start_without};
use super::{Authenticator, AuthenticatorBuilder, Inner};
use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::credentials::{Credentials, Place};
use crate::crypto::{Algorithms, Provider};
use crate::duration::InSeconds;
use crate::fetch::Client;
use crate::issuer::{Audiences, ClaimsRules, TrustedIssuer};
use crate::jws::{KnownHeaders, MAX_TOKEN_BOUNDS};
use crate::key_source::KeySetStatus;
use crate::metrics;
use crate::refusal::{ProtectionSpace, Tally};
use crate::remote::RemoteKeySet;
use crate::remote::status_list::MAX_TOKEN_BYTES;
use crate::resource::{ProtectedResource, Resource};
use crate::revocation::feed::{Lifetimes, TokenFeed};
use crate::revocation::{Introspections, StatusLists};
use crate::settings::{self, Setting};
use crate::streams::{Renews, SessionsUnderWay};
use crate::token_cache::{self, TokenCache};

/// The divisor for the warning about a large leeway: a warning is logged if the leeway exceeds the
/// maximum lifetime of tokens divided by this number.
const LARGE_LEEWAY: u32 = 10;

impl AuthenticatorBuilder {
    /// Checks the settings and fetches the keys.
    ///
    /// # Errors
    ///
    /// An error if a setting is invalid, with its name, its value and what was expected. Unless
    /// [`start_without_keys`](Self::start_without_keys) is set, also an error if the keys of no
    /// issuer can be fetched and no keys of an [earlier run](Self::kept_keys_file) are usable. With
    /// several issuers, an unreachable issuer alone is not an error, but an invalid response is.
    ///
    /// # Panics
    ///
    /// Panics on a tokio runtime without timers or I/O: fetches need both.
    pub async fn build(mut self) -> Result<Authenticator, ConfigError> {
        self.check()?;
        // Issuers of a resolver are set up later, when a token names them.
        usable(self.crypto)?;
        let has_cookie = self.credentials.cookie.is_some();
        self.credentials.places = check_places(self.token_places, has_cookie)?;
        let resource = self.resource.take();
        if let Some(revocations) = &self.revocations {
            revocations.adopt(&self.clock);
            metrics::feed_begins();
        }
        let keeper = match self.kept_keys.take() {
            Some(setting) => Some(setting.open().await?),
            None => None,
        };
        let (mut trusted, mut away): (Vec<Arc<TrustedIssuer>>, Vec<_>) = Default::default();
        let may_wait_for_all = self.issuer.as_ref().is_some_and(|first| first.start_without_keys);
        let is_alone = self.issuer.iter().len() + self.others.len() == 1;
        for mut of_one in self.issuer.take().into_iter().chain(self.others) {
            of_one.origin.keeper = keeper.clone();
            of_one.revocations = self.revocations.clone();
            of_one.crypto = self.crypto;
            let may_wait = may_wait_for_all || of_one.start_without_keys;
            let name = of_one.issuer.clone();
            let issuer = of_one.trusted_issuer(&self.clock);
            let issuer = issuer.map_err(|error| if is_alone { error } else { error.of(&name) })?;
            if trusted.iter().any(|other| other.name() == issuer.name()) {
                let expected = "this issuer is configured twice; give it one `IssuerSettings`";
                return Err(ConfigError::invalid(settings::ISSUER, issuer.name(), expected));
            }
            match first_keys(issuer.name(), &issuer.keys, &*self.clock).await {
                Err(source) if !may_wait && source.is_outage() => {
                    away.push((issuer.name().to_owned(), source));
                }
                Err(source) if !may_wait => {
                    let issuer = issuer.name().to_owned();
                    return Err(ConfigError::KeysUnavailable { issuer, source });
                }
                _ => {}
            }
            let rules = &issuer.rules;
            let keys = issuer.keys.source().status();
            let secs = |duration: Option<_>| duration.map(InSeconds).map(tracing::field::display);
            let bound = |of: fn(&KeySetStatus) -> Duration| secs(keys.as_ref().map(of));
            tracing::info!(
                target: "portcullis",
                issuer = rules.issuer, audiences = ?rules.audiences, profile = rules.profile.name(),
                leeway = %InSeconds(rules.leeway), max_token_lifetime = secs(rules.max_token_lifetime),
                max_token_age = secs(rules.max_token_age), required_claims = ?rules.required_claims,
                revocation_bound = secs(rules.revocation_bound()),
                cache_control = issuer.keys.obey_no_cache().map(cache_control),
                withdrawal_bound = bound(|keys| keys.withdrawal_bound),
                withdrawal_bound_in_outage = bound(|keys| keys.withdrawal_bound_in_outage),
                "issuer configured",
            );
            rules.warn_of_audiences();
            trusted.push(Arc::new(issuer));
        }
        start_without(away, &trusted)?;
        if let Some(revocations) = &self.revocations {
            let started = revocations.start().await;
            started.map_err(|source| ConfigError::RevocationStore { source })?;
        }
        let names: Vec<&str> = trusted.iter().map(|issuer| issuer.name()).collect();
        if let Some(keeper) = &keeper {
            keeper.retain(&names);
        }
        // Fetches need timers, so a runtime on which keys were fetched has timers.
        let are_fetched = trusted.iter().any(|issuer| issuer.keys.are_fetched());
        let runtime = Handle::try_current().ok();
        let streams = Arc::new(SessionsUnderWay::new(self.clock.clone()));
        let space = ProtectionSpace {
            resource: resource
                .map(|resource| published(&resource, &names, &self.credentials))
                .transpose()?,
            realm: self.realm,
            write_body: self.write_body,
            clock: self.clock.clone(),
            tally: Tally::new(self.clock.clone(), runtime.clone().filter(|_| are_fetched)),
            streams: streams.clone(),
        };
        let inner = Arc::new(Inner {
            credentials: Arc::new(self.credentials),
            issuers: Issuers::new(
                trusted,
                self.resolver,
                self.clock,
                self.revocations.clone(),
                self.crypto,
            ),
            revocations: self.revocations,
            space: Arc::new(space),
            headers: KnownHeaders::new(),
            seen: TokenCache::new(self.token_cache),
            tokens: metrics::Tokens::new(),
            max_token_bytes: self.max_token_bytes,
            runtime,
        });
        let home: Arc<dyn Renews> = inner.clone();
        streams.belongs_to(&home);
        Ok(Authenticator(inner))
    }

    /// Checks the settings of the service.
    fn check(&self) -> Result<(), ConfigError> {
        if let Some(method) = self.misplaced {
            return Err(ConfigError::NoFirstIssuer { method });
        }
        if self.token_cache != 0 {
            let (min, max) = token_cache::BOUNDS;
            within_numbers(settings::TOKEN_CACHE, self.token_cache, min, max)?;
        }
        let (min, max) = MAX_TOKEN_BOUNDS;
        within_numbers(settings::MAX_TOKEN_BYTES, self.max_token_bytes, min, max)?;
        if let Some(name) = &self.credentials.cookie {
            check_cookie_name(name)?;
        }
        for origin in &self.credentials.trusted_origins {
            check_origin(origin)?;
        }
        Ok(())
    }
}

/// The effect of a server's `Cache-Control` on the TTL and `max_stale`, for the log.
fn cache_control(obeys_no_cache: bool) -> &'static str {
    if obeys_no_cache {
        "max-age, no-cache, no-store and must-revalidate are obeyed (obey_no_cache)"
    } else {
        "only a positive max-age is obeyed; it may shorten jwks_ttl"
    }
}

fn published(
    resource: &ProtectedResource,
    issuers: &[&str],
    credentials: &Credentials,
) -> Result<Resource, ConfigError> {
    let by_header = credentials.places.contains(&Place::Authorization);
    resource.at(issuers, by_header).ok_or_else(|| {
        let expected = "it must be an https URL (http on this machine) without a fragment";
        ConfigError::invalid(settings::RESOURCE, &resource.identifier, expected)
    })
}

/// Returns the provider, if it supports any algorithm.
fn usable(provider: Option<Provider>) -> Result<Provider, ConfigError> {
    let unusable = |reason: String| ConfigError::NoCryptoProvider { reason };
    let provider = provider.ok_or_else(|| {
        unusable("the feature `aws-lc` is disabled, and no `crypto_provider` is set".into())
    })?;
    if provider.algorithms().next().is_none() {
        let name = provider.name();
        return Err(unusable(format!("{name} supports no algorithm on this machine")));
    }
    Ok(provider)
}

impl IssuerSettings {
    /// Creates the issuer from these settings. Nothing is fetched yet.
    pub(super) fn trusted_issuer(
        self,
        clock: &Arc<dyn Clock>,
    ) -> Result<TrustedIssuer, ConfigError> {
        self.check()?;
        let algorithms = self.allowed()?;
        let client = {
            let needed = self.status_lists.is_some() || self.introspection.are_set();
            self.origin.client(self.keys.max_body, needed)?
        };
        let keys = self.origin.key_source(
            &self.issuer,
            &self.profile,
            &algorithms,
            &self.keys,
            client.as_ref(),
            clock,
        )?;
        let introspector = self.introspection.introspector(
            &self.issuer,
            client.as_ref(),
            self.keys.fetch_timeout,
            clock,
        )?;
        let status_lists = StatusLists::new(
            self.place_of_status_lists(client)?,
            &self.issuer,
            keys.shared(),
            &algorithms,
            [self.leeway, self.keys.fetch_timeout],
            clock,
        );
        let rules = ClaimsRules {
            issuer: self.issuer,
            audiences: if self.any_audience {
                Audiences::Any
            } else {
                Audiences::Named(self.audiences)
            },
            leeway: self.leeway,
            max_token_lifetime: self.max_token_lifetime,
            max_token_age: self.max_token_age,
            required_claims: self.required_claims,
            profile: self.profile,
        };
        if let Some(bound) = rules.revocation_bound() {
            metrics::revocation_bound(&rules.issuer, bound);
        }
        let introspections = Introspections::new(introspector);
        let feed = match self.revocations {
            None => None,
            Some(revocations) => {
                let Some(bound) = rules.revocation_bound() else {
                    return Err(ConfigError::NoTokenLifetime { issuer: rules.issuer });
                };
                let lifetimes = Lifetimes { leeway: rules.leeway, bound };
                let entries = revocations.of_issuer(&rules.issuer, lifetimes);
                let expects_logouts = self.logout.accept_any();
                Some(TokenFeed {
                    revocations,
                    entries,
                    session_at: self.session_at,
                    logout_match: expects_logouts.then_some(self.logout.matches),
                    leeway: rules.leeway,
                })
            }
        };
        Ok(TrustedIssuer {
            rule_set: None,
            made_from: None,
            rules,
            algorithms,
            keys,
            status_lists,
            introspections,
            feed,
            logout: self.logout,
            forgotten: AtomicBool::new(false),
        })
    }

    /// The URL prefix of the issuer's status lists: the setting or, without it, the issuer's own
    /// URL.
    fn place_of_status_lists(
        &self,
        client: Option<Client>,
    ) -> Result<Option<(String, Client)>, ConfigError> {
        let Some(client) = client else { return Ok(None) };
        let credential = self.introspection.credential_for_status_lists()?;
        let client =
            Client { max_body: MAX_TOKEN_BYTES, max_body_setting: None, credential, ..client };
        let prefix = match &self.status_lists {
            Some(prefix) => secure_url(settings::STATUS_LISTS, prefix, &client.urls)?.to_string(),
            None => format!("{}/", self.issuer.trim_end_matches('/')),
        };
        Ok(Some((prefix, client)))
    }

    /// Checks the settings, without any I/O.
    fn check(&self) -> Result<(), ConfigError> {
        not_empty(settings::ISSUER, &self.issuer)?;
        not_quoted(settings::ISSUER, &self.issuer)?;
        self.check_any_audience()?;
        for audience in &self.audiences {
            not_empty(settings::AUDIENCE, audience)?;
            not_quoted(settings::AUDIENCE, audience)?;
        }
        for name in &self.required_claims {
            not_empty(settings::REQUIRED_CLAIMS, name)?;
        }
        if self.session_at.is_empty() || self.session_at.iter().any(String::is_empty) {
            let expected = "name a claim, or the path of a nested one";
            return Err(ConfigError::invalid(
                settings::SESSION_AT,
                self.session_at.join("."),
                expected,
            ));
        }
        for id in &self.logout.clients {
            not_empty(settings::LOGOUT_CLIENTS, id)?;
        }
        for audience in &self.logout.event_audiences {
            not_empty(settings::EVENT_AUDIENCES, audience)?;
        }
        self.check_keys()?;
        self.check_times()
    }

    /// Checks that the settings either name audiences or accept any audience, but not both.
    fn check_any_audience(&self) -> Result<(), ConfigError> {
        if !self.any_audience {
            return if self.audiences.is_empty() {
                Err(ConfigError::Missing { setting: settings::AUDIENCE })
            } else {
                Ok(())
            };
        }
        if !self.audiences.is_empty() {
            let expected = "leave it out: `dangerous::any_audience` accepts every audience; to require \
                            one, use `IssuerSettings::new`";
            return Err(ConfigError::invalid(
                settings::AUDIENCE,
                self.audiences.join(", "),
                expected,
            ));
        }
        if self.profile.accepts_id_tokens() {
            return Err(ConfigError::Contradiction {
                first: settings::AUDIENCE,
                second: settings::PROFILE,
                why: format!(
                    "profile `{}` accepts ID tokens, and `dangerous::any_audience` accepts those of \
                     every client of the issuer; name the audience",
                    self.profile.name(),
                ),
            });
        }
        Ok(())
    }

    /// The part of [`check`](Self::check) for keys.
    pub(super) fn check_keys(&self) -> Result<(), ConfigError> {
        let chosen = self.algorithms.as_deref();
        if chosen.is_some_and(<[_]>::is_empty) {
            return Err(ConfigError::invalid(settings::ALGORITHMS, "", "name at least one"));
        }
        let symmetric = chosen.into_iter().flatten().find(|algorithm| algorithm.is_symmetric());
        let are_fetched = !matches!(self.origin.key_source, Some(GivenKeys::Source(_)));
        if let Some(symmetric) = symmetric.filter(|_| are_fetched) {
            let expected =
                "its key is a secret, which a JWKS must not contain; see `dangerous::hmac_key`";
            return Err(ConfigError::invalid(settings::ALGORITHMS, symmetric.as_str(), expected));
        }
        self.keys.check()
    }

    /// The accepted algorithms, each of which the provider supports.
    fn allowed(&self) -> Result<Algorithms, ConfigError> {
        let provider = usable(self.crypto)?;
        let supported: Vec<_> = provider.algorithms().map(Algorithm::as_str).collect();
        Algorithms::new(provider, self.algorithms.as_deref()).map_err(|unsupported| {
            let expected = format!(
                "the crypto provider {} does not support it; remove it, set another \
                 `crypto_provider`, or list some of {}",
                provider.name(),
                supported.join(", "),
            );
            ConfigError::invalid(settings::ALGORITHMS, unsupported.as_str(), expected)
        })
    }

    /// The key set that these settings fetch. Nothing is fetched yet.
    pub(super) fn remote_key_set(
        &self,
        clock: &Arc<dyn Clock>,
    ) -> Result<RemoteKeySet, ConfigError> {
        let client = self.origin.client(self.keys.max_body, false)?;
        let client = client.ok_or_else(no_client)?;
        let Self { issuer, profile, keys, .. } = self;
        self.origin.fetched(issuer, profile, &self.allowed()?, keys, &client, clock)
    }

    fn check_times(&self) -> Result<(), ConfigError> {
        let second = Duration::from_secs(1);
        within(settings::LEEWAY, self.leeway, Duration::ZERO, 300 * second)?;
        let limits = [
            (settings::MAX_TOKEN_LIFETIME, self.max_token_lifetime),
            (settings::MAX_TOKEN_AGE, self.max_token_age),
        ];
        for (setting, max) in limits {
            let Some(max) = max else { continue };
            within(setting, max, second, 366 * 86_400 * second)?;
            self.check_leeway(setting, max)?;
        }
        Ok(())
    }

    /// Checks that the leeway is small in comparison with `max`, the maximum lifetime or age of
    /// tokens. The revocation bound is `max` plus twice the leeway.
    fn check_leeway(&self, setting: &'static Setting, max: Duration) -> Result<(), ConfigError> {
        let leeway = self.leeway;
        if leeway >= max {
            let why = format!(
                "a leeway of {} would more than double {}; choose a smaller leeway",
                InSeconds(leeway),
                InSeconds(max),
            );
            let (first, second) = (settings::LEEWAY, setting);
            return Err(ConfigError::Contradiction { first, second, why });
        }
        if leeway * LARGE_LEEWAY > max {
            tracing::warn!(
                target: "portcullis",
                leeway = %InSeconds(leeway), %setting, value = %InSeconds(max),
                "large leeway: it counts twice in the revocation bound",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
impl TrustedIssuer {
    /// Creates an issuer for tests of the code that runs after authentication.
    pub(crate) fn for_test() -> Arc<Self> {
        let settings = IssuerSettings::new("https://auth.example", "https://api.example");
        let keys = crate::key_source::SharedKeySet::new(crate::key::KeySet::default());
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock::new());
        Arc::new(settings.key_source(keys).trusted_issuer(&clock).unwrap())
    }
}
