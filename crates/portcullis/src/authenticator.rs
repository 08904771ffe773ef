//! The way of a request through the crate: find the token, read it, get its key, verify it,
//! validate its claims. Every step narrows the type, and any may end in a [`Refusal`].

mod build;
mod builder;
mod checks;
mod config_error;
mod env;
mod introspection_settings;
mod issuer_keys;
mod issuers;
mod key_origin;
mod key_settings;
mod status;
#[cfg(test)]
mod tests;
mod verified;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::anonymous::Anonymous;
use crate::authenticated::Authenticated;
use crate::claims::{NumericDate, RegisteredClaims};
use crate::clock::Timestamp;
use crate::credentials::{BearerToken, Credentials};
use crate::error::TokenError;
use crate::jws::{CompactJws, KnownHeaders};
use crate::key::{KeyRequest, Resolution, ResolveError, VerificationKey};
use crate::protection::ProtectionSpace;
use crate::refusal::{Refusal, Wanted};
use crate::remote::fetch::FetchError;
use crate::remote::standing::Standing;
use crate::request::RequestView;
use crate::revocation::Means;
use crate::token_cache::TokenCache;
use issuers::{Issuers, TrustedIssuer};
use verified::Verified;

pub use builder::AuthenticatorBuilder;
pub use config_error::ConfigError;
pub use issuers::IssuerResolver;
pub use status::IssuerStatus;

/// What an operator can do about a route that asks the issuer, who is not known how to be asked.
pub(crate) const NOBODY_TO_ASK: &str = "a route asks the token's issuer each time \
    (`Revocation::live`): set `introspection_url` and what goes with it for that issuer";

/// Says who sent a request, from the token that came with it, without asking anybody.
///
/// Immutable and cheap to clone; one serves a whole application.
///
/// ```
/// use portcullis::{Authenticator, KeySet, RefusalKind, SharedKeySet};
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
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    credentials: Credentials,
    issuers: Issuers,
    space: Arc<ProtectionSpace>,
    headers: KnownHeaders,
    /// What was verified before; `None` if nothing is kept.
    seen: Option<TokenCache<Verified>>,
}

impl Authenticator {
    /// Starts with the two settings that can not be left out.
    ///
    /// `issuer` is what `iss` must say, byte for byte; unless told otherwise the keys are
    /// discovered below it. `audience` is this API's name, which `aud` must hold.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> AuthenticatorBuilder {
        AuthenticatorBuilder::new(issuer.into(), audience.into())
    }

    /// Builds one from the `PORTCULLIS_*` variables of the environment; see
    /// [`Setting`](crate::Setting).
    ///
    /// # Errors
    ///
    /// When a setting is missing or wrong, or the keys can not be fetched.
    pub async fn from_env() -> Result<Self, ConfigError> {
        AuthenticatorBuilder::from_env()?.build().await
    }

    /// The caller; a request without a token is refused.
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
        let known = match self.attempt(request) {
            Attempt::Done(Ok(Some(who))) => Ok(Ok(who)),
            Attempt::Done(Ok(None)) => Ok(Err(self.anonymous().refusal())),
            Attempt::Done(Err(refusal)) => Ok(Err(refusal)),
            Attempt::Pending(pending) => Err(pending),
        };
        async move {
            match known {
                Ok(outcome) => outcome,
                Err(pending) => pending.await,
            }
        }
    }

    /// The caller, if the request has a token at all: one that is there and is bad is refused.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that the client should get.
    pub fn authenticate_optional<R: RequestView + ?Sized>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<Option<Authenticated>, Refusal>> + Send + use<R> {
        let attempt = self.attempt(request);
        async move {
            match attempt {
                Attempt::Done(outcome) => outcome,
                Attempt::Pending(pending) => pending.await.map(Some),
            }
        }
    }

    /// What both of the above come down to, for adapters: answered at once whenever the key is at
    /// hand, so that the usual request suspends nowhere and allocates no future.
    pub fn attempt<R: RequestView + ?Sized>(&self, request: &R) -> Attempt {
        self.attempt_by(request, Means::Expiry).0
    }

    /// The same, and whether it is plain already that the token stands by these means, so that
    /// [`standing`](Self::standing) need not be asked.
    pub(crate) fn attempt_by<R: RequestView + ?Sized>(
        &self,
        request: &R,
        means: Means,
    ) -> (Attempt, bool) {
        match self.0.credentials.find(request) {
            Ok(Some(token)) => match self.0.recall(token.bytes(), means) {
                Some((who, stands)) => (Attempt::Done(Ok(Some(who))), stands),
                None => (self.attempt_new(token), means == Means::Expiry),
            },
            Ok(None) => (Attempt::Done(Ok(None)), false),
            Err(error) => (Attempt::Done(Err(Refusal::credentials(error, &self.0.space))), false),
        }
    }

    /// What a request without a token is, for adapters that have seen that it has none.
    #[must_use]
    pub fn anonymous(&self) -> Anonymous {
        Anonymous { space: self.0.space.clone() }
    }

    pub(crate) fn space(&self) -> &ProtectionSpace {
        &self.0.space
    }

    /// Whether the caller's token stands, by what its issuer says of revocations. `token` is asked
    /// for the token itself where that is what the issuer is asked about.
    ///
    /// # Errors
    ///
    /// When nobody is configured to be asked.
    pub(crate) fn standing<'t>(
        &self,
        who: &Authenticated,
        means: Means,
        token: impl FnOnce() -> Option<&'t str>,
    ) -> Result<Standing, Refusal> {
        let claims = who.registered();
        let Some(issuer) = self.0.issuers.named(claims.issuer()) else {
            // It was trusted a moment ago.
            let error = ResolveError::Refused(TokenError::UntrustedIssuer);
            return Ok(Standing::Ready(Err(error)));
        };
        match means {
            Means::Expiry => Ok(Standing::Ready(Ok(()))),
            Means::StatusList(ages) => Ok(issuer.status_lists.standing(claims.status(), ages)),
            Means::Live(ages) => token()
                .and_then(|token| issuer.introspections.standing(token, ages))
                .ok_or_else(|| Refusal::misconfigured(NOBODY_TO_ASK)),
        }
    }

    /// Whether every configured issuer can be asked about its tokens.
    pub(crate) fn can_introspect(&self) -> bool {
        self.0.issuers.configured().all(|issuer| issuer.introspections.are_possible())
    }

    /// The token that a request was authenticated with.
    pub(crate) fn token_of<'r>(&self, request: &'r (impl RequestView + ?Sized)) -> Option<&'r str> {
        self.0.credentials.find(request).ok()??.text().ok()
    }

    pub(crate) fn fallen(&self, error: ResolveError) -> Refusal {
        Refusal::unresolved(error, Wanted::Status, &self.0.space)
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// How each issuer stands: the configured ones, then those that were met.
    #[must_use]
    pub fn status(&self) -> Vec<IssuerStatus> {
        self.0.issuers.all().iter().map(|issuer| issuer.status()).collect()
    }

    /// Whether the tokens of every configured issuer can be validated: for a readiness probe.
    /// Never causes a fetch.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.0.issuers.configured().all(TrustedIssuer::is_ready)
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

    /// A token that is not known.
    fn attempt_new(&self, token: BearerToken<'_>) -> Attempt {
        let token = match token.text() {
            Ok(token) => token,
            Err(error) => return Attempt::Done(Err(Refusal::credentials(error, &self.0.space))),
        };
        let (jws, issuer) = match self.0.read(token) {
            Ok(read) => read,
            Err(error) => return Attempt::Done(Err(self.0.refuse(error))),
        };
        let wanted = KeyRequest::new(jws.header.key_id.as_deref(), jws.header.algorithm);
        match issuer.keys.source().resolve(&wanted) {
            Resolution::Ready(Ok(key)) => {
                Attempt::Done(self.0.accept(token, jws, issuer, key).map(Some))
            }
            Resolution::Ready(Err(error)) => {
                Attempt::Done(Err(Refusal::unresolved(error, Wanted::Keys, &self.0.space)))
            }
            Resolution::Pending(key) => {
                let (inner, token) = (self.0.clone(), token.to_owned());
                Attempt::Pending(Pending(Box::pin(async move {
                    let unresolved = |error| Refusal::unresolved(error, Wanted::Keys, &inner.space);
                    let key = key.await.map_err(unresolved)?;
                    let jws = CompactJws::parse(&token).map_err(|error| inner.refuse(error))?;
                    inner.accept(&token, jws, issuer, key)
                })))
            }
        }
    }
}

