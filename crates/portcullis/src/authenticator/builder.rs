//! Building an [`Authenticator`]: issuer and audience are compulsory, the rest has defaults.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::introspection_settings::IntrospectionSettings;
use super::issuers::IssuerResolver;
use super::key_origin::KeyOrigin;
use super::key_settings::KeySettings;
use crate::algorithm::Algorithm;
use crate::clock::{Clock, SystemClock};
use crate::credentials::Credentials;
use crate::fetch::Fetch;
use crate::key_source::KeySource;
use crate::profile::Profile;
use crate::refusal::{Refusal, RefusalBody, WriteBody};
use crate::resource::ProtectedResource;
use crate::token_cache;

/// An [`Authenticator`](crate::Authenticator) in the making.
///
/// Each method documents its default and the variable that
/// [`from_env`](AuthenticatorBuilder::from_env) reads instead.
#[derive(Clone)]
#[must_use = "nothing is checked before `build`"]
pub struct AuthenticatorBuilder {
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
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
    pub(super) realm: String,
    pub(crate) credentials: Credentials,
    pub(super) token_cache: usize,
    pub(super) token_header: Option<String>,
    pub(super) resource: Option<ProtectedResource>,
    pub(super) write_body: Option<WriteBody>,
    pub(super) start_without_keys: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) others: Vec<AuthenticatorBuilder>,
    pub(super) resolver: Option<Arc<dyn IssuerResolver>>,
}

impl AuthenticatorBuilder {
    pub(super) fn new(issuer: String, audience: String) -> Self {
        Self {
            issuer,
            audiences: vec![audience],
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
            realm: "api".to_owned(),
            credentials: Credentials::default(),
            token_header: None,
            resource: None,
            write_body: None,
            token_cache: token_cache::DEFAULT_BYTES,
            start_without_keys: false,
            clock: Arc::new(SystemClock::new()),
            others: Vec::new(),
            resolver: None,
        }
    }

    /// Another name of this API: a token for any of its names is accepted.
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

    /// Where the issuer's metadata is, when it is not below the issuer's own URL: for an issuer
    /// that is reached under another name than it goes by. The metadata must name the issuer all
    /// the same.
    ///
    /// `PORTCULLIS_DISCOVERY_URL`
    pub fn discovery_url(mut self, url: impl Into<String>) -> Self {
        self.origin.discovery_url = Some(url.into());
        self
    }

