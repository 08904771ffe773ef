//! The builder of an [`Authenticator`]: the settings of the service and of the first issuer.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::issuer_settings::IssuerSettings;
use super::issuers::IssuerResolver;
use super::of_issuer::of_issuer;
use crate::algorithm::Algorithm;
use crate::clock::{Clock, default_clock};
use crate::credentials::{Credentials, TokenPlace};
use crate::crypto::{CryptoProvider, Provider};
use crate::fetch::Fetch;
use crate::jws::DEFAULT_MAX_TOKEN_BYTES;
use crate::kept_keys::KeptKeys;
use crate::key_source::KeySource;
use crate::profile::Profile;
use crate::refusal::{Refusal, RefusalBody, WriteBody};
use crate::resource::ProtectedResource;
use crate::revocation::LogoutMatch;
use crate::revocation::feed::Revocations;
use crate::token_cache;

/// Builds an [`Authenticator`](crate::Authenticator).
///
/// It has the settings of the service and those of the first issuer. Each method documents its
/// default and the environment variable that [`from_env`](AuthenticatorBuilder::from_env) reads.
///
/// ```
/// use std::time::Duration;
///
/// use portcullis::Authenticator;
/// # use portcullis::keys::SharedKeySet;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = || SharedKeySet::new(Default::default());
/// let auth = Authenticator::builder("https://auth.example", "https://api.example")
///     .max_token_lifetime(Duration::from_secs(900))
/// #   .key_source(keys())
///     .build()
///     .await?;
///
/// let builder = Authenticator::builder("https://auth.example", "https://api.example");
/// # let builder = builder.key_source(keys());
/// let error = builder.leeway(Duration::from_secs(3600)).build().await.unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "leeway (PORTCULLIS_LEEWAY_SECS) is \"3600\": it must be from 0 to 300 seconds"
/// );
/// # let _ = auth; Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "nothing is checked before `build`"]
pub struct AuthenticatorBuilder {
    /// `None` if all issuers come from a resolver.
    pub(super) issuer: Option<IssuerSettings>,
    /// A setting of the first issuer that was set although there is no first issuer.
    pub(super) misplaced: Option<&'static str>,
    pub(super) others: Vec<IssuerSettings>,
    pub(super) resolver: Option<Arc<dyn IssuerResolver>>,
    pub(super) realm: String,
    pub(super) token_places: Vec<TokenPlace>,
    pub(super) credentials: Credentials,
    pub(super) token_cache: usize,
    pub(super) max_token_bytes: usize,
    pub(super) resource: Option<ProtectedResource>,
    pub(super) write_body: Option<WriteBody>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) kept_keys: Option<KeptKeysSetting>,
    pub(super) revocations: Option<Revocations>,
    pub(super) crypto: Option<Provider>,
}

/// The store for key sets that outlive the process.
#[derive(Debug, Clone)]
pub(super) enum KeptKeysSetting {
    File(PathBuf),
    Elsewhere(Arc<dyn KeptKeys>),
}

of_issuer! {
    AuthenticatorBuilder, ", of the first issuer.";
    also_audience(audience: impl Into<String>);
    jwks_url(url: impl Into<String>);
    discovery_url(url: impl Into<String>);
    jwks_file(path: impl Into<PathBuf>);
    allow_http_host(host: impl Into<String>);
    ca_file(path: impl Into<PathBuf>);
    status_lists(prefix: impl Into<String>);
    introspection_url(url: impl Into<String>);
    introspection_client_id(id: impl Into<String>);
    introspection_secret_file(path: impl Into<PathBuf>);
    session_at[S: Into<String>](path: impl IntoIterator<Item = S>);
    logout_clients[S: Into<String>](ids: impl IntoIterator<Item = S>);
    event_audiences[S: Into<String>](audiences: impl IntoIterator<Item = S>);
    logout_match(matches: LogoutMatch);
    untyped_logout_tokens();
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
    leeway(leeway: Duration);
    max_token_lifetime(max: Duration);
    max_token_age(max: Duration);
    required_claims[N: Into<String>](names: impl IntoIterator<Item = N>);
    algorithms(algorithms: impl IntoIterator<Item = Algorithm>);
    profile(profile: Profile);
    start_without_keys();
    key_source(source: impl KeySource);
    fetch(fetch: impl Fetch);
}

impl AuthenticatorBuilder {
    /// Creates a builder with the settings of the first issuer.
    pub fn new(issuer: IssuerSettings) -> Self {
        Self { issuer: Some(issuer), ..Self::without_issuer() }
    }

