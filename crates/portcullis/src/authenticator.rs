//! The path of a request through the crate: find the token, parse it, get its key, verify the
//! signature, validate the claims. Every step returns a narrower type or a [`Refusal`].

mod build;
mod builder;
mod checks;
mod config_error;
mod env;
mod foreign;
mod introspection_settings;
mod issuer_settings;
mod issuers;
mod key_origin;
mod key_settings;
mod of_issuer;
mod remote_key_set;
mod start;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::anonymous::Anonymous;
use crate::authenticated::{Authenticated, Origin};
use crate::claims::{Marks, NumericDate, RegisteredClaims};
use crate::clock::Readings;
use crate::credentials::{BareToken, BearerToken, Credentials};
use crate::error::TokenError;
use crate::fetch::FetchError;
use crate::issuer::{IssuerStatus, TrustedIssuer};
use crate::jws::{CompactJws, KnownHeaders, TokenType};
use crate::key::{CandidateKeys, KeyRequest, Payload};
use crate::key_source::ResolveError;
use crate::maybe_ready::MaybeReady;
use crate::metrics::Tokens;
use crate::refusal::ProtectionSpace;
use crate::refusal::{Refusal, Site, Unreported, Wanted, reported};
use crate::request::{Erased, RequestView};
use crate::revocation::Means;
use crate::revocation::feed::Revocations;
use crate::streams::Renews;
use crate::token_cache::{Recalled, TokenCache};
use issuers::Issuers;

pub use builder::AuthenticatorBuilder;
pub(crate) use checks::check_places;
pub use config_error::ConfigError;
pub use issuer_settings::IssuerSettings;
pub use issuers::IssuerResolver;
pub use remote_key_set::RemoteKeySetBuilder;

/// The caller; `None` for a request without a token.
pub(crate) type Verdict = Result<Option<Authenticated>, Unreported>;

/// Authenticates requests by their tokens, locally, without a request to the issuer.
///
/// It is immutable and cheap to clone. One authenticator serves a whole application.
///
/// ```
/// use portcullis::{Authenticator, keys::{KeySet, SharedKeySet}, refusal::RefusalKind};
/// use http::{HeaderMap, header::AUTHORIZATION};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = SharedKeySet::new(KeySet::from_json(br#"{"keys":[]}"#)?);
/// // Usually without `key_source`: the keys are then discovered below the issuer's URL.
/// let auth = Authenticator::builder("https://auth.example", "https://api.example")
///     .key_source(keys)
///     .build()
///     .await?;
///
/// let mut headers = HeaderMap::new();
/// let refusal = auth.authenticate(&headers).await.unwrap_err();
/// assert_eq!(refusal.kind(), RefusalKind::MissingToken);
/// assert_eq!(refusal.challenge().unwrap(), r#"Bearer realm="api""#);
///
/// headers.insert(AUTHORIZATION, "Bearer not.a.token".parse()?);
/// let refusal = auth.authenticate(&headers).await.unwrap_err();
/// assert_eq!(refusal.kind(), RefusalKind::InvalidToken);
/// # Ok(()) }
/// ```
#[doc(alias("jwt", "bearer", "jwks", "oidc", "validator"))]
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    credentials: Arc<Credentials>,
    issuers: Issuers,
    space: Arc<ProtectionSpace>,
    headers: KnownHeaders,
    /// The accepted tokens; `None` if the token cache is off.
    seen: Option<TokenCache<Authenticated>>,
    tokens: Tokens,
    max_token_bytes: usize,
    runtime: Option<Handle>,
    revocations: Option<Revocations>,
}

