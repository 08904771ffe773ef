//! The gate in front of a service: everything that an adapter does with a request, without the
//! types of its framework.

mod exit;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Extensions, Response};

use crate::anonymous::Anonymous;
use crate::authenticated::{Authenticated, Demand};
use crate::authenticator::{Authenticator, ConfigError, Verdict, check_places};
use crate::credentials::{BareToken, BearerToken, Credentials, TokenPlace};
use crate::foreign::Foreign;
use crate::maybe_ready::{Answer, MaybeReady};
use crate::refusal::{Protocol, Refusal, RouteFrom, Site, Unreported, reported};
use crate::request::{RequestView, is_head};
use crate::requirement::Requirement;
use crate::resource::Resource;
use crate::revocation::{Means, Revocation};

pub use exit::{Bodies, Exit, FromBytes, NoBodies};

/// An [`Authenticator`] with the settings of the routes behind it. The layer of every adapter takes
/// a gate, or an authenticator alone.
///
/// A gate knows neither routes nor methods: every request that reaches it needs a valid token,
/// `OPTIONS` included. Each adapter documents how to open single routes. Put CORS outside the gate.
///
/// ```
/// # use portcullis::{Authenticator, Gate, Revocation};
/// # fn gates(auth: Authenticator) -> [Gate; 3] {
/// let strict = Gate::new(auth.clone());
/// let optional = Gate::new(auth.clone()).optional();
/// let grpc = Gate::new(auth).grpc();
/// # [strict, optional, grpc]
/// # }
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "middleware")]
#[doc(alias = "guard")]
pub struct Gate {
    auth: Authenticator,
    optional: bool,
    pass_foreign: bool,
    grpc: bool,
    revocation: Revocation,
    /// The revocation check as a requirement for the streams of callers; `None` without such a check.
    demand: Option<Arc<Requirement>>,
    /// Where this gate reads tokens from.
    credentials: Arc<Credentials>,
    vary: Option<HeaderValue>,
    /// Finds the route of a refused request, for the log.
    route_from: Option<RouteFrom>,
}

const NO_RUNTIME: &str = "a fetch is required, but there is no tokio runtime";
const NO_RUNTIME_REMEDY: &str = "build the authenticator on a tokio runtime that keeps running";

impl Gate {
    /// Creates a gate that refuses every request without a valid token.
    #[must_use]
    pub fn new(auth: Authenticator) -> Self {
        let credentials = auth.credentials().clone();
        let vary = vary(&credentials, false);
        let revocation = Revocation::expiry();
        Self {
            auth,
            optional: false,
            pass_foreign: false,
            grpc: false,
            revocation,
            demand: None,
            credentials,
            vary,
            route_from: None,
        }
    }

