//! The settings of one issuer: its name, the audiences of its tokens, and its keys.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::introspection_settings::IntrospectionSettings;
use super::key_origin::{GivenKeys, KeyOrigin};
use super::key_settings::KeySettings;
use crate::algorithm::Algorithm;
use crate::crypto::Provider;
use crate::fetch::Fetch;
use crate::issuer::LogoutRules;
use crate::key_source::KeySource;
use crate::profile::Profile;
use crate::revocation::LogoutMatch;
use crate::revocation::feed::Revocations;

/// The settings of one issuer: its name, the accepted audiences, and the source of its keys.
///
/// [`AuthenticatorBuilder`](crate::AuthenticatorBuilder) has the same methods for the first issuer.
/// Each method documents its default and the environment variable that
/// [`from_env`](crate::AuthenticatorBuilder::from_env) reads.
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
    /// Whether any audience is accepted. Only `dangerous` sets it; `audiences` is empty then.
    pub(super) any_audience: bool,
    pub(super) origin: KeyOrigin,
    pub(super) status_lists: Option<String>,
    pub(super) introspection: IntrospectionSettings,
    pub(super) keys: KeySettings,
    pub(super) leeway: Duration,
    pub(super) max_token_lifetime: Option<Duration>,
    pub(super) max_token_age: Option<Duration>,
    pub(super) required_claims: Vec<String>,
    /// With `None`, all that the provider supports.
    pub(super) algorithms: Option<Vec<Algorithm>>,
    pub(super) profile: Profile,
    pub(super) start_without_keys: bool,
    /// The path of the claim with the session.
    pub(super) session_at: Vec<String>,
    pub(super) logout: LogoutRules,
    /// The service's revocations, set by the builder.
    pub(super) revocations: Option<Revocations>,
    /// The service's crypto provider, set by the builder.
    pub(super) crypto: Option<Provider>,
}