impl Authenticator {
    /// Creates a builder with the two required settings.
    ///
    /// `issuer` is the exact value of `iss`, compared byte for byte. By default, the keys are
    /// discovered below this URL. `audience` is the identifier of this API, which `aud` must
    /// contain.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> AuthenticatorBuilder {
        AuthenticatorBuilder::new(IssuerSettings::new(issuer, audience))
    }

    /// Builds an authenticator from the `PORTCULLIS_*` environment variables; see
    /// [`Setting`](crate::config::Setting).
    ///
    /// # Errors
    ///
    /// An error if a setting is missing or invalid, or if the keys cannot be fetched.
    pub async fn from_env() -> Result<Self, ConfigError> {
        AuthenticatorBuilder::from_env()?.build().await
    }

    /// Creates a builder whose issuers are all known only at run time, such as one for each tenant.
    /// `resolver` decides which issuers are trusted.
    ///
    /// The builder then has no first issuer. A setting of an issuer, such as
    /// [`jwks_url`](AuthenticatorBuilder::jwks_url), belongs in the settings that the resolver
    /// returns; on this builder, it makes `build` fail. Nothing is fetched at start,
    /// [`ready`](Self::ready) returns `true` at once, and [`status`](Self::status) lists the
    /// issuers that were resolved so far. The metadata of a
    /// [`protected_resource`](AuthenticatorBuilder::protected_resource) has no issuer, unless you
    /// add a member `authorization_servers`.
    ///
    /// ```
    /// use portcullis::{Authenticator, IssuerSettings, config::IssuerResolver};
    ///
    /// struct Tenants;
    ///
    /// impl IssuerResolver for Tenants {
    ///     fn resolve(&self, issuer: &str) -> Option<IssuerSettings> {
    ///         let is_tenant = issuer == "https://a.tenants.example";
    ///         is_tenant.then(|| IssuerSettings::new(issuer, "https://api.example"))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let auth = Authenticator::builder_with_resolver(Tenants).build().await?;
    /// assert!(auth.ready() && auth.status().is_empty());
    ///
    /// let misplaced = Authenticator::builder_with_resolver(Tenants).jwks_url("https://a.example/keys");
    /// assert!(misplaced.build().await.unwrap_err().to_string().starts_with("jwks_url is a setting of"));
    /// # Ok(()) }
    /// ```
    pub fn builder_with_resolver(resolver: impl IssuerResolver) -> AuthenticatorBuilder {
        AuthenticatorBuilder::without_issuer().issuer_resolver(resolver)
    }

    /// Returns the caller, by the token alone. A request without a token is refused.
    ///
    /// It does not check whether the token was revoked.
    /// [`Gate::authenticate`](crate::Gate::authenticate) does, and returns the same verdict as an
    /// adapter.
    ///
    /// `request` is a [`http::Request`], its [`Parts`](http::request::Parts) or its
    /// [`HeaderMap`](http::HeaderMap).
    ///
    /// ```
    /// use http::{HeaderMap, StatusCode};
    /// use portcullis::Authenticator;
    ///
    /// async fn greet(auth: &Authenticator, headers: &HeaderMap) -> (StatusCode, String) {
    ///     match auth.authenticate(headers).await {
    ///         Ok(who) => (StatusCode::OK, format!("hello {}", who.subject().unwrap_or("stranger"))),
    ///         Err(refusal) => (refusal.status(), refusal.detail().to_owned()),
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let keys = portcullis::keys::SharedKeySet::new(Default::default());
    /// # let auth = Authenticator::builder("https://auth.example", "https://api.example");
    /// # let auth = auth.key_source(keys).build().await?;
    /// let (status, detail) = greet(&auth, &HeaderMap::new()).await;
    /// assert_eq!((status, detail.as_str()), (StatusCode::UNAUTHORIZED, "An access token is required"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to answer the client with.
    pub fn authenticate<R: RequestView + ?Sized>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<Authenticated, Refusal>> + Send + use<R> {
        let verdict = self.decide(request, &self.0.credentials, Means::Expiry);
        let anonymous = self.anonymous();
        let caller = verdict.map(move |verdict| verdict?.ok_or_else(|| anonymous.refused()));
        reported(caller, || Site::of(request, None)).into_future()
    }

    /// Like [`authenticate`](Self::authenticate), but ready at once if nothing must be fetched.
    /// `None` for a request without a token.
    pub fn attempt<R: RequestView + ?Sized>(
        &self,
        request: &R,
    ) -> MaybeReady<Result<Option<Authenticated>, Refusal>> {
        let verdict = self.decide(request, &self.0.credentials, Means::Expiry);
        reported(verdict, || Site::of(request, None))
    }

    /// Decides on a request: the token, its issuer, its key, the signature, the claims, and the
    /// revocation status. All entry points end here. The verdict is ready at once if nothing must
    /// be fetched, so a typical request never suspends and allocates no future.
    pub(crate) fn decide<R: RequestView + ?Sized>(
        &self,
        request: &R,
        places: &Credentials,
        means: Means,
    ) -> MaybeReady<Verdict> {
        let inner = &self.0;
        let token = match places.find(request) {
            Ok(Some(token)) => token,
            Ok(None) => return MaybeReady::Ready(Ok(None)),
            Err(error) => {
                return MaybeReady::Ready(Err(Unreported::credentials(error, &inner.space)));
            }
        };
        self.decide_token(&token, &Erased(request), means)
    }

    /// Like [`decide`](Self::decide), for a token that was found before or came without a request.
    /// All reads of `request` happen before this function returns.
    pub(crate) fn decide_token(
        &self,
        token: &BearerToken<'_>,
        request: &dyn RequestView,
        means: Means,
    ) -> MaybeReady<Verdict> {
        let known = self.0.recall(token.bytes(), request, means);
        self.0.decide_recalled(known, token, request, means)
    }

    /// Returns the [`Anonymous`] for a request without a token. This method is for adapters.
    #[must_use]
    pub fn anonymous(&self) -> Anonymous {
        Anonymous { space: self.0.space.clone() }
    }

    /// The runtime that the authenticator was built on.
    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.0.runtime.as_ref()
    }

    pub(crate) fn space(&self) -> &ProtectionSpace {
        &self.0.space
    }

    /// The first configured issuer without introspection.
    pub(crate) fn without_introspection(&self) -> Option<&str> {
        let mut issuers = self.0.issuers.configured();
        issuers.find(|issuer| !issuer.introspections.are_possible()).map(TrustedIssuer::name)
    }

    pub(crate) fn revocations(&self) -> Option<&Revocations> {
        self.0.revocations.as_ref()
    }

    /// The issuer that a logout token claims to be from.
    pub(crate) fn claimed_issuer(
        &self,
        jws: &CompactJws<'_>,
        request: &dyn RequestView,
    ) -> Result<Arc<TrustedIssuer>, TokenError> {
        let issuer = self.0.issuers.of(jws, request)?;
        self.0.issuers.check_claimed(jws, &issuer)?;
        Ok(issuer)
    }

    /// Whether any issuer may send logout tokens or security event tokens.
    pub(crate) fn may_receive_logouts(&self) -> bool {
        let issuers = &self.0.issuers;
        self.0.revocations.is_some()
            && (issuers.has_resolver()
                || issuers.configured().any(|issuer| issuer.logout.accept_any()))
    }

    /// Where tokens are read from, unless a gate has its own list.
    pub(crate) fn credentials(&self) -> &Arc<Credentials> {
        &self.0.credentials
    }

    /// Returns the status of each issuer: the configured ones, then the resolved ones.
    #[must_use]
    pub fn status(&self) -> Vec<IssuerStatus> {
        self.0.issuers.all().iter().map(|issuer| issuer.status()).collect()
    }

    /// Returns whether the tokens of at least one configured issuer can be validated: for a
    /// readiness probe.
    ///
    /// With several issuers, an unreachable one does not take the service out of traffic;
    /// [`status`](Self::status) has the state of each. If all issuers come from a resolver, they are
    /// always ready. With [`revocations`](AuthenticatorBuilder::revocations), the service is ready
    /// only after they were loaded once. Never causes a fetch.
    #[must_use]
    pub fn ready(&self) -> bool {
        let issuers = &self.0.issuers;
        let are_revocations_loaded = self.0.revocations.as_ref().is_none_or(Revocations::is_loaded);
        are_revocations_loaded
            && (issuers.are_all_resolved() || issuers.configured().any(TrustedIssuer::is_ready))
    }

    /// Fetches the keys of every issuer that has no usable keys.
    ///
    /// Call it before the first request if the service started with
    /// [`start_without_keys`](AuthenticatorBuilder::start_without_keys). Issuers with usable keys
    /// are not fetched.
    ///
    /// # Errors
    ///
    /// The errors are those of [`refresh`](Self::refresh).
    pub async fn warm_up(&self) -> Result<(), FetchError> {
        self.fetch_keys(|issuer| !issuer.is_ready()).await
    }

    /// Fetches the keys of every issuer now, for example after a key was withdrawn in an emergency.
    ///
    /// # Errors
    ///
    /// The first failure, if the keys of an issuer cannot be fetched. The current keys of that
    /// issuer stay in use, and the keys of the other issuers are still fetched.
    pub async fn refresh(&self) -> Result<(), FetchError> {
        self.fetch_keys(|_| true).await
    }

    /// Forgets the [`IssuerResolver`]'s answer for `rule_set`.
    ///
    /// The next token of the rule set causes another call of the resolver, even if the token is
    /// cached. Call this method when a tenant is offboarded or its settings change.
    ///
    /// `rule_set` is the name from [`IssuerResolver::select`]: by default the issuer. This method
    /// has no effect on the issuers that the authenticator was built with.
    ///
    /// The [streams](crate::streams) of the rule set end, also those of earlier answers of the
    /// resolver.
    pub fn forget(&self, rule_set: &str) {
        self.0.issuers.forget(rule_set);
    }

    async fn fetch_keys(&self, of: impl Fn(&TrustedIssuer) -> bool) -> Result<(), FetchError> {
        let mut outcome = Ok(());
        for issuer in self.0.issuers.all().into_iter().filter(|issuer| of(issuer)) {
            outcome = outcome.and(issuer.keys.source().refresh().await);
        }
        outcome
    }
}

