//! From a builder to an [`Authenticator`]: the settings are checked, and the keys fetched.

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
use super::key_origin::secure_url;
use super::start::{first_keys, start_without};
use super::{Authenticator, AuthenticatorBuilder, Inner};
use crate::clock::Clock;
use crate::credentials::{Credentials, Place};
use crate::duration::InSeconds;
use crate::fetch::Client;
use crate::issuer::ClaimsRules;
use crate::issuer::TrustedIssuer;
use crate::jws::{KnownHeaders, MAX_TOKEN_BOUNDS};
use crate::key_source::KeySetStatus;
use crate::metrics;
use crate::refusal::{ProtectionSpace, Tally};
use crate::remote::status_list::MAX_TOKEN_BYTES;
use crate::resource::{ProtectedResource, Resource};
use crate::revocation::{Introspections, StatusLists};
use crate::settings::{self, Setting};
use crate::token_cache::{self, TokenCache};

/// From this part of a token's lifetime on, a leeway is worth a warning.
const LARGE_LEEWAY: u32 = 10;

impl AuthenticatorBuilder {
    /// Checks the settings and fetches the keys.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, with its name, its value and what would be right; when the keys of no
    /// issuer can be fetched, and none of an [earlier run](Self::kept_keys_file) can be used, unless
    /// [`start_without_keys`](Self::start_without_keys) is set. Of several issuers, one that cannot be
    /// reached does not stop the start; one whose answer is wrong does.
    ///
    /// # Panics
    ///
    /// On a tokio runtime without timers or I/O, which fetching needs.
    pub async fn build(mut self) -> Result<Authenticator, ConfigError> {
        self.check()?;
        let has_cookie = self.credentials.cookie.is_some();
        self.credentials.places = check_places(self.token_places, has_cookie)?;
        let resource = self.resource.take();
        let keeper = match self.kept_keys.take() {
            Some(setting) => Some(setting.open().await?),
            None => None,
        };
        let (mut trusted, mut away): (Vec<Arc<TrustedIssuer>>, Vec<_>) = Default::default();
        let may_wait_for_all = self.issuer.start_without_keys;
        let is_alone = self.others.is_empty();
        for mut of_one in std::iter::once(self.issuer.clone()).chain(self.others) {
            of_one.origin.keeper = keeper.clone();
            let may_wait = may_wait_for_all || of_one.start_without_keys;
            let obeys_no_cache = of_one.keys.obey_no_cache;
            let name = of_one.issuer.clone();
            let issuer = of_one.trusted_issuer(&self.clock);
            let issuer = issuer.map_err(|error| if is_alone { error } else { error.of(&name) })?;
            if trusted.iter().any(|other| other.name() == issuer.name()) {
                let expected = "this issuer is configured twice; give it one `IssuerSettings`";
                return Err(ConfigError::invalid(settings::ISSUER, issuer.name(), expected));
            }
            match first_keys(&issuer, &*self.clock).await {
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
                cache_control = keys.as_ref().map(|_| cache_control(obeys_no_cache)),
                withdrawal_bound = bound(|keys| keys.withdrawal_bound),
                withdrawal_bound_in_outage = bound(|keys| keys.withdrawal_bound_in_outage),
                "tokens are validated locally",
            );
            warn_of_common_audience(rules);
            trusted.push(Arc::new(issuer));
        }
        start_without(away, &trusted)?;
        let names: Vec<&str> = trusted.iter().map(|issuer| issuer.name()).collect();
        if let Some(keeper) = &keeper {
            keeper.retain(&names);
        }
        // Fetching needs timers, so that a runtime that was fetched on has them.
        let are_fetched = trusted.iter().any(|issuer| issuer.keys.are_fetched());
        let runtime = Handle::try_current().ok();
        let space = ProtectionSpace {
            resource: resource
                .map(|resource| published(&resource, &names, &self.credentials))
                .transpose()?,
            realm: self.realm,
            write_body: self.write_body,
            clock: self.clock.clone(),
            tally: Tally::new(self.clock.clone(), runtime.clone().filter(|_| are_fetched)),
        };
        Ok(Authenticator(Arc::new(Inner {
            credentials: Arc::new(self.credentials),
            issuers: Issuers::new(trusted, self.resolver, self.clock),
            space: Arc::new(space),
            headers: KnownHeaders::new(),
            seen: TokenCache::new(self.token_cache),
            max_token_bytes: self.max_token_bytes,
            runtime,
        })))
    }