impl IssuerSettings {
    /// Creates settings from the two required values.
    ///
    /// `issuer` is the exact value of `iss`, compared byte for byte. By default, the keys are
    /// discovered below this URL. `audience` is the identifier of this API, which `aud` must
    /// contain.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { audiences: vec![audience.into()], ..Self::of_keys(issuer) }
    }

    /// Creates settings that accept tokens of any audience.
    pub(crate) fn for_any_audience(issuer: impl Into<String>) -> Self {
        Self { any_audience: true, ..Self::of_keys(issuer) }
    }

    /// Creates settings for keys only, without an audience. No token is validated against them.
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
            algorithms: None,
            profile: Profile::default(),
            start_without_keys: false,
            session_at: vec!["sid".to_owned()],
            logout: LogoutRules::default(),
            revocations: None,
            crypto: Provider::built_in(),
        }
    }

    /// Adds an accepted audience. A token for any one of the audiences is accepted.
    #[doc(alias("audience", "aud"))]
    pub fn also_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets the URL of the JWK Set: https, or http on this machine. By default, the URL is
    /// discovered.
    ///
    /// `PORTCULLIS_JWKS_URL`
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.origin.jwks_url = Some(url.into());
        self
    }

    /// Sets the URL of the issuer's metadata, if the metadata is not below the issuer's own URL.
    /// This is useful if the service reaches the issuer under another name.
    ///
    /// The metadata must still contain the issuer's name.
    ///
    /// `PORTCULLIS_DISCOVERY_URL`
    pub fn discovery_url(mut self, url: impl Into<String>) -> Self {
        self.origin.discovery_url = Some(url.into());
        self
    }

    /// Reads the keys from a file instead of a URL: a JWK Set, or PEM with public keys and
    /// certificates ([`KeySet::from_pem`](crate::keys::KeySet::from_pem)). The path must be absolute.
    ///
    /// The file is read again every few seconds. While it cannot be read, the current keys stay in
    /// use, as with an unreachable issuer. A PEM file with a private key counts as unreadable.
    ///
    /// `PORTCULLIS_JWKS_FILE`
    pub fn jwks_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.jwks_file = Some(path.into());
        self
    }

    /// Allows plain http for key fetches from one host, a name or an address.
    ///
    /// An attacker on the network path can then replace the keys, so use it only on a network that
    /// you trust as a whole.
    ///
    /// `PORTCULLIS_ALLOW_HTTP_HOST`
    pub fn allow_http_host(mut self, host: impl Into<String>) -> Self {
        self.origin.http_host = Some(host.into());
        self
    }

    /// Allows fetches from a host whose address is not public. `host` is a name or an address. Call
    /// it once for each host.
    ///
    /// This method is for the settings that an [`IssuerResolver`](crate::config::IssuerResolver)
    /// returns, because tenants may choose URLs there. In these settings, loopback, private,
    /// link-local and metadata addresses are refused unless their host is named with this method.
    /// Name a host only if its responses are of no use to a tenant. The issuers that the
    /// authenticator is built with are not restricted. Over plain http, a host other than this
    /// machine also needs [`allow_http_host`](Self::allow_http_host).
    pub fn allow_private_host(mut self, host: impl Into<String>) -> Self {
        self.origin.private_hosts.push(host.into());
        self
    }

    /// Trusts the certificates in a PEM file, in addition to the default ones, when documents are
    /// fetched.
    ///
    /// The file is read again at each fetch. In Kubernetes, it is
    /// `/var/run/secrets/kubernetes.io/serviceaccount/ca.crt`. Only the default HTTP client uses
    /// it.
    ///
    /// `PORTCULLIS_CA_FILE`
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.ca_file = Some(path.into());
        self
    }

    /// Sets the URL prefix of the issuer's status lists, for routes that use
    /// [`Revocation::status_list`](crate::Revocation::status_list).
    ///
    /// By default, the prefix is the issuer's own URL. A list with another prefix is not fetched,
    /// even if a token names it.
    ///
    /// `PORTCULLIS_STATUS_LISTS`
    pub fn status_lists(mut self, prefix: impl Into<String>) -> Self {
        self.status_lists = Some(prefix.into());
        self
    }

    /// Sets the introspection endpoint ([RFC 7662]), for routes that use
    /// [`Revocation::live`](crate::Revocation::live): https, or http on this machine.
    ///
    /// If the issuer authenticates the client, as most do, also set
    /// [`introspection_client_id`](Self::introspection_client_id) and
    /// [`introspection_secret_file`](Self::introspection_secret_file). By default, no endpoint is
    /// set: a [gate](crate::Gate::revocation) with live revocation fails at start, and a single
    /// live route answers 500.
    ///
    /// The endpoint is never discovered. The secret is sent to this URL only.
    ///
    /// `PORTCULLIS_INTROSPECTION_URL`
    ///
    /// [RFC 7662]: https://www.rfc-editor.org/rfc/rfc7662
    #[doc(alias("introspection", "RFC 7662"))]
    pub fn introspection_url(mut self, url: impl Into<String>) -> Self {
        self.introspection.url = Some(url.into());
        self
    }

    /// Sets the client ID for introspection requests.
    ///
    /// The requests use HTTP Basic authentication ([RFC 6749 §2.3.1]): the ID and the secret are
    /// percent-encoded, so the ID may be a URL. Without an ID the requests are not authenticated,
    /// which only an endpoint on a closed network should allow, such as Hydra's admin port.
    ///
    /// `PORTCULLIS_INTROSPECTION_CLIENT_ID`
    ///
    /// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    pub fn introspection_client_id(mut self, id: impl Into<String>) -> Self {
        self.introspection.client_id = Some(id.into());
        self
    }

    /// Sets the file with the secret of the introspection client. It is read again for each
    /// request, because secrets rotate. It must exist at start.
    ///
    /// `PORTCULLIS_INTROSPECTION_SECRET_FILE`
    pub fn introspection_secret_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.introspection.secret_file = Some(path.into());
        self
    }

    /// Sets the claim of access tokens that names their session, for
    /// [`Revocation::feed`](crate::Revocation::feed): `sid` by default. `path` lists member names,
    /// from the outermost to the innermost.
    ///
    /// A token without this claim has no session, so the end of a session does not revoke it. A token whose
    /// claim has another type than a string or a number is rejected.
    ///
    /// ```
    /// # use portcullis::IssuerSettings;
    /// // Hydra: `session.access_token` of the consent response is in `ext`.
    /// let hydra = IssuerSettings::new("https://hydra.example", "https://api.example")
    ///     .session_at(["ext", "sid"]);
    /// ```
    ///
    /// `PORTCULLIS_SESSION_AT`: a claim's name, or a path as a JSON array.
    pub fn session_at<S: Into<String>>(mut self, path: impl IntoIterator<Item = S>) -> Self {
        self.session_at = path.into_iter().map(Into::into).collect();
        self
    }

    /// Accepts logout tokens of this issuer that are for one of these client IDs, at the
    /// [`LogoutReceiver`](crate::feed::LogoutReceiver): none by default.
    ///
    /// List the IDs of the clients that log users in and have this service's URL as their back-channel
    /// logout URI. They are not the audience of the access tokens.
    ///
    /// `PORTCULLIS_LOGOUT_CLIENTS`
    #[doc(alias("backchannel logout", "back-channel"))]
    pub fn logout_clients<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.logout.clients = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Accepts security event tokens ([RFC 8935]) of this issuer whose `aud` is one of these, at the
    /// [`LogoutReceiver`](crate::feed::LogoutReceiver): none by default.
    ///
    /// The issuer or the administrator chooses the audience when the event stream is created.
    ///
    /// `PORTCULLIS_EVENT_AUDIENCES`
    ///
    /// [RFC 8935]: https://www.rfc-editor.org/rfc/rfc8935
    #[doc(alias("CAEP", "shared signals", "SET"))]
    pub fn event_audiences<S: Into<String>>(
        mut self,
        audiences: impl IntoIterator<Item = S>,
    ) -> Self {
        self.logout.event_audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what a logout token with both `sid` and `sub` revokes: the session by default. The same
    /// holds for a security event token that names a session and its user.
    ///
    /// `PORTCULLIS_LOGOUT_MATCH`: `sid` or `sub`.
    pub fn logout_match(mut self, matches: LogoutMatch) -> Self {
        self.logout.matches = matches;
        self
    }

    /// Accepts logout tokens whose `typ` is `JWT` or absent, as Hydra and older issuers send them.
    ///
    /// By default, `typ` must be `logout+jwt`. Without it, only the claims distinguish a logout token
    /// from the issuer's other tokens: `events` must be present and `nonce` absent.
    ///
    /// `PORTCULLIS_UNTYPED_LOGOUT_TOKENS`
    pub fn untyped_logout_tokens(mut self) -> Self {
        self.logout.may_be_untyped = true;
        self
    }

    /// Sets a file with a bearer token for key fetches.
    ///
    /// The file is read again at each fetch. In Kubernetes, it is
    /// `/var/run/secrets/kubernetes.io/serviceaccount/token`. The token is sent only to the
    /// configured origin: that of the discovery URL, the JWKS URL or the issuer.
    ///
    /// `PORTCULLIS_FETCH_TOKEN_FILE`
    pub fn fetch_token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.token_file = Some(path.into());
        self
    }

    /// Sets how long a fetched key set is used before it is fetched again: 5 minutes by default.
    ///
    /// A key that the issuer withdraws is rejected after this time plus one fetch, with one retry
    /// if the fetch fails. A shorter TTL does **not** make the revocation of sessions faster: the
    /// tokens of a revoked session are accepted until they expire.
    ///
    /// `PORTCULLIS_JWKS_TTL_SECS`
    pub fn jwks_ttl(mut self, ttl: Duration) -> Self {
        self.keys.ttl = ttl;
        self
    }

    /// Sets the shortest TTL that the server's caching headers can cause: 10 seconds by default.
    ///
    /// It keeps a server that sends `max-age=1` from causing a fetch for every request.
    ///
    /// `PORTCULLIS_JWKS_MIN_TTL_SECS`
    pub fn min_ttl(mut self, min_ttl: Duration) -> Self {
        self.keys.min_ttl = Some(min_ttl);
        self
    }

    /// Sets how long before its TTL a key set is refreshed, so that no request waits for the fetch:
    /// a tenth of the TTL by default, at most 30 seconds.
    ///
    /// Services that start together spread their refreshes over an additional interval of the same
    /// length.
    ///
    /// `PORTCULLIS_JWKS_REFRESH_AHEAD_SECS`
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.keys.refresh_ahead = Some(ahead);
        self
    }

    /// Turns off the refresh of keys ahead of time.
    ///
    /// By default, a task on the tokio runtime refreshes them, even without requests. The task ends
    /// when the last clone of the authenticator is dropped.
    ///
    /// Use this setting on runtimes that freeze between requests. The first request after the TTL
    /// then waits for the fetch.
    ///
    /// `PORTCULLIS_JWKS_BACKGROUND_REFRESH`
    pub fn without_background_refresh(mut self) -> Self {
        self.keys.background_refresh = false;
        self
    }

    /// Obeys response headers that forbid caching the keys.
    ///
    /// `no-cache`, `no-store`, `max-age=0` and an `Expires` in the past shorten the TTL to
    /// [`min_ttl`](Self::min_ttl). After `no-cache`, `no-store` and `must-revalidate`, no stale
    /// keys are used in an outage ([RFC 9111 §5.2.2]).
    ///
    /// By default, these headers are ignored, because most issuers send them with every response.
    /// Then [`jwks_ttl`](Self::jwks_ttl) and [`max_stale`](Self::max_stale) apply, and only a
    /// positive `max-age` or an `Expires` in the future shortens the TTL.
    ///
    /// `PORTCULLIS_JWKS_OBEY_NO_CACHE`
    ///
    /// [RFC 9111 §5.2.2]: https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2
    #[doc(alias("cache-control", "must-revalidate", "no-store"))]
    pub fn obey_no_cache(mut self) -> Self {
        self.keys.obey_no_cache = true;
        self
    }

    /// Sets the maximum size of a key set or metadata document, in bytes: 512 KiB by default.
    ///
    /// `PORTCULLIS_JWKS_MAX_BODY_BYTES`
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.keys.max_body = bytes;
        self
    }

    /// Sets the maximum number of keys in a set: 200 by default. A larger set is rejected as a
    /// whole.
    ///
    /// `PORTCULLIS_JWKS_MAX_KEYS`
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.keys.max_keys = keys;
        self
    }

    /// Sets how long after its TTL a key set is used while the issuer is unreachable: 1 hour by
    /// default. After that, requests get 503.
    ///
    /// `PORTCULLIS_JWKS_MAX_STALE_SECS`
    pub fn max_stale(mut self, max_stale: Duration) -> Self {
        self.keys.max_stale = max_stale;
        self
    }

    /// Sets the time after which unknown `kid`s may cause one more key fetch, beyond the burst of
    /// 3: 30 seconds by default.
    ///
    /// It keeps forged tokens from turning into requests to the issuer. While the budget is spent,
    /// a token with an unknown `kid` gets 429. For
    /// [resolved issuers](crate::config::IssuerResolver) the burst is 8.
    ///
    /// `PORTCULLIS_JWKS_COOLDOWN_SECS`
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.keys.cooldown = cooldown;
        self
    }

    /// Sets the deadline of a whole fetch, discovery included: 5 seconds by default. No request
    /// waits longer for keys. It must be at most [`min_ttl`](Self::min_ttl), if that is set.
    ///
    /// `PORTCULLIS_FETCH_TIMEOUT_SECS`
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.keys.fetch_timeout = timeout;
        self
    }

    /// Sets the clock skew that `exp`, `nbf` and `iat` tolerate: 10 seconds by default, at most 5
    /// minutes. A token of a revoked session is accepted for up to the leeway after its `exp`. The
    /// [bound](crate::status::IssuerStatus::revocation_bound) contains the leeway twice, because
    /// `iat` may be in the future, too. The leeway does not extend how long a withdrawn key or a
    /// status list is used.
    ///
    /// `PORTCULLIS_LEEWAY_SECS`
    #[doc(alias("clock skew", "clock_skew"))]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Rejects tokens with a lifetime longer than `max`, from `iat` to `exp`.
    ///
    /// The revocation lag is then at most `max` plus twice the leeway, whatever the issuer does.
    /// Tokens without `iat` are rejected. No limit by default.
    ///
    /// `PORTCULLIS_MAX_TOKEN_LIFETIME_SECS`
    #[doc(alias("exp"))]
    pub fn max_token_lifetime(mut self, max: Duration) -> Self {
        self.max_token_lifetime = Some(max);
        self
    }

    /// Rejects tokens that were issued longer ago than `max`, regardless of their `exp`.
    ///
    /// The revocation lag is then at most `max` plus twice the leeway, even if the issuer's tokens
    /// last a day. Tokens without `iat` are rejected. Clients must get a new token before the old
    /// one reaches this age. No limit by default.
    ///
    /// `PORTCULLIS_MAX_TOKEN_AGE_SECS`
    pub fn max_token_age(mut self, max: Duration) -> Self {
        self.max_token_age = Some(max);
        self
    }

    /// Sets the claims that a token must have besides `iss`, `aud`, `exp` and those of the
    /// [profile](Self::profile). A `null` counts as absent. By default, no other claims are
    /// required.
    ///
    /// `PORTCULLIS_REQUIRED_CLAIMS`
    pub fn required_claims<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.required_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the accepted signature algorithms: by default, all asymmetric ones that the [crypto
    /// provider](crate::AuthenticatorBuilder::crypto_provider) supports. An RSA key without `alg` is
    /// used with every RSA algorithm of this list. The order does not matter. An algorithm that the
    /// provider does not support is an error.
    ///
    /// `PORTCULLIS_ALGORITHMS`
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Sets the kind of token: [`Profile::jwt`] by default.
    ///
    /// `PORTCULLIS_PROFILE`
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Starts even if the keys cannot be fetched yet. Requests get 503 until the fetch succeeds.
    ///
    /// `PORTCULLIS_START_WITHOUT_KEYS`
    pub fn start_without_keys(mut self) -> Self {
        self.start_without_keys = true;
        self
    }

    /// Takes keys from `source` instead of fetching them for this issuer. The source holds keys
    /// that the process already has ([`SharedKeySet`](crate::keys::SharedKeySet)), fetches a set
    /// that several issuers share ([`RemoteKeySet`](crate::keys::RemoteKeySet)), or is your own
    /// implementation.
    ///
    /// The fetch settings of this issuer, such as [`jwks_ttl`](Self::jwks_ttl), then do not apply:
    /// the source has its own. Status lists and introspection use the HTTP client of a
    /// `RemoteKeySet`, unless [`fetch`](Self::fetch) sets another one.
    pub fn key_source(mut self, source: impl KeySource) -> Self {
        self.origin.key_source = Some(GivenKeys::new(source));
        self
    }

    /// Fetches with `fetch` instead of the default HTTP client.
    ///
    /// In settings from an [`IssuerResolver`](crate::config::IssuerResolver), this client then
    /// decides which addresses a name may resolve to. URLs with a literal private address are still
    /// refused.
    pub fn fetch(mut self, fetch: impl Fetch) -> Self {
        self.origin.fetch = Some(Arc::new(fetch));
        self
    }
}

impl IssuerSettings {
    /// Whether both have the same settings for the same issuer.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        // All fields are destructured by name, so that a new one must be compared, too.
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
            session_at,
            logout,
            revocations: _,
            crypto: _,
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
            && *session_at == other.session_at
            && *logout == other.logout
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