/// Issuers sign refresh tokens with a secret that only they have, so a symmetric algorithm together
/// with a `typ` claim of another kind of token suggests a refresh token. The claim is not verified:
/// it only selects the text for the operator.
fn refuse_algorithm(jws: &CompactJws<'_>) -> TokenError {
    let algorithm = jws.header().algorithm;
    let mark = algorithm.is_symmetric().then(|| jws.peek(Marks::foreign_type).ok().flatten());
    match mark.flatten() {
        Some(mark) => TokenError::NotAnAccessToken { mark },
        None => TokenError::AlgorithmNotAllowed { algorithm },
    }
}

/// The caller, if the token was not revoked.
fn standing(who: Authenticated, means: Means) -> MaybeReady<Verdict> {
    match who.stands(means) {
        MaybeReady::Ready(stands) => MaybeReady::Ready(stands.map(|()| Some(who))),
        pending => pending.map(|stands| stands.map(|()| Some(who))),
    }
}

impl Inner {
    /// Decides on a token after the lookup in the token cache. `known` is the result of
    /// [`recall`](Self::recall).
    fn decide_recalled(
        self: &Arc<Self>,
        known: Option<(Authenticated, bool)>,
        token: &BearerToken<'_>,
        request: &dyn RequestView,
        means: Means,
    ) -> MaybeReady<Verdict> {
        self.tokens.judged(known.is_some());
        match known {
            Some((who, true)) => MaybeReady::Ready(Ok(Some(who))),
            Some((who, false)) => standing(who, means),
            None => self.decide_anew(token, request, means),
        }
    }