    /// Also lets requests without a token through, with an [`Anonymous`] in their extensions. A
    /// request with an invalid token is still refused.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self.vary = vary(&self.credentials, true);
        self
    }

    /// Also lets requests with a foreign credential through, with a [`Foreign`] in their extensions
    /// and no log event.
    ///
    /// The code behind the gate can then try another authenticator, for example API keys beside
    /// tokens in one `Authorization` header.
    ///
    /// A credential is foreign if it does not have the form of a JWS, if its `iss` is none of the
    /// trusted issuers, or if the `Authorization` header has another scheme. A token that names a
    /// trusted issuer is never foreign. A request without a credential is not foreign, either: see
    /// [`optional`](Self::optional). Nothing is fetched for a foreign credential.
    /// [The guide](crate::guide::api_keys) has all cases and an example.
    ///
    /// Code that requires a caller refuses a foreign credential with 401, and so does code with an
    /// optional caller. Only code that takes the [`Foreign`] itself can accept the credential.
    ///
    /// ```
    /// # use portcullis::{Authenticator, Gate};
    /// # fn gate(auth: Authenticator) -> Gate {
    /// Gate::new(auth).pass_foreign()
    /// # }
    /// ```
    #[must_use]
    pub fn pass_foreign(mut self) -> Self {
        self.pass_foreign = true;
        self
    }

    /// Reads tokens from these places instead of the authenticator's
    /// [`token_places`](crate::AuthenticatorBuilder::token_places).
    ///
    /// The cookie and the [metadata](crate::AuthenticatorBuilder::protected_resource) remain those
    /// of the authenticator.
    ///
    /// Gates with different places can share one authenticator, its keys and its fetches.
    ///
    /// ```
    /// # use portcullis::{Authenticator, ConfigError, Gate, token::TokenPlace};
    /// fn gates(auth: Authenticator) -> Result<[Gate; 2], ConfigError> {
    ///     let rest = Gate::new(auth.clone());
    ///     let sockets = Gate::new(auth).token_places([TokenPlace::websocket_pair("bearer")])?;
    ///     Ok([rest, sockets])
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a place has an invalid name, if two places could read the same token, or
    /// if the list is empty and the authenticator has no cookie.
    pub fn token_places(
        mut self,
        places: impl IntoIterator<Item = TokenPlace>,
    ) -> Result<Self, ConfigError> {
        let shared = self.auth.credentials();
        let places = check_places(places, shared.cookie.is_some())?;
        self.credentials = Arc::new(Credentials { places, ..Credentials::clone(shared) });
        self.vary = vary(&self.credentials, self.optional);
        Ok(self)
    }

    /// Declares that gRPC services are behind the gate.
    ///
    /// Every refusal, by the gate or by the code behind it, is then HTTP 200 with a `grpc-status`
    /// ([Trailers-Only]), whatever the request contains. Without this call, no refusal is 2xx.
    ///
    /// Use a separate gate for gRPC services. To an HTTP client, or a proxy that only reads the
    /// status, such a refusal looks like a success. gRPC-Web clients that read the HTTP status need
    /// a gate without this call.
    ///
    /// [Trailers-Only]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
    #[must_use]
    pub fn grpc(mut self) -> Self {
        self.grpc = true;
        self
    }

    /// Sets how promptly a revocation must be known, for every request: [`Revocation::expiry`] by
    /// default.
    ///
    /// A route behind the gate can require more, along with its policy, in an adapter's
    /// `RequireLayer` or `Require`.
    ///
    /// # Errors
    ///
    /// Returns an error if `revocation` is [`Revocation::live`] and a configured issuer has no
    /// [`introspection_url`](crate::IssuerSettings::introspection_url). Issuers from a resolver are
    /// not checked here: without that setting, their requests are refused with 500. Also an error if
    /// it is [`Revocation::feed`] and the authenticator has no
    /// [`revocations`](crate::AuthenticatorBuilder::revocations).
    pub fn revocation(mut self, revocation: Revocation) -> Result<Self, ConfigError> {
        if let (Means::Live(_), Some(issuer)) =
            (revocation.means(), self.auth.without_introspection())
        {
            return Err(ConfigError::NoIntrospection { issuer: issuer.to_owned() });
        }
        if let Means::Feed(_) = revocation.means()
            && self.auth.revocations().is_none()
        {
            return Err(ConfigError::NoRevocations);
        }
        self.revocation = revocation;
        self.demand = Some(Arc::new(Requirement::from(revocation)));
        Ok(self)
    }

    /// Sets the function that finds the route of a refused request for the log, in the data that
    /// the framework's router stores in the request's extensions. This method is for adapters.
    #[must_use]
    pub fn route_from(mut self, find: RouteFrom) -> Self {
        self.route_from = Some(find);
        self
    }

    /// Returns the authenticator.
    #[must_use]
    pub fn authenticator(&self) -> &Authenticator {
        &self.auth
    }

    /// Returns the visitor to let through, or the refusal to answer `request` with. The result is
    /// ready at once unless keys or a revocation status must be fetched first.
    ///
    /// This method is for adapters. [`authenticate`](Self::authenticate) returns the same verdict
    /// to other code.
    pub fn enter<R: RequestView + ?Sized>(
        &self,
        request: &R,
    ) -> MaybeReady<Result<Visitor, Refusal>> {
        self.decide(request, self.optional, self.pass_foreign)
    }

    /// Returns the caller if the request meets all requirements of this gate: a valid token and, if
    /// set, its [revocation status](Self::revocation).
    ///
    /// A request without a token is refused, even by an [`optional`](Self::optional) gate. So is a
    /// credential that [`pass_foreign`](Self::pass_foreign) would let through.
    ///
    /// Use it in frameworks without an adapter. The verdict is the same as an adapter's.
    ///
    /// `request` is a [`http::Request`], its [`Parts`](http::request::Parts), its
    /// [`HeaderMap`](http::HeaderMap), or any other [`RequestView`].
    ///
    /// ```
    /// # use http::Request;
    /// # use portcullis::{Gate, Refusal};
    /// async fn greet(gate: &Gate, request: &Request<String>) -> Result<String, Refusal> {
    ///     let who = gate.authenticate(request).await?;
    ///     Ok(format!("hello {}", who.subject().unwrap_or("stranger")))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to answer with; [`Refusal::into_response`] returns the whole response.
    pub fn authenticate<R: RequestView + ?Sized>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<Authenticated, Refusal>> + Send + use<R> {
        let visitor = self.decide(request, false, false);
        async move {
            match visitor.await? {
                Visitor::Caller(who) => Ok(who),
                Visitor::Anonymous(anonymous) => Err(anonymous.refusal()),
                Visitor::Foreign(foreign) => Err(foreign.refusal()),
            }
        }
    }

    /// Returns the caller, a foreign credential, or [`Visitor::Anonymous`] for a request without a
    /// credential.
    ///
    /// None of them is logged. The settings [`optional`](Self::optional) and
    /// [`pass_foreign`](Self::pass_foreign) have no effect here.
    ///
    /// Use it in frameworks without an adapter.
    ///
    /// ```
    /// # use http::Request;
    /// # use portcullis::{Gate, Refusal, adapter::Visitor};
    /// async fn name(gate: &Gate, request: &Request<()>) -> Result<String, Refusal> {
    ///     match gate.caller_or_foreign(request).await? {
    ///         Visitor::Caller(who) => Ok(who.subject().unwrap_or_default().to_owned()),
    ///         Visitor::Foreign(foreign) => match foreign.credential().and_then(owner_of) {
    ///             Some(owner) => Ok(owner),
    ///             None => Err(foreign.refusal()),
    ///         },
    ///         Visitor::Anonymous(anonymous) => Err(anonymous.refusal()),
    ///     }
    /// }
    ///
    /// /// Looks an API key up: see the guide.
    /// fn owner_of(api_key: &str) -> Option<String> {
    /// #   let _ = api_key;
    ///     // …
    /// #   None
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The refusals of [`authenticate`](Self::authenticate), for an invalid token or a malformed
    /// request.
    pub fn caller_or_foreign<R: RequestView + ?Sized>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<Visitor, Refusal>> + Send + use<R> {
        self.decide(request, true, true).into_future()
    }

    /// Returns the caller of a token if the token meets all requirements of this gate: the same
    /// verdict as for a request with the token.
    ///
    /// Use it for tokens outside HTTP requests: in a database password, in the first message of a
    /// WebSocket, in a message of a queue.
    ///
    /// `token` is the token without `Bearer`: a `&str`, or a [`BareToken`] with the request that it
    /// belongs to, for resolvers that [select by request](crate::config::IssuerResolver::select).
    /// An empty token is rejected like any other malformed one.
    ///
    /// ```
    /// # use portcullis::{Gate, Policy, Refusal};
    /// /// The password of a database connection is a token.
    /// async fn log_in(gate: &Gate, user: &str, password: &str) -> Result<bool, Refusal> {
    ///     let who = gate.authenticate_token(password).await?;
    ///     who.require(&Policy::scopes(["db:connect"]))?;
    ///     Ok(who.subject() == Some(user))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The [`Refusal`]. Send [`Refusal::detail`] to the client; the log has the reason.
    pub fn authenticate_token<'t>(
        &self,
        token: impl Into<BareToken<'t>>,
    ) -> Answer<Result<Authenticated, Refusal>> {
        self.attempt_token(token).into_future()
    }

    /// Like [`authenticate_token`](Self::authenticate_token), but ready at once if nothing must be
    /// fetched.
    pub fn attempt_token<'t>(
        &self,
        token: impl Into<BareToken<'t>>,
    ) -> MaybeReady<Result<Authenticated, Refusal>> {
        let token = token.into();
        let (bearer, request) = (BearerToken::bare(token.token), token.request());
        self.bare(self.auth.decide_token(&bearer, request, self.revocation.means()), request)
    }

    /// Returns the verdict on a token that did not come in a request's headers.
    fn bare(
        &self,
        verdict: MaybeReady<Verdict>,
        request: &dyn RequestView,
    ) -> MaybeReady<Result<Authenticated, Refusal>> {
        let (anonymous, demand) = (self.auth.anonymous(), self.demand());
        let caller = move |verdict: Verdict| match verdict? {
            Some(who) => Ok(under(who, demand)),
            None => Err(anonymous.refused()),
        };
        let protocol = self.protocol(request);
        let caller = reported(verdict.map(caller), || Site::of(request, self.route_from));
        caller.map(move |caller| caller.map_err(|refusal| refusal.in_protocol(protocol)))
    }

    /// Returns the caller or a foreign credential, for a token outside an HTTP request: for example
    /// a database password that may be a token.
    ///
    /// It works like [`caller_or_foreign`](Self::caller_or_foreign). Any text that is not empty may
    /// be foreign. The result is never [`Visitor::Anonymous`].
    ///
    /// ```
    /// # use portcullis::{Gate, Refusal, adapter::Visitor};
    /// async fn log_in(gate: &Gate, user: &str, password: &str) -> Result<bool, Refusal> {
    ///     match gate.caller_or_foreign_token(password).await? {
    ///         Visitor::Caller(who) => Ok(who.subject() == Some(user)),
    ///         _ => Ok(is_password_of(user, password)),
    ///     }
    /// }
    /// # fn is_password_of(_: &str, _: &str) -> bool { false }
    /// ```
    ///
    /// # Errors
    ///
    /// The refusals of [`authenticate_token`](Self::authenticate_token), for an invalid token. An
    /// empty token is rejected.
    pub fn caller_or_foreign_token<'t>(
        &self,
        token: impl Into<BareToken<'t>>,
    ) -> Answer<Result<Visitor, Refusal>> {
        let token = token.into();
        let (bearer, request) = (BearerToken::bare(token.token), token.request());
        let means = self.revocation.means();
        let visitor = match self.auth.decide_token_unless_foreign(&bearer, request, means) {
            Ok(verdict) => self.bare(verdict, request).map(|who| who.map(Visitor::Caller)),
            Err(foreign) => MaybeReady::Ready(Ok(Visitor::Foreign(foreign))),
        };
        visitor.into_future()
    }

    /// Blocking version of [`authenticate_token`](Self::authenticate_token), for threads outside a
    /// runtime.
    ///
    /// It blocks while keys or a revocation status are fetched, for at most `fetch_timeout`. The
    /// runtime that the [`Authenticator`] was built on must be running, on other threads.
    ///
    /// # Errors
    ///
    /// The refusals of [`authenticate_token`](Self::authenticate_token).
    ///
    /// # Panics
    ///
    /// Panics on a thread of a tokio runtime if keys or a revocation status must be fetched. Use
    /// `await` there.
    pub fn authenticate_token_blocking<'t>(
        &self,
        token: impl Into<BareToken<'t>>,
    ) -> Result<Authenticated, Refusal> {
        match self.attempt_token(token) {
            MaybeReady::Ready(verdict) => verdict,
            MaybeReady::Pending(verdict) => match self.auth.runtime() {
                Some(runtime) => runtime.block_on(verdict),
                None => {
                    let space = self.auth.anonymous().space;
                    let refusal = Unreported::misconfigured(NO_RUNTIME, NO_RUNTIME_REMEDY, &space);
                    Err(refusal.at(&Site::default()))
                }
            },
        }
    }

    /// Lets a request to an open route through. No token is read, and the visitor is an
    /// [`Anonymous`]. The [`Exit`] completes the response.
    ///
    /// This method is for adapters. The routing of the framework decides which routes are open.
    #[must_use]
    pub fn enter_open(&self, request: &(impl RequestView + ?Sized)) -> (Visitor, Exit) {
        // The response does not depend on a credential.
        let exit = Exit { vary: None, protocol: self.protocol(request) };
        (Visitor::Anonymous(self.auth.anonymous()), exit)
    }

    /// Returns the metadata of the
    /// [protected resource](crate::AuthenticatorBuilder::protected_resource) if `request` is for
    /// it, by `GET`, `HEAD` or a preflight (`OPTIONS`).
    ///
    /// An adapter calls this before anything else.
    #[must_use]
    pub fn metadata<B: From<Bytes>>(
        &self,
        request: &(impl RequestView + ?Sized),
    ) -> Option<Response<B>> {
        let resource = self.resource()?;
        resource.is_asked_for(request).then(|| resource.to_response(request))
    }

    /// Returns the path of the metadata, if it is published. For adapters that must route it.
    #[must_use]
    pub fn metadata_path(&self) -> Option<&str> {
        self.resource().map(Resource::path)
    }

    /// Returns the [`Exit`], which completes the response to `request` if the request is let
    /// through.
    #[must_use]
    pub fn exit(&self, request: &(impl RequestView + ?Sized)) -> Exit {
        Exit { vary: self.vary.clone(), protocol: self.protocol(request) }
    }

    fn decide<R: RequestView + ?Sized>(
        &self,
        request: &R,
        optional: bool,
        pass_foreign: bool,
    ) -> MaybeReady<Result<Visitor, Refusal>> {
        let (places, means) = (&*self.credentials, self.revocation.means());
        let verdict = if pass_foreign {
            match self.auth.decide_unless_foreign(request, places, means) {
                Ok(verdict) => verdict,
                Err(foreign) => return MaybeReady::Ready(Ok(Visitor::Foreign(foreign))),
            }
        } else {
            self.auth.decide(request, places, means)
        };
        match verdict {
            MaybeReady::Ready(Ok(Some(who))) => {
                MaybeReady::Ready(Ok(Visitor::Caller(under(who, self.demand()))))
            }
            verdict => {
                let (anonymous, protocol) = (self.auth.anonymous(), self.protocol(request));
                let demand = self.demand();
                let visitor = move |verdict: Verdict| match verdict? {
                    Some(who) => Ok(Visitor::Caller(under(who, demand))),
                    None if optional => Ok(Visitor::Anonymous(anonymous)),
                    None => Err(anonymous.refused()),
                };
                let site = || Site::of(request, self.route_from);
                let visitor = reported(verdict.map(visitor), site);
                visitor.map(move |visitor| visitor.map_err(|refusal| refusal.in_protocol(protocol)))
            }
        }
    }

    fn demand(&self) -> Option<Arc<dyn Demand>> {
        self.demand.clone().map(|demand| demand as _)
    }

    fn resource(&self) -> Option<&Resource> {
        self.auth.space().resource.as_ref()
    }

    /// The protocol of refusals. The service declares it. The only input from the request is the
    /// method `HEAD`: the refusal of such a request has the same status and no body.
    fn protocol(&self, request: &(impl RequestView + ?Sized)) -> Protocol {
        if self.grpc {
            Protocol::Grpc
        } else if is_head(request) {
            Protocol::Head
        } else {
            Protocol::Http
        }
    }
}

