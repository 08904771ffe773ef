//! The settings of one issuer: its name, the audiences of its tokens, and its keys.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::introspection_settings::IntrospectionSettings;
use super::key_origin::{GivenKeys, KeyOrigin};
use super::key_settings::KeySettings;
use crate::algorithm::Algorithm;
use crate::fetch::Fetch;
use crate::key_source::KeySource;
use crate::profile::Profile;

/// The settings for one issuer: its name, who its tokens must be for, and where its keys are.
///
/// Those of the first issuer are methods of [`AuthenticatorBuilder`](crate::AuthenticatorBuilder) as
/// well. Each documents its default and the variable that
/// [`from_env`](crate::AuthenticatorBuilder::from_env) reads instead.
///
/// ```
/// use portcullis::{Authenticator, IssuerSettings, Profile};
///
/// let partners = IssuerSettings::new("https://partners.example/", "api-7").profile(Profile::auth0());
/// let builder = Authenticator::builder("https://staff.example", "https://api.example")
///     .also_issuer(partners);
/// ```
#[derive(Clone)]
#[must_use = "nothing is checked before an authenticator is built"]
pub struct IssuerSettings {
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    /// Whether any audience is accepted, which only `dangerous` says; none is named then.
    pub(super) any_audience: bool,
    pub(super) origin: KeyOrigin,
    pub(super) status_lists: Option<String>,
    pub(super) introspection: IntrospectionSettings,
    pub(super) keys: KeySettings,
    pub(super) leeway: Duration,
    pub(super) max_token_lifetime: Option<Duration>,
    pub(super) max_token_age: Option<Duration>,
    pub(super) required_claims: Vec<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) profile: Profile,
    pub(super) start_without_keys: bool,
}