    /// The caller of a cached token, and whether the token is known not to be revoked. Everything
    /// that can change is checked again. `None` is a cache miss: the token is then validated in
    /// full, and may be rejected.
    fn recall(
        &self,
        token: &[u8],
        request: &dyn RequestView,
        means: Means,
    ) -> Option<(Authenticated, bool)> {
        let seen = self.seen.as_ref()?;
        let known = |who: &Authenticated| {
            if !self.issuers.has_selected(&who.origin().issuer, request) {
                return Recalled::Elsewhere;
            }
            let readings = Readings::of(&self.space.clock);
            if !self.still_holds(who, &readings) {
                return Recalled::Ended;
            }
            Recalled::Holds((who.clone(), who.plainly_stands(means, &readings)))
        };
        seen.recall(token, known)
    }

    /// Checks what can change after a token was accepted: whether its issuer is still trusted, its
    /// key is still current, and the current time is within its validity period. The key's
    /// freshness is decided by the same table as on a cache miss.
    fn still_holds(&self, who: &Authenticated, readings: &Readings<'_>) -> bool {
        let Origin { issuer, key, .. } = who.origin();
        let wanted = KeyRequest::new(who.key_id(), who.algorithm());
        let now = || NumericDate::from(readings.wall());
        self.issuers.still_has(issuer, || readings.at())
            && issuer.keys.is_current(&wanted, key, || readings.at())
            && issuer.rules.check_time(who.registered(), now()).is_ok()
    }

