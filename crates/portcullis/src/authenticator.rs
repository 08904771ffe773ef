//! The way of a request through the crate: find the token, read it, get its key, verify it,
//! validate its claims. Every step narrows the type, and any may end in a [`Refusal`].

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

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::anonymous::Anonymous;
use crate::authenticated::{Authenticated, Origin};
use crate::claims::{Marks, NumericDate, RegisteredClaims};
use crate::clock::Timestamp;
use crate::credentials::{BearerToken, Credentials};
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

/// Says who sent a request, from the token that came with it, without asking anybody.
///
/// Immutable and cheap to clone; one serves a whole application.
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
    /// What was verified before; `None` if nothing is kept.
    seen: Option<TokenCache<Authenticated>>,
    tokens: Tokens,
    max_token_bytes: usize,
    runtime: Option<Handle>,
}

impl Authenticator {
    /// Starts with the two settings that cannot be left out.
    ///
    /// `issuer` is what `iss` must say, byte for byte; unless told otherwise the keys are
    /// discovered below it. `audience` is this API's name, which `aud` must hold.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> AuthenticatorBuilder {
        AuthenticatorBuilder::new(IssuerSettings::new(issuer, audience))
    }

    /// Builds one from the `PORTCULLIS_*` variables of the environment; see
    /// [`Setting`](crate::config::Setting).
    ///
    /// # Errors
    ///
    /// When a setting is missing or wrong, or the keys can not be fetched.
    pub async fn from_env() -> Result<Self, ConfigError> {
        AuthenticatorBuilder::from_env()?.build().await
    }

    /// Starts with issuers that are only known at run time, such as one for each tenant, and no others:
    /// those that `resolver` vouches for.
    ///
    /// The builder then has no first issuer: a setting of one, such as
    /// [`jwks_url`](AuthenticatorBuilder::jwks_url), belongs on the resolver's answers and is refused at
    /// the build. Nothing is fetched at the start, [`ready`](Self::ready) is true at once, and
    /// [`status`](Self::status) lists the issuers that were met. The metadata of a
    /// [`protected_resource`](AuthenticatorBuilder::protected_resource) name no issuer, unless they are
    /// given a member `authorization_servers`.
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

    /// Returns the caller, by the token alone; a request without a token is refused.
    ///
    /// It does not check whether the token was revoked.
    /// [`Gate::authenticate`](crate::Gate::authenticate) does, and gives the verdict that an
    /// adapter gives.
    ///
    /// `request` is a [`http::Request`], its [`Parts`](http::request::Parts) or its
    /// [`HeaderMap`](http::HeaderMap).
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that the client should get.
    pub fn authenticate<R: RequestView + ?Sized>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<Authenticated, Refusal>> + Send + use<R> {
        let verdict = self.decide(request, &self.0.credentials, Means::Expiry);
        let anonymous = self.anonymous();
        let caller = verdict.map(move |verdict| verdict?.ok_or_else(|| anonymous.refused()));
        reported(caller, || Site::of(request, None)).into_future()
    }

    /// As [`authenticate`](Self::authenticate), answered at once if everything is in memory; `None` for a
    /// request without a token.
    pub fn attempt<R: RequestView + ?Sized>(
        &self,
        request: &R,
    ) -> MaybeReady<Result<Option<Authenticated>, Refusal>> {
        let verdict = self.decide(request, &self.0.credentials, Means::Expiry);
        reported(verdict, || Site::of(request, None))
    }

    /// The one function under everything: the token, its issuer, its key, the signature, the claims,
    /// and whether it was revoked. Answered at once if everything is in memory, so that the usual request
    /// suspends nowhere and allocates no future.
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

    /// As [`decide`](Self::decide), for a token that was found already or came without a request.
    /// Whatever is read of `request` is read before this returns.
    pub(crate) fn decide_token(
        &self,
        token: &BearerToken<'_>,
        request: &dyn RequestView,
        means: Means,
    ) -> MaybeReady<Verdict> {
        let inner = &self.0;
        let known = inner.recall(token.bytes(), request, means);
        inner.tokens.judged(known.is_some());
        match known {
            Some((who, true)) => MaybeReady::Ready(Ok(Some(who))),
            Some((who, false)) => standing(who, means),
            None => inner.decide_anew(token, request, means),
        }
    }

    /// What a request without a token is, for adapters that have seen that it has none.
    #[must_use]
    pub fn anonymous(&self) -> Anonymous {
        Anonymous { space: self.0.space.clone() }
    }

    /// The runtime that it was built on.
    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.0.runtime.as_ref()
    }

    pub(crate) fn space(&self) -> &ProtectionSpace {
        &self.0.space
    }

    /// The first configured issuer that cannot be asked about its tokens.
    pub(crate) fn without_introspection(&self) -> Option<&str> {
        let mut issuers = self.0.issuers.configured();
        issuers.find(|issuer| !issuer.introspections.are_possible()).map(TrustedIssuer::name)
    }

    /// Where tokens are looked for, unless a gate has its own list.
    pub(crate) fn credentials(&self) -> &Arc<Credentials> {
        &self.0.credentials
    }

    /// How each issuer stands: the configured ones, then those that were met.
    #[must_use]
    pub fn status(&self) -> Vec<IssuerStatus> {
        self.0.issuers.all().iter().map(|issuer| issuer.status()).collect()
    }

    /// Whether the tokens of a configured issuer can be validated: for a readiness probe. With
    /// several issuers, one that is away does not take the service out of traffic;
    /// [`status`](Self::status) tells them apart. Where all issuers are a resolver's, none is waited
    /// for. Never causes a fetch.
    #[must_use]
    pub fn ready(&self) -> bool {
        let issuers = &self.0.issuers;
        issuers.are_all_resolved() || issuers.configured().any(TrustedIssuer::is_ready)
    }

    /// Fetches the keys of every issuer that has none to validate with: before the first request,
    /// where [`start_without_keys`](AuthenticatorBuilder::start_without_keys) let the start go on.
    /// Where there are keys nothing is fetched.
    ///
    /// # Errors
    ///
    /// As those of [`refresh`](Self::refresh).
    pub async fn warm_up(&self) -> Result<(), FetchError> {
        self.fetch_keys(|issuer| !issuer.is_ready()).await
    }

    /// Fetches the keys of every issuer now, for example after one was withdrawn in an emergency.
    ///
    /// # Errors
    ///
    /// When one can not be reached: the first such failure. Its keys at hand stay in use, and the
    /// other issuers' are fetched all the same.
    pub async fn refresh(&self) -> Result<(), FetchError> {
        self.fetch_keys(|_| true).await
    }

    async fn fetch_keys(&self, of: impl Fn(&TrustedIssuer) -> bool) -> Result<(), FetchError> {
        let mut outcome = Ok(());
        for issuer in self.0.issuers.all().into_iter().filter(|issuer| of(issuer)) {
            outcome = outcome.and(issuer.keys.source().refresh().await);
        }
        outcome
    }
}