impl Inner {
    /// The caller whose token was verified before, if everything that can change still holds, and
    /// whether it is plain that the token stands by these means. Anything else is no answer: the
    /// token goes the long way, which may refuse it.
    fn recall(&self, token: &[u8], means: Means) -> Option<(Authenticated, bool)> {
        let seen = self.seen.as_ref()?;
        let known = |verified: &Verified| {
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
            let holds = verified.still_holds(&self.issuers, now, at);
            holds.then(|| (verified.who.clone(), verified.plainly_stands(means, at)))
        };
        seen.recall(token, known)
    }

    /// All that can be judged without a key.
    fn read<'t>(&self, token: &'t str) -> Result<(CompactJws<'t>, Arc<TrustedIssuer>), TokenError> {
        let jws = CompactJws::parse_knowing(token, &self.headers)?;
        let issuer = self.issuers.of(&jws)?;
        let algorithm = jws.header.algorithm;
        if !issuer.algorithms.contains(&algorithm) {
            return Err(TokenError::AlgorithmNotAllowed { algorithm });
        }
        issuer.rules.profile.check_token_type(jws.header.token_type)?;
        Ok((jws, issuer))
    }

    /// The signature, then the claims. What passes is kept, and nothing else is.
    fn accept(
        &self,
        token: &str,
        jws: CompactJws<'_>,
        issuer: Arc<TrustedIssuer>,
        key: Arc<VerificationKey>,
    ) -> Result<Authenticated, Refusal> {
        let accept = || {
            let mut claims = RegisteredClaims::parse(key.verify(&jws)?)?;
            issuer.rules.profile.apply(&mut claims)?;
            issuer.rules.check(&claims, NumericDate::from(self.space.clock.now()))?;
            Ok(claims)
        };
        let claims = accept().map_err(|error| self.refuse(error))?;
        self.issuers.note_accepted(&issuer);
        jws.keep_header(&self.headers);
        let key_id = jws.header.key_id;
        let who = Authenticated::new(claims, key_id, key.algorithm(), self.space.clone());
        if let Some(seen) = &self.seen {
            let bytes = who.bytes();
            seen.insert(token, bytes, || Verified::new(who.clone(), issuer, key));
        }
        Ok(who)
    }

    fn refuse(&self, error: TokenError) -> Refusal {
        Refusal::token(error, &self.space)
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

/// Where [`Authenticator::attempt`] has got to.
#[derive(Debug)]
pub enum Attempt {
    /// To the end: `None` is a request without a token.
    Done(Result<Option<Authenticated>, Refusal>),
    /// To a key that must be fetched first.
    Pending(Pending),
}

/// An authentication that waits for a key. It owns all it needs: the request may go.
pub struct Pending(Pin<Box<dyn Future<Output = Result<Authenticated, Refusal>> + Send>>);

impl Future for Pending {
    type Output = Result<Authenticated, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}