    /// Decides on a token that is not cached.
    fn decide_anew(
        self: &Arc<Self>,
        token: &BearerToken<'_>,
        request: &dyn RequestView,
        means: Means,
    ) -> MaybeReady<Verdict> {
        let parsed = CompactJws::parse_knowing(token.bytes(), self.max_token_bytes, &self.headers);
        // Three parts of base64url have only valid characters.
        if !parsed.as_ref().is_ok_and(CompactJws::is_base64url)
            && let Err(error) = token.text()
        {
            return MaybeReady::Ready(Err(Unreported::credentials(error, &self.space)));
        }
        let (jws, issuer) = match self.read(parsed, request) {
            Ok(read) => read,
            Err(refusal) => return MaybeReady::Ready(Err(refusal)),
        };
        let header = jws.header();
        let wanted = KeyRequest::new(header.key_id.as_deref(), header.algorithm);
        let fetched = match issuer.keys.source().resolve(&wanted) {
            MaybeReady::Ready(Ok(keys)) => return self.judge(&jws, issuer, &keys, means),
            MaybeReady::Ready(Err(error)) => Err(error),
            MaybeReady::Pending(keys) => Ok(keys),
        };
        // No keys are fetched for a token that names another issuer.
        if let Err(error) = self.issuers.check_claimed(&jws, &issuer) {
            return MaybeReady::Ready(Err(self.refuse(error, &issuer)));
        }
        match fetched {
            Err(error) => MaybeReady::Ready(Err(self.unresolved(error, &issuer))),
            Ok(keys) => {
                let (inner, jws) = (self.clone(), jws.to_owned());
                MaybeReady::pending(async move {
                    let keys = keys.await.map_err(|error| inner.unresolved(error, &issuer))?;
                    // The keys were fetched for this token, so there are no newer ones.
                    let who = inner.accept(&jws.borrow(), &issuer, &keys);
                    standing(who.map_err(|error| inner.refuse(error, &issuer))?, means).await
                })
            }
        }
    }

    /// Decides on a token whose keys are in memory. If no key verifies its signature, the issuer
    /// may have replaced a key under its `kid`.
    fn judge(
        self: &Arc<Self>,
        jws: &CompactJws<'_>,
        issuer: Arc<TrustedIssuer>,
        keys: &CandidateKeys,
        means: Means,
    ) -> MaybeReady<Verdict> {
        let verdict = match self.accept(jws, &issuer, keys) {
            Err(TokenError::Signature) => {
                let header = jws.header();
                let wanted = KeyRequest::new(header.key_id.as_deref(), header.algorithm);
                match issuer.keys.source().replaced(&wanted, keys) {
                    MaybeReady::Ready(None) => Err(TokenError::Signature),
                    MaybeReady::Ready(Some(others)) => self.accept(jws, &issuer, &others),
                    MaybeReady::Pending(others) => {
                        let (inner, jws) = (self.clone(), jws.to_owned());
                        return MaybeReady::pending(async move {
                            let verdict = match others.await {
                                None => Err(TokenError::Signature),
                                Some(others) => inner.accept(&jws.borrow(), &issuer, &others),
                            };
                            let who = verdict.map_err(|error| inner.refuse(error, &issuer))?;
                            standing(who, means).await
                        });
                    }
                }
            }
            verdict => verdict,
        };
        match verdict {
            Ok(who) => standing(who, means),
            Err(error) => MaybeReady::Ready(Err(self.refuse(error, &issuer))),
        }
    }