    /// Everything of the service that can be told to be wrong.
    fn check(&self) -> Result<(), ConfigError> {
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

/// What a server's `Cache-Control` does to the TTL and `max_stale`, for the log.
fn cache_control(obeys_no_cache: bool) -> &'static str {
    if obeys_no_cache {
        "max-age, no-cache, no-store and must-revalidate count (obey_no_cache)"
    } else {
        "only a positive max-age counts, which may shorten jwks_ttl"
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

/// Tokens for every API of the issuer would be accepted here.
fn warn_of_common_audience(rules: &ClaimsRules) {
    if let Some((audience, remedy)) = rules.profile.common_audience()
        && rules.audiences.iter().any(|configured| configured == audience)
    {
        tracing::warn!(
            target: "portcullis",
            issuer = rules.issuer, audience, remedy,
            "the audience is one that the issuer gives to tokens for other services, too",
        );
    }
}

impl IssuerSettings {
    /// The issuer, by these settings. Nothing is fetched yet.
    pub(super) fn trusted_issuer(
        self,
        clock: &Arc<dyn Clock>,
    ) -> Result<TrustedIssuer, ConfigError> {
        self.check()?;
        let client = {
            let needed = self.status_lists.is_some() || self.introspection.are_set();
            self.origin.client(self.keys.max_body, needed)?
        };
        let keys = self.origin.key_source(
            &self.issuer,
            &self.profile,
            &self.algorithms,
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
            &self.algorithms,
            [self.leeway, self.keys.fetch_timeout],
            clock,
        );
        let rules = ClaimsRules {
            issuer: self.issuer,
            audiences: self.audiences,
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
        Ok(TrustedIssuer {
            rules,
            algorithms: self.algorithms,
            keys,
            status_lists,
            introspections,
            forgotten: AtomicBool::new(false),
        })
    }

    /// What the addresses of the issuer's lists begin with. Without a setting that is the issuer's
    /// own URL, where it is one.
    fn place_of_status_lists(
        &self,
        client: Option<Client>,
    ) -> Result<Option<(String, Client)>, ConfigError> {
        let Some(client) = client else { return Ok(None) };
        let client = Client { max_body: MAX_TOKEN_BYTES, max_body_setting: None, ..client };
        let prefix = match &self.status_lists {
            Some(prefix) => secure_url(settings::STATUS_LISTS, prefix, &client.urls)?.to_string(),
            None => format!("{}/", self.issuer.trim_end_matches('/')),
        };
        Ok(Some((prefix, client)))
    }

    /// Everything that can be told to be wrong without asking anybody.
    fn check(&self) -> Result<(), ConfigError> {
        not_empty(settings::ISSUER, &self.issuer)?;
        not_quoted(settings::ISSUER, &self.issuer)?;
        for audience in &self.audiences {
            not_empty(settings::AUDIENCE, audience)?;
            not_quoted(settings::AUDIENCE, audience)?;
        }
        for name in &self.required_claims {
            not_empty(settings::REQUIRED_CLAIMS, name)?;
        }
        if self.algorithms.is_empty() {
            return Err(ConfigError::invalid(settings::ALGORITHMS, "", "name at least one"));
        }
        let symmetric = self.algorithms.iter().find(|algorithm| algorithm.is_symmetric());
        if let (Some(symmetric), None) = (symmetric, &self.origin.key_source) {
            let expected = "no JWKS may hold its key, which is a secret: see `dangerous`";
            return Err(ConfigError::invalid(settings::ALGORITHMS, symmetric.as_str(), expected));
        }
        self.keys.check()?;
        self.check_times()?;
        Ok(())
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

    /// A leeway counts twice in what is promised of tokens that last for `max`.
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
                "the leeway is large: tokens are accepted for that much longer, twice over",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
impl TrustedIssuer {
    /// For the tests of what comes after authentication.
    pub(crate) fn for_test() -> Arc<Self> {
        let settings = IssuerSettings::new("https://auth.example", "https://api.example");
        let keys = crate::key_source::SharedKeySet::new(crate::key::KeySet::default());
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock::new());
        Arc::new(settings.key_source(keys).trusted_issuer(&clock).unwrap())
    }
}