    /// Changes a setting of the first issuer. `setting` is its name, for the error if there is no
    /// first issuer.
    fn of_issuer(
        mut self,
        setting: &'static str,
        change: impl FnOnce(IssuerSettings) -> IssuerSettings,
    ) -> Self {
        match self.issuer {
            Some(issuer) => self.issuer = Some(change(issuer)),
            None => self.misplaced = Some(setting),
        }
        self
    }

    /// Creates a builder without a first issuer, for a resolver.
    pub(super) fn without_issuer() -> Self {
        Self {
            issuer: None,
            misplaced: None,
            others: Vec::new(),
            resolver: None,
            realm: "api".to_owned(),
            token_places: vec![TokenPlace::authorization()],
            credentials: Credentials::default(),
            token_cache: token_cache::DEFAULT_BYTES,
            max_token_bytes: DEFAULT_MAX_TOKEN_BYTES,
            resource: None,
            write_body: None,
            clock: default_clock(),
            kept_keys: None,
            revocations: None,
            crypto: Provider::built_in(),
        }
    }

    /// Adds an issuer with its own settings.
    ///
    /// A token is validated with the settings and the keys of the issuer that its `iss` names, and
    /// no other. Each issuer has its own fetches and its own fetch budget.
    ///
    /// ```
    /// # use portcullis::{Authenticator, IssuerSettings};
    /// let builder = Authenticator::builder("https://staff.example", "https://api.example")
    ///     .also_issuer(IssuerSettings::new("https://partners.example/", "api-7"));
    /// ```
    pub fn also_issuer(mut self, other: IssuerSettings) -> Self {
        self.others.push(other);
        self
    }

