//! Building an [`Authenticator`]: the first issuer's settings, and the service's.

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
use crate::fetch::Fetch;
use crate::jws::DEFAULT_MAX_TOKEN_BYTES;
use crate::kept_keys::KeptKeys;
use crate::key_source::KeySource;
use crate::profile::Profile;
use crate::refusal::{Refusal, RefusalBody, WriteBody};
use crate::resource::ProtectedResource;
use crate::token_cache;

/// Builds an [`Authenticator`](crate::Authenticator).
///
/// It has the settings of the service, and those of the first issuer. Each documents its default
/// and the variable that [`from_env`](AuthenticatorBuilder::from_env) reads instead.
#[derive(Clone)]
#[must_use = "nothing is checked before `build`"]
pub struct AuthenticatorBuilder {
    /// `None` where all issuers are a resolver's.
    pub(super) issuer: Option<IssuerSettings>,
    /// A setting of the first issuer that was set although there is none.
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
}

/// Where key sets are kept for the next start.
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
    /// Starts with the settings of the first issuer.
    pub fn new(issuer: IssuerSettings) -> Self {
        Self { issuer: Some(issuer), ..Self::without_issuer() }
    }

    /// The first issuer, changed by its setting of this name.
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

    /// Starts without an issuer: for those of a resolver.
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
        }
    }

    /// Accepts the tokens of another issuer as well, by that issuer's own settings.
    ///
    /// A token is judged by the settings of the issuer that its `iss` names, and by that issuer's
    /// keys alone; each issuer has its own fetches and its own budget.
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

    /// Accepts the tokens of issuers that are only known at run time, such as one for each tenant:
    /// those that `resolver` vouches for. Without any other issuer, start with
    /// [`Authenticator::builder_with_resolver`](crate::Authenticator::builder_with_resolver).
    pub fn issuer_resolver(mut self, resolver: impl IssuerResolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// The `realm` in challenges: `api` by default.
    ///
    /// `PORTCULLIS_REALM`
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Publishes metadata that say whose tokens this service accepts ([RFC 9728]); challenges link
    /// to them. This one call is all that an MCP server needs for its clients to find the issuer.
    ///
    /// The adapters answer at the well-known path of the resource, without a token and for any page:
    /// preflights (`OPTIONS`) too.
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

    /// Gives refusals a body of your own. It cannot replace a header: the status and the challenge
    /// stay as they are.
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

    /// Where a token may stand: [`TokenPlace::authorization`] alone by default. The list replaces the
    /// default, so list Authorization too if it is still wanted.
    ///
    /// A place that is not listed is not read. A request with tokens in two places of the list is
    /// refused with 400, even if they agree. A [`Gate`](crate::Gate::token_places) may have its own
    /// list. An empty list needs a [`cookie`](Self::cookie), which is not part of the list.
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

    /// Reads the token from this cookie when none of the [`token_places`](Self::token_places) holds one;
    /// by default no cookie is read. An empty cookie counts as absent. See
    /// [`ACCESS_COOKIE`](crate::token::ACCESS_COOKIE).
    ///
    /// Requests that could change something, WebSocket handshakes among them, are refused with 403
    /// unless a page of this origin, or of a [trusted origin](Self::also_trusted_origin), sent them. With a
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
    pub fn also_trusted_origin(mut self, origin: impl Into<String>) -> Self {
        self.credentials.trusted_origins.push(origin.into());
        self
    }

    /// The maximum memory for tokens that were verified before, in bytes: 32 MiB by default. A
    /// token that comes again is not verified again, only checked against the clock and the current
    /// keys. 0 turns this cache off.
    ///
    /// `PORTCULLIS_TOKEN_CACHE_BYTES`
    pub fn token_cache_bytes(mut self, bytes: usize) -> Self {
        self.token_cache = bytes;
        self
    }

    /// The longest token that is read, in bytes: 16 KiB by default, from 1 KiB to 1 MiB. A longer
    /// one is refused with 401 before it is parsed. Servers limit the size of headers, too.
    ///
    /// `PORTCULLIS_MAX_TOKEN_BYTES`
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// Keeps the last good key set of each issuer, with its time and source, in this file, for a start
    /// while an issuer cannot be reached. By default nothing is kept, and such a start fails. The
    /// directory must be there, and this process alone should be able to write it.
    ///
    /// At the start each issuer is asked first. If it cannot be reached, the kept keys are used until
    /// they are [`jwks_ttl`](Self::jwks_ttl) and [`max_stale`](Self::max_stale) old, counted from when
    /// they were fetched, and the log and [`status`](crate::Authenticator::status) say so. Keys are
    /// ignored, with a reason in the log, if the file is damaged, if others than its owner may write
    /// it, or if they are too old or from another source than the settings name.
    ///
    /// The file is written after each successful fetch: atomically, with mode 0600. It holds no secret,
    /// but whoever can write it chooses the keys that a service trusts at such a start.
    ///
    /// `PORTCULLIS_KEPT_KEYS_FILE`
    pub fn kept_keys_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.kept_keys = Some(KeptKeysSetting::File(path.into()));
        self
    }

    /// As [`kept_keys_file`](Self::kept_keys_file), kept by `store`.
    pub fn kept_keys(mut self, store: impl KeptKeys) -> Self {
        self.kept_keys = Some(KeptKeysSetting::Elsewhere(Arc::new(store)));
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
            .field("others", &self.others)
            .finish_non_exhaustive()
    }
}