impl IssuerSettings {
    /// Starts with the two settings that cannot be left out.
    ///
    /// `issuer` is what `iss` must say, byte for byte; unless told otherwise the keys are discovered
    /// below it. `audience` is this API's name, which `aud` must hold.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { audiences: vec![audience.into()], ..Self::of_keys(issuer) }
    }

    /// For tokens of any audience.
    pub(crate) fn for_any_audience(issuer: impl Into<String>) -> Self {
        Self { any_audience: true, ..Self::of_keys(issuer) }
    }

    /// Those of the keys alone, for no audience: no token is judged by them.
    pub(super) fn of_keys(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audiences: Vec::new(),
            any_audience: false,
            origin: KeyOrigin::default(),
            status_lists: None,
            introspection: IntrospectionSettings::default(),
            keys: KeySettings::default(),
            leeway: Duration::from_secs(10),
            max_token_lifetime: None,
            max_token_age: None,
            required_claims: Vec::new(),
            algorithms: Algorithm::ALL.to_vec(),
            profile: Profile::default(),
            start_without_keys: false,
        }
    }

    /// Another name of this API: a token for any of its names is accepted.
    #[doc(alias("audience", "aud"))]
    pub fn also_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Where the keys are: https, or http on this machine. By default they are discovered.
    ///
    /// `PORTCULLIS_JWKS_URL`
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.origin.jwks_url = Some(url.into());
        self
    }

    /// Where the issuer's metadata is, if it is not below the issuer's own URL: for an issuer that
    /// this service reaches under another name. The metadata must still name the issuer.
    ///
    /// `PORTCULLIS_DISCOVERY_URL`
    pub fn discovery_url(mut self, url: impl Into<String>) -> Self {
        self.origin.discovery_url = Some(url.into());
        self
    }

    /// A file with the keys, instead of a URL: a JWK Set, or PEM with public keys and certificates
    /// ([`KeySet::from_pem`](crate::keys::KeySet::from_pem)). It is read again every few seconds. While
    /// it cannot be read, the current keys stay in use, as with an unreachable issuer; one with a private
    /// key in PEM counts as one that cannot be read.
    ///
    /// `PORTCULLIS_JWKS_FILE`
    pub fn jwks_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.jwks_file = Some(path.into());
        self
    }

    /// One host, a name or an address, from which keys may be fetched over plain http. An attacker on
    /// the network path can then replace the keys: only for a network that is trusted as a whole.
    ///
    /// `PORTCULLIS_ALLOW_HTTP_HOST`
    pub fn allow_http_host(mut self, host: impl Into<String>) -> Self {
        self.origin.http_host = Some(host.into());
        self
    }

    /// A host, a name or an address, that documents of this issuer may be fetched from although its
    /// address is not public. May be called once for each host.
    ///
    /// For the answers of an [`IssuerResolver`](crate::config::IssuerResolver), where tenants may choose
    /// URLs: loopback, private, link-local and metadata addresses are refused there unless their host
    /// is named here. Name a host only if no tenant can make use of what it answers. The issuers that
    /// the service is built with are not limited. Over plain http, a host other than this machine also
    /// needs [`allow_http_host`](Self::allow_http_host).
    pub fn allow_private_host(mut self, host: impl Into<String>) -> Self {
        self.origin.private_hosts.push(host.into());
        self
    }

    /// Certificates in PEM that are trusted as well when keys are fetched, read again at each
    /// fetch: in Kubernetes `/var/run/secrets/kubernetes.io/serviceaccount/ca.crt`. For the
    /// default HTTP client only.
    ///
    /// `PORTCULLIS_CA_FILE`
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.ca_file = Some(path.into());
        self
    }

    /// What the addresses of the issuer's status lists begin with, for routes that
    /// [ask for one](crate::Revocation::status_list): by default everything below the issuer's own
    /// URL. A list elsewhere is not fetched, whatever a token says.
    ///
    /// `PORTCULLIS_STATUS_LISTS`
    pub fn status_lists(mut self, prefix: impl Into<String>) -> Self {
        self.status_lists = Some(prefix.into());
        self
    }

    /// Where the issuer is asked about a token ([RFC 7662]), for routes that
    /// [ask it each time](crate::Revocation::live): https, or http on this machine. An issuer that
    /// authenticates the client that asks, as most do, needs
    /// [`introspection_client_id`](Self::introspection_client_id) and
    /// [`introspection_secret_file`](Self::introspection_secret_file) as well. Unset by default: a
    /// [gate](crate::Gate::revocation) that asks the issuer then fails at start, and a single route
    /// that asks it answers 500.
    ///
    /// It is never discovered: the secret is sent to the URL that is set here, and to no other.
    ///
    /// `PORTCULLIS_INTROSPECTION_URL`
    ///
    /// [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662
    #[doc(alias("introspection", "RFC 7662"))]
    pub fn introspection_url(mut self, url: impl Into<String>) -> Self {
        self.introspection.url = Some(url.into());
        self
    }

    /// The client that this service asks as, by HTTP Basic authentication ([RFC 6749 §2.3.1]): the id
    /// and the secret are percent-encoded, so that a client id may be a URL. Without it nobody is
    /// named, which only an endpoint in a closed network should allow, such as Hydra's admin port.
    ///
    /// `PORTCULLIS_INTROSPECTION_CLIENT_ID`
    ///
    /// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    pub fn introspection_client_id(mut self, id: impl Into<String>) -> Self {
        self.introspection.client_id = Some(id.into());
        self
    }

    /// A file with that client's secret, read again for each question, because secrets rotate. It
    /// must be there at the start.
    ///
    /// `PORTCULLIS_INTROSPECTION_SECRET_FILE`
    pub fn introspection_secret_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.introspection.secret_file = Some(path.into());
        self
    }

    /// A file with a bearer token that fetching needs, read again at each fetch: in Kubernetes
    /// `/var/run/secrets/kubernetes.io/serviceaccount/token`. It is sent to the origin that is
    /// configured (of the discovery URL, the JWKS URL or the issuer) and to no other.
    ///
    /// `PORTCULLIS_FETCH_TOKEN_FILE`
    pub fn fetch_token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.token_file = Some(path.into());
        self
    }

    /// How long a fetched key set is used before it is fetched again: 5 minutes by default.
    ///
    /// A key that the issuer withdraws is refused after this time and one fetch, with one retry if
    /// the fetch fails. It does **not** make the revocation of sessions faster: the expiry of the
    /// tokens bounds that.
    ///
    /// `PORTCULLIS_JWKS_TTL_SECS`
    pub fn jwks_ttl(mut self, ttl: Duration) -> Self {
        self.keys.ttl = ttl;
        self
    }

    /// The shortest TTL that the server's caching headers may set: 10 seconds by default.
    ///
    /// A server that says `max-age=1` must not cause a fetch at every request.
    ///
    /// `PORTCULLIS_JWKS_MIN_TTL_SECS`
    pub fn min_ttl(mut self, min_ttl: Duration) -> Self {
        self.keys.min_ttl = Some(min_ttl);
        self
    }

    /// How long before its TTL a key set is renewed, so that no request waits for it: a tenth of
    /// the TTL by default, at most 30 seconds. Services that start together spread their renewals
    /// over the same time again.
    ///
    /// `PORTCULLIS_JWKS_REFRESH_AHEAD_SECS`
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.keys.refresh_ahead = Some(ahead);
        self
    }

    /// Does not renew keys ahead of time. By default a task on the tokio runtime renews them, also
    /// without requests, and ends with the last clone of the authenticator.
    ///
    /// For runtimes that freeze between requests; the first request past the TTL then waits for the
    /// fetch.
    ///
    /// `PORTCULLIS_JWKS_BACKGROUND_REFRESH`
    pub fn without_background_refresh(mut self) -> Self {
        self.keys.background_refresh = false;
        self
    }

    /// Obeys what forbids a cache to keep the keys: `no-cache`, `no-store`, `max-age=0` and an
    /// `Expires` in the past shorten the TTL to [`min_ttl`](Self::min_ttl), and after `no-cache`,
    /// `no-store` and `must-revalidate` no stale keys are used in an outage ([RFC 9111 §5.2.2]).
    ///
    /// By default they do not count, because most issuers send them with everything:
    /// [`jwks_ttl`](Self::jwks_ttl) and [`max_stale`](Self::max_stale) then hold, and only a positive
    /// `max-age` or an `Expires` to come shortens the TTL.
    ///
    /// `PORTCULLIS_JWKS_OBEY_NO_CACHE`
    ///
    /// [RFC 9111 §5.2.2]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2
    #[doc(alias("cache-control", "must-revalidate", "no-store"))]
    pub fn obey_no_cache(mut self) -> Self {
        self.keys.obey_no_cache = true;
        self
    }

    /// The longest key set or metadata that is read, in bytes: 512 KiB by default.
    ///
    /// `PORTCULLIS_JWKS_MAX_BODY_BYTES`
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.keys.max_body = bytes;
        self
    }

    /// The most keys that a set may hold: 200 by default. A larger one is not used at all.
    ///
    /// `PORTCULLIS_JWKS_MAX_KEYS`
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.keys.max_keys = keys;
        self
    }

    /// How long beyond its TTL a key set is used while the issuer cannot be reached: 1 hour by
    /// default. After that requests get 503.
    ///
    /// `PORTCULLIS_JWKS_MAX_STALE_SECS`
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.keys.max_stale = max_stale;
        self
    }

    /// The time until unknown `kid`s may cause one more fetch of the keys, beyond the 3 that they
    /// may cause at once: 30 seconds by default. It keeps forged tokens from turning into requests
    /// to the issuer. While the budget is spent, a token with an unknown `kid` is refused with 429.
    /// [Resolved issuers](crate::config::IssuerResolver) may cause 8 at once.
    ///
    /// `PORTCULLIS_JWKS_COOLDOWN_SECS`
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.keys.cooldown = cooldown;
        self
    }

    /// The deadline of one whole fetch, discovery included: 5 seconds by default. No request waits
    /// longer for keys. At most [`min_ttl`](Self::min_ttl), if that is set.
    ///
    /// `PORTCULLIS_FETCH_TIMEOUT_SECS`
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.keys.fetch_timeout = timeout;
        self
    }

    /// The clock skew that `exp`, `nbf` and `iat` tolerate: 10 seconds by default, at most 5
    /// minutes. It adds to every revocation lag.
    ///
    /// `PORTCULLIS_LEEWAY_SECS`
    #[doc(alias("clock skew", "clock_skew"))]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Refuses tokens that were issued for longer than this, whatever the issuer does: the
    /// revocation lag is then at most this much and twice the leeway. By default there is no limit.
    ///
    /// `PORTCULLIS_MAX_TOKEN_LIFETIME_SECS`
    #[doc(alias("exp"))]
    pub fn max_token_lifetime(mut self, max: Duration) -> Self {
        self.max_token_lifetime = Some(max);
        self
    }

    /// Refuses tokens that were issued longer ago than this, however long they were issued for: the
    /// revocation lag is then at most this much and twice the leeway, also with an issuer whose
    /// tokens last for a day. Clients must refresh them that often. By default there is no limit.
    ///
    /// `PORTCULLIS_MAX_TOKEN_AGE_SECS`
    pub fn max_token_age(mut self, max: Duration) -> Self {
        self.max_token_age = Some(max);
        self
    }

    /// The names of claims that a token must have besides `iss`, `aud`, `exp` and those of the
    /// [profile](Self::profile). A `null` counts as absent. None by default.
    ///
    /// `PORTCULLIS_REQUIRED_CLAIMS`
    pub fn required_claims<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.required_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// The accepted signature algorithms: all by default. An RSA key without `alg` is used with each RSA
    /// algorithm of this list, whatever their order.
    ///
    /// `PORTCULLIS_ALGORITHMS`
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// The kind of token: [`Profile::jwt`] by default.
    ///
    /// `PORTCULLIS_PROFILE`
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Starts even though the keys cannot be fetched yet; requests get 503 until they can.
    ///
    /// `PORTCULLIS_START_WITHOUT_KEYS`
    pub fn start_without_keys(mut self) -> Self {
        self.start_without_keys = true;
        self
    }

    /// Takes keys from `source` instead of fetching them for this issuer alone: keys that the process
    /// has ([`SharedKeySet`](crate::keys::SharedKeySet)), a set that several share
    /// ([`RemoteKeySet`](crate::keys::RemoteKeySet)), or a source of your own.
    ///
    /// The settings for fetching keys, such as [`jwks_ttl`](Self::jwks_ttl), are then the source's own.
    /// Status lists and introspection use the HTTP client of a `RemoteKeySet`, unless
    /// [`fetch`](Self::fetch) names another one.
    pub fn key_source(mut self, source: impl KeySource) -> Self {
        self.origin.key_source = Some(GivenKeys::new(source));
        self
    }

    /// Fetches with another HTTP client than the default one.
    ///
    /// In the answer of an [`IssuerResolver`](crate::config::IssuerResolver), which addresses a name may
    /// have is then up to that client. URLs that show a private address are refused all the same.
    pub fn fetch(mut self, fetch: impl Fetch) -> Self {
        self.origin.fetch = Some(Arc::new(fetch));
        self
    }
}

impl IssuerSettings {
    /// Whether both say the same of the same issuer.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        // All fields by name: a new one must be compared, too.
        let Self {
            issuer,
            audiences,
            any_audience,
            origin,
            status_lists,
            introspection,
            keys,
            leeway,
            max_token_lifetime,
            max_token_age,
            required_claims,
            algorithms,
            profile,
            start_without_keys: _,
        } = self;
        *issuer == other.issuer
            && *audiences == other.audiences
            && *any_audience == other.any_audience
            && origin.is_same(&other.origin)
            && *status_lists == other.status_lists
            && *introspection == other.introspection
            && *keys == other.keys
            && *leeway == other.leeway
            && *max_token_lifetime == other.max_token_lifetime
            && *max_token_age == other.max_token_age
            && *required_claims == other.required_claims
            && *algorithms == other.algorithms
            && *profile == other.profile
    }
}

impl fmt::Debug for IssuerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerSettings")
            .field("issuer", &self.issuer)
            .field("audiences", &self.audiences)
            .field("any_audience", &self.any_audience)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