    /// Accepts tokens of issuers that are only known at run time, such as one for each tenant.
    ///
    /// `resolver` decides which issuers are trusted. Without any other issuer, start with
    /// [`Authenticator::builder_with_resolver`](crate::Authenticator::builder_with_resolver).
    pub fn issuer_resolver(mut self, resolver: impl IssuerResolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Sets the `realm` in challenges: `api` by default.
    ///
    /// `PORTCULLIS_REALM`
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Publishes metadata with the issuers that this service trusts ([RFC 9728]). Challenges link
    /// to it. An MCP server needs only this call for its clients to discover the issuer.
    ///
    /// The adapters serve it at the well-known path of the resource, without a token and with CORS
    /// headers for any origin. They answer preflights (`OPTIONS`), too.
    ///
    /// `PORTCULLIS_RESOURCE`
    ///
    /// [RFC 9728]: https://www.rfc-editor.org/rfc/rfc9728
    pub fn protected_resource(mut self, resource: impl Into<ProtectedResource>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Gives refusals a problem document (RFC 9457) as their body, with the status and fixed texts.
    /// The setting has an effect only if the adapter can make a body from bytes. By default,
    /// refusals have no body. The headers do not change.
    ///
    /// `PORTCULLIS_PROBLEM_JSON`
    pub fn problem_json(self) -> Self {
        self.refusal_body(RefusalBody::problem)
    }

    /// Gives refusals a custom body. It cannot replace a header: the status and the challenge do
    /// not change.
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

    /// Sets the places where a token is read: [`TokenPlace::authorization`] alone by default. The
    /// list replaces the default, so include `authorization` if you still want it.
    ///
    /// A place that is not listed is not read. A request with tokens in two listed places is
    /// refused with 400, even if the tokens are equal. A [`Gate`](crate::Gate::token_places) may
    /// have its own list. An empty list requires a [`cookie`](Self::cookie), which is not part of
    /// the list.
    ///
    /// ```
    /// # use portcullis::{Authenticator, token::TokenPlace};
    /// // Behind a proxy that authenticates by itself and forwards the token.
    /// let builder = Authenticator::builder("https://auth.example", "https://api.example")
    ///     .token_places([TokenPlace::header("X-Forwarded-Access-Token")]);
    /// ```
    ///
    /// `PORTCULLIS_TOKEN_PLACES`
    pub fn token_places(mut self, places: impl IntoIterator<Item = TokenPlace>) -> Self {
        self.token_places = places.into_iter().collect();
        self
    }

    /// Reads the token from this cookie when no [`token_places`](Self::token_places) entry has one.
    ///
    /// By default, no cookie is read. An empty cookie counts as absent. See
    /// [`ACCESS_COOKIE`](crate::token::ACCESS_COOKIE).
    ///
    /// Requests that may change state, including WebSocket handshakes, are refused with 403 unless
    /// they come from a page of this origin or of a [trusted origin](Self::also_trusted_origin).
    /// Browsers send a cookie named `__Host-…` or `__Secure-…` over https only. With such a name, a
    /// page that this host serves over plain http does not count as a page of this origin.
    ///
    /// `PORTCULLIS_COOKIE`
    pub fn cookie(mut self, name: impl Into<String>) -> Self {
        self.credentials.cookie = Some(name.into());
        self
    }

    /// Adds a trusted origin, such as `https://app.example`. Its pages may use the cookie for
    /// requests that may change state.
    ///
    /// `PORTCULLIS_TRUSTED_ORIGINS`
    pub fn also_trusted_origin(mut self, origin: impl Into<String>) -> Self {
        self.credentials.trusted_origins.push(origin.into());
        self
    }

    /// Sets the maximum memory of the token cache, in bytes: 32 MiB by default, 0 turns it off.
    ///
    /// On a cache hit, the signature is not verified again: only the time and the current keys are
    /// checked.
    ///
    /// `PORTCULLIS_TOKEN_CACHE_BYTES`
    pub fn token_cache_bytes(mut self, bytes: usize) -> Self {
        self.token_cache = bytes;
        self
    }

    /// Sets the maximum length of a token, in bytes: 16 KiB by default, from 1 KiB to 1 MiB. A
    /// longer token is rejected with 401 before it is parsed.
    ///
    /// HTTP servers limit the size of headers, too.
    ///
    /// `PORTCULLIS_MAX_TOKEN_BYTES`
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// Stores the last good key set of each issuer in this file, with its time and source, so that
    /// the service can start while an issuer is unreachable.
    ///
    /// By default, nothing is stored, and such a start fails. The directory must exist, and only
    /// this process should be able to write to it.
    ///
    /// At start, each issuer is tried first. If it is unreachable, the stored keys are used until
    /// they are [`jwks_ttl`](Self::jwks_ttl) plus [`max_stale`](Self::max_stale) old, counted from
    /// their fetch. The log and [`status`](crate::Authenticator::status) report the use of stored
    /// keys. Stored keys are ignored, with a reason in the log, if they are too old or from another
    /// source than the configured one. They are also ignored if the file is damaged or if others
    /// than its owner can write to it.
    ///
    /// The file is written after each successful fetch: atomically, with mode 0600. It contains no
    /// secret, but anyone who can write to it chooses the keys that the service trusts when it
    /// starts while an issuer is unreachable.
    ///
    /// `PORTCULLIS_KEPT_KEYS_FILE`
    pub fn kept_keys_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.kept_keys = Some(KeptKeysSetting::File(path.into()));
        self
    }

    /// Stores key sets in `store`, as [`kept_keys_file`](Self::kept_keys_file) does in a file.
    pub fn kept_keys(mut self, store: impl KeptKeys) -> Self {
        self.kept_keys = Some(KeptKeysSetting::Elsewhere(Arc::new(store)));
        self
    }

    /// Sets the revocations that routes with [`Revocation::feed`](crate::Revocation::feed) apply:
    /// none by default. See [`feed`](crate::feed).
    ///
    /// `build` loads them. If their store is unavailable, the service starts, is not
    /// [`ready`](crate::Authenticator::ready), and such routes respond with 503. Every issuer needs a
    /// [`max_token_lifetime`](Self::max_token_lifetime) or a [`max_token_age`](Self::max_token_age):
    /// it bounds how long a revocation is kept.
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Sets the [crypto provider](crate::crypto) that verifies all signatures for this service:
    /// aws-lc by default. Without the feature `aws-lc` there is no default.
    ///
    /// Keys of a [`key_source`](Self::key_source) may have been parsed with another provider. They
    /// are parsed again, once for each key.
    ///
    /// ```
    /// # #[cfg(feature = "aws-lc")] {
    /// use portcullis::{Authenticator, crypto::AwsLc};
    ///
    /// let builder = Authenticator::builder("https://auth.example", "https://api.example")
    ///     .crypto_provider(&AwsLc);
    /// # }
    /// ```
    #[doc(alias("graviola", "aws_lc", "fips", "ring"))]
    pub fn crypto_provider(mut self, provider: &'static dyn CryptoProvider) -> Self {
        self.crypto = Some(Provider::new(provider));
        self
    }

    /// Sets the clock: the system clock by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl fmt::Debug for AuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatorBuilder")
            .field("issuer", &self.issuer)
            .field("others", &self.others)
            .finish_non_exhaustive()
    }
}