    /// Makes all checks that need no key.
    fn read<'t>(
        &self,
        parsed: Result<CompactJws<'t>, TokenError>,
        request: &dyn RequestView,
    ) -> Result<(CompactJws<'t>, Arc<TrustedIssuer>), Unreported> {
        let read =
            parsed.and_then(|jws| self.issuers.of(&jws, request).map(|issuer| (jws, issuer)));
        let (jws, issuer) = read.map_err(|error| Unreported::token(error, &self.space))?;
        let header = jws.header();
        let allowed = if issuer.algorithms.contains(header.algorithm) {
            issuer.rules.profile.check_token_type(header.token_type)
        } else {
            Err(refuse_algorithm(&jws))
        };
        allowed.map_err(|error| self.refuse(error, &issuer))?;
        Ok((jws, issuer))
    }

    /// Verifies the signature, then the claims. Only an accepted token is cached.
    fn accept(
        &self,
        jws: &CompactJws<'_>,
        issuer: &Arc<TrustedIssuer>,
        keys: &CandidateKeys,
    ) -> Result<Authenticated, TokenError> {
        let (payload, key) = keys.verify(jws, Some(issuer.algorithms.provider()))?;
        let mut claims = RegisteredClaims::default();
        self.read_claims(&mut claims, payload, issuer, jws.header().token_type)?;
        let issuer = self.issuers.note_accepted(issuer).ok_or(TokenError::UntrustedIssuer)?;
        jws.keep_header(&self.headers);
        let is_needed = self.seen.is_some() || issuer.introspections.are_possible();
        let token = is_needed.then(|| std::str::from_utf8(jws.token()).ok()).flatten();
        let token = token.map(|token| Zeroizing::new(token.into()));
        let origin = Origin { issuer, key: key.clone(), token };
        let key_id = jws.header().key_id.clone();
        let algorithm = jws.header().algorithm;
        let who = Authenticated::new(claims, key_id, algorithm, origin, self.space.clone());
        if let Some(seen) = self.seen.as_ref().filter(|_| who.origin().token.is_some()) {
            seen.insert(who.bytes(), who.clone());
        }
        Ok(who)
    }

    fn read_claims(
        &self,
        claims: &mut RegisteredClaims,
        payload: Payload,
        issuer: &TrustedIssuer,
        token_type: TokenType,
    ) -> Result<(), TokenError> {
        claims.read(payload)?;
        issuer.rules.profile.apply(claims)?;
        issuer.rules.check(claims, token_type, NumericDate::from(self.space.clock.now()))
    }

    fn unresolved(&self, error: ResolveError, issuer: &Arc<TrustedIssuer>) -> Unreported {
        self.named(Unreported::unresolved(error, Wanted::Keys, &self.space), issuer)
    }

    fn refuse(&self, error: TokenError, issuer: &Arc<TrustedIssuer>) -> Unreported {
        self.named(Unreported::token(error, &self.space), issuer)
    }

    fn named(&self, refusal: Unreported, issuer: &Arc<TrustedIssuer>) -> Unreported {
        if self.issuers.may_be_named(issuer) { refusal.of_issuer(issuer.name()) } else { refusal }
    }
}

impl Renews for Inner {
    fn decide(self: Arc<Self>, token: BareToken<'_>) -> MaybeReady<Verdict> {
        let (bearer, request) = (BearerToken::bare(token.token), token.request());
        Authenticator(self).decide_token(&bearer, request, Means::Expiry)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("issuers", &self.0.issuers.configured().collect::<Vec<_>>())
            .field("credentials", &self.0.credentials)
            .finish_non_exhaustive()
    }
}