/// Returns the caller, with the gate's requirements for the caller's streams.
fn under(mut who: Authenticated, demand: Option<Arc<dyn Demand>>) -> Authenticated {
    who.demands_mut().set_gate(demand);
    who
}

impl From<Authenticator> for Gate {
    fn from(auth: Authenticator) -> Self {
        Self::new(auth)
    }
}

/// The `Vary` header of responses. `None` if no header is read, or if Authorization alone decides:
/// shared caches do not store such responses.
fn vary(credentials: &Credentials, optional: bool) -> Option<HeaderValue> {
    let names = credentials.headers();
    if names.is_empty() || (names == [AUTHORIZATION.as_str()] && !optional) {
        return None;
    }
    HeaderValue::try_from(names.join(", ")).ok()
}

/// The sender of a request that a [`Gate`] let through, as stored in the request's extensions.
#[derive(Debug)]
pub enum Visitor {
    /// A caller with a valid token.
    Caller(Authenticated),
    /// The sender of a request without a token, on an optional gate or an open route.
    Anonymous(Anonymous),
    /// The sender of a foreign credential, let through by [`Gate::pass_foreign`].
    Foreign(Foreign),
}

impl Visitor {
    /// Inserts the visitor into `extensions`. Replaces any caller set by an outer gate.
    pub fn mark(self, extensions: &mut Extensions) {
        match self {
            Self::Caller(who) => {
                extensions.remove::<Foreign>();
                extensions.insert(who);
            }
            Self::Anonymous(anonymous) => {
                extensions.remove::<Authenticated>();
                extensions.remove::<Foreign>();
                extensions.insert(anonymous);
            }
            Self::Foreign(foreign) => {
                extensions.remove::<Authenticated>();
                extensions.remove::<Anonymous>();
                extensions.insert(foreign);
            }
        }
    }
}

#[cfg(test)]
mod tests;