/// Issuers sign refresh tokens with secrets of their own. That such a token says so is nothing to trust
/// and only chooses what the operator reads.
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
    /// The caller whose token was accepted before, if everything that can change still holds, and
    /// whether it is plain that it was not revoked. Anything else is no answer: the token goes the
    /// long way, which may refuse it.
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
            // Each clock is read once, if at all.
            let read = Cell::new(None::<Timestamp>);
            let at = || {
                read.get().unwrap_or_else(|| {
                    let at = Timestamp::now(&*self.space.clock);
                    read.set(Some(at));
                    at
                })
            };
            let now = || {
                let wall = read.get().map(Timestamp::wall);
                NumericDate::from(wall.unwrap_or_else(|| self.space.clock.now()))
            };
            if !self.still_holds(who, now, at) {
                return Recalled::Ended;
            }
            Recalled::Holds((who.clone(), who.plainly_stands(means, at)))
        };
        seen.recall(token, known)
    }

    /// Whether everything still holds that can change while the token, the settings and the
    /// signature stay what they are: its issuer is still trusted, its own key is still the current
    /// one by the same freshness table as for a token that was never seen, and it is still its
    /// time.
    fn still_holds(
        &self,
        who: &Authenticated,
        now: impl FnOnce() -> NumericDate,
        at: impl Fn() -> Timestamp,
    ) -> bool {
        let Origin { issuer, key, .. } = who.origin();
        let wanted = KeyRequest::new(who.key_id(), who.algorithm());
        self.issuers.still_has(issuer, &at)
            && issuer.keys.is_current(&wanted, key, at)
            && issuer.rules.check_time(who.registered(), now()).is_ok()
    }

    /// A token that is not known.
    fn decide_anew(
        self: &Arc<Self>,
        token: &BearerToken<'_>,
        request: &dyn RequestView,
        means: Means,
    ) -> MaybeReady<Verdict> {
        let token = match token.text() {
            Ok(token) => token,
            Err(error) => {
                return MaybeReady::Ready(Err(Unreported::credentials(error, &self.space)));
            }
        };
        let (jws, issuer) = match self.read(token, request) {
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
        // A token that says itself that it is another issuer's is worth no fetch.
        if let Err(error) = self.issuers.check_claimed(&jws, &issuer) {
            return MaybeReady::Ready(Err(self.refuse(error, &issuer)));
        }
        match fetched {
            Err(error) => MaybeReady::Ready(Err(self.unresolved(error, &issuer))),
            Ok(keys) => {
                let (inner, jws) = (self.clone(), jws.to_owned());
                MaybeReady::pending(async move {
                    let keys = keys.await.map_err(|error| inner.unresolved(error, &issuer))?;
                    // They were fetched for this token: none is newer.
                    let who = inner.accept(&jws.borrow(), &issuer, &keys);
                    standing(who.map_err(|error| inner.refuse(error, &issuer))?, means).await
                })
            }
        }
    }

    /// A token whose keys are in memory. If its signature holds under none of them, one may have been
    /// replaced under its `kid`.
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

    /// All that can be judged without a key.
    fn read<'t>(
        &self,
        token: &'t str,
        request: &dyn RequestView,
    ) -> Result<(CompactJws<'t>, Arc<TrustedIssuer>), Unreported> {
        let parsed = CompactJws::parse_knowing(token, self.max_token_bytes, &self.headers);
        let read =
            parsed.and_then(|jws| self.issuers.of(&jws, request).map(|issuer| (jws, issuer)));
        let (jws, issuer) = read.map_err(|error| Unreported::token(error, &self.space))?;
        let header = jws.header();
        let allowed = if issuer.algorithms.contains(&header.algorithm) {
            issuer.rules.profile.check_token_type(header.token_type)
        } else {
            Err(refuse_algorithm(&jws))
        };
        allowed.map_err(|error| self.refuse(error, &issuer))?;
        Ok((jws, issuer))
    }

    /// The signature, then the claims. What passes is kept, and nothing else is.
    fn accept(
        &self,
        jws: &CompactJws<'_>,
        issuer: &Arc<TrustedIssuer>,
        keys: &CandidateKeys,
    ) -> Result<Authenticated, TokenError> {
        let (payload, key) = keys.verify(jws)?;
        let claims = self.read_claims(payload, issuer, jws.header().token_type)?;
        let issuer = self.issuers.note_accepted(issuer).ok_or(TokenError::UntrustedIssuer)?;
        jws.keep_header(&self.headers);
        let is_needed = self.seen.is_some() || issuer.introspections.are_possible();
        let token = is_needed.then(|| Zeroizing::new(jws.token().into()));
        let origin = Origin { issuer, key: key.clone(), token };
        let key_id = jws.header().key_id.clone();
        let algorithm = jws.header().algorithm;
        let who = Authenticated::new(claims, key_id, algorithm, origin, self.space.clone());
        if let Some(seen) = &self.seen {
            seen.insert(who.bytes(), who.clone());
        }
        Ok(who)
    }

    fn read_claims(
        &self,
        payload: Payload,
        issuer: &TrustedIssuer,
        token_type: TokenType,
    ) -> Result<RegisteredClaims, TokenError> {
        let mut claims = RegisteredClaims::parse(payload)?;
        issuer.rules.profile.apply(&mut claims)?;
        issuer.rules.check(&claims, token_type, NumericDate::from(self.space.clock.now()))?;
        Ok(claims)
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

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("issuers", &self.0.issuers.configured().collect::<Vec<_>>())
            .field("credentials", &self.0.credentials)
            .finish_non_exhaustive()
    }
}