    /// A file with the keys, a JWK Set, instead of a URL. It is read again every few seconds; one
    /// that can not be read leaves the keys at hand in use, as an issuer does that is away.
    ///
    /// `PORTCULLIS_JWKS_FILE`
    pub fn jwks_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.jwks_file = Some(path.into());
        self
    }

    /// One host, by name, that keys may be fetched from over plain http: whoever is on the way
    /// can then replace them. For a network that is trusted as a whole.
    ///
    /// `PORTCULLIS_ALLOW_HTTP_HOST`
    pub fn allow_http_host(mut self, host: impl Into<String>) -> Self {
        self.origin.http_host = Some(host.into());
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
    /// [ask it each time](crate::Revocation::live): https, or http on this machine. It needs the
    /// next two as well. By default nobody is asked, and no such route lets anybody in.
    ///
    /// The metadata are not asked where this is: the secret goes to the place that is named here,
    /// and to no other.
    ///
    /// `PORTCULLIS_INTROSPECTION_URL`
    ///
    /// [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662
    pub fn introspection_url(mut self, url: impl Into<String>) -> Self {
        self.introspection.url = Some(url.into());
        self
    }

    /// The client that this service asks as, by HTTP Basic authentication ([RFC 6749 §2.3.1]).
    ///
    /// `PORTCULLIS_INTROSPECTION_CLIENT_ID`
    ///
    /// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    pub fn introspection_client_id(mut self, id: impl Into<String>) -> Self {
        self.introspection.client_id = Some(id.into());
        self
    }

    /// A file with that client's secret, read again each time: secrets rotate.
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

    /// Accepts the tokens of another issuer as well, by that issuer's own settings: its audiences,
    /// keys, times, algorithms and profile. Where a token stands, the realm and the clock are this
    /// builder's.
    ///
    /// A token is judged by the settings of the issuer that its `iss` names, and by that issuer's
    /// keys alone; each issuer has its own fetches and its own budget.
    ///
    /// ```
    /// # use portcullis::Authenticator;
    /// let builder = Authenticator::builder("https://staff.example", "https://api.example")
    ///     .also_issuer(Authenticator::builder("https://partners.example/", "api-7"));
    /// ```
    pub fn also_issuer(mut self, other: AuthenticatorBuilder) -> Self {
        self.others.push(other);
        self
    }

    /// Accepts the tokens of issuers that are only known at run time, such as one for each tenant:
    /// those that `resolver` vouches for.
    pub fn issuer_resolver(mut self, resolver: impl IssuerResolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// How long a fetched key set is used before it is fetched again: 5 minutes by default.
    ///
    /// A key that the issuer withdraws is refused this much and one fetch later. It does **not**
    /// shorten the revocation of sessions, which the expiry of the tokens bounds.
    ///
    /// `PORTCULLIS_JWKS_TTL_SECS`
    pub fn jwks_ttl(mut self, ttl: Duration) -> Self {
        self.keys.ttl = ttl;
        self
    }

    /// The least that the server's caching headers may shorten the TTL to: 10 seconds by default.
    ///
    /// A server may say `no-store`; the issuer shall not be asked at every request all the same.
    ///
    /// `PORTCULLIS_JWKS_MIN_TTL_SECS`
    pub fn min_ttl(mut self, min_ttl: Duration) -> Self {
        self.keys.min_ttl = Some(min_ttl);
        self
    }

    /// How long before its TTL a key set is renewed, so that nobody waits for it: a tenth of the
    /// TTL by default, at most 30 seconds. Services that were started together spread out over as
    /// long again.
    ///
    /// `PORTCULLIS_JWKS_REFRESH_AHEAD_SECS`
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.keys.refresh_ahead = Some(ahead);
        self
    }

    /// Whether keys are renewed ahead of time at all, also while nobody calls: by default they
    /// are, by a task on the tokio runtime that ends with the last clone of the authenticator.
    ///
    /// Off is for runtimes that freeze between requests; the first request past the TTL then
    /// waits for the fetch.
    ///
    /// `PORTCULLIS_JWKS_BACKGROUND_REFRESH`
    pub fn background_refresh(mut self, on: bool) -> Self {
        self.keys.background_refresh = on;
        self
    }

    /// Uses stale keys in an outage even though the server's headers say `must-revalidate`
    /// (RFC 9111 §5.2.2.2). Some frameworks send that with everything, and an issuer that does so
    /// by accident makes each of its outages yours.
    ///
    /// `PORTCULLIS_JWKS_IGNORE_MUST_REVALIDATE`
    pub fn ignore_must_revalidate(mut self, on: bool) -> Self {
        self.keys.ignore_must_revalidate = on;
        self
    }

    /// The longest key set or metadata that is read, in bytes: 512 KiB by default.
    ///
    /// `PORTCULLIS_JWKS_MAX_BODY_BYTES`
    pub fn max_body(mut self, bytes: usize) -> Self {
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

    /// How long beyond its TTL a key set is used while the issuer can not be reached: 1 hour by
    /// default. After that requests get 503.
    ///
    /// `PORTCULLIS_JWKS_MAX_STALE_SECS`
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.keys.max_stale = max_stale;
        self
    }

    /// How long it takes until unknown `kid`s may cause another fetch of the keys, beyond the 3 that
    /// they may cause at once: 30 seconds by default. It keeps forged tokens from turning into
    /// requests to the issuer. A token that finds the budget spent is refused with 429.
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
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Refuses tokens that were issued for longer than this, whatever the issuer does: the
    /// revocation lag is then at most this much and twice the leeway. By default there is no limit.
    ///
    /// `PORTCULLIS_MAX_TOKEN_LIFETIME_SECS`
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

    /// Claims that a token must have as well, by name, `null` not counting: besides `iss`, `aud`,
    /// `exp` and those of the [profile](Self::profile). None by default.
    ///
    /// `PORTCULLIS_REQUIRED_CLAIMS`
    pub fn required_claims<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.required_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// The accepted signature algorithms: all by default. An RSA key without `alg` is used with
    /// the first RSA algorithm of this list.
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

    /// The `realm` in challenges: `api` by default.
    ///
    /// `PORTCULLIS_REALM`
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Publishes metadata that say whose tokens this service takes ([RFC 9728]), and has challenges
    /// point to them. With this one call an MCP server meets the discovery that its clients need.
    ///
    /// The adapters answer at the well-known path of the resource, without a token.
    ///
    /// `PORTCULLIS_RESOURCE`
    ///
    /// [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728
    pub fn protected_resource(mut self, resource: impl Into<ProtectedResource>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Gives refusals a body, a problem document (RFC 9457) with the status and constant words,
    /// where the adapter can make a body from bytes. By default they have none. No header changes.
    ///
    /// `PORTCULLIS_PROBLEM_JSON`
    pub fn problem_json(self) -> Self {
        self.refusal_body(RefusalBody::problem)
    }

    /// Gives refusals a body of your own. It can take the place of no header: the status and the
    /// challenge stay as they are.
    ///
    /// ```
    /// # use portcullis::{Authenticator, refusal::RefusalBody};
    /// # use http::HeaderValue;
    /// let builder = Authenticator::builder("https://auth.example", "https://api.example")
    ///     .refusal_body(|refusal| RefusalBody {
    ///         content_type: HeaderValue::from_static("text/plain"),
    ///         bytes: refusal.detail().into(),
    ///     });
    /// ```
    pub fn refusal_body(
        mut self,
        write: impl Fn(&Refusal) -> RefusalBody + Send + Sync + 'static,
    ) -> Self {
        self.write_body = Some(WriteBody::new(write));
        self
    }

    /// Reads the token from this header as well, where it stands alone, without a scheme. With an
    /// Authorization header this one is not looked at.
    ///
    /// `PORTCULLIS_TOKEN_HEADER`
    pub fn token_header(mut self, name: impl Into<String>) -> Self {
        self.token_header = Some(name.into());
        self
    }

    /// Reads the token of a WebSocket handshake from a subprotocol that begins with this, such as
    /// `bearer.`: the only header that a page can set there.
    ///
    /// A page then calls `new WebSocket(url, ["chat", "bearer." + token])`, and the service must
    /// select the other subprotocol, never the one that holds the token.
    ///
    /// `PORTCULLIS_WEBSOCKET_PROTOCOL`
    pub fn websocket_protocol(mut self, prefix: impl Into<String>) -> Self {
        self.credentials.websocket_protocol = Some(prefix.into());
        self
    }

    /// Reads the token from this cookie when there is no Authorization header; by default no
    /// cookie is read. See [`ACCESS_COOKIE`](crate::ACCESS_COOKIE).
    ///
    /// Requests that could change something, WebSocket handshakes among them, are refused with 403
    /// unless a page of this origin, or of a [trusted origin](Self::trusted_origin), sent them. With a
    /// cookie called `__Host-…` or `__Secure-…`, which browsers send over https only, a page of this
    /// host over plain http is not of this origin.
    ///
    /// `PORTCULLIS_COOKIE`
    pub fn cookie(mut self, name: impl Into<String>) -> Self {
        self.credentials.cookie = Some(name.into());
        self
    }

    /// An origin, such as `https://app.example`, whose pages may use the cookie for requests that
    /// could change something.
    ///
    /// `PORTCULLIS_TRUSTED_ORIGINS`
    pub fn trusted_origin(mut self, origin: impl Into<String>) -> Self {
        self.credentials.trusted_origins.push(origin.into());
        self
    }

    /// How many bytes the tokens may take that were verified before, 32 MiB by default: one that
    /// comes again is then not verified again, only held against the clock and the keys of the
    /// moment. 0 switches it off.
    ///
    /// Of several issuers' builders, only the first one's counts.
    ///
    /// `PORTCULLIS_TOKEN_CACHE_BYTES`
    pub fn token_cache(mut self, bytes: usize) -> Self {
        self.token_cache = bytes;
        self
    }

    /// Starts even though the keys can not be fetched yet; requests get 503 until they can.
    ///
    /// `PORTCULLIS_START_WITHOUT_KEYS`
    pub fn start_without_keys(mut self) -> Self {
        self.start_without_keys = true;
        self
    }

    /// Takes keys from `source` instead of fetching them.
    pub fn key_source(mut self, source: impl KeySource) -> Self {
        self.origin.key_source = Some(Arc::new(source));
        self
    }

    /// Fetches with another HTTP client than the default one.
    pub fn fetch(mut self, fetch: impl Fetch) -> Self {
        self.origin.fetch = Some(Arc::new(fetch));
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl fmt::Debug for AuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatorBuilder")
            .field("issuer", &self.issuer)
            .field("audiences", &self.audiences)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
