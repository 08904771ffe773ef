//! The gate in front of a service: everything that an adapter does with a request, but for what its
//! framework's types are called.

mod exit;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Extensions, Response};

use crate::anonymous::Anonymous;
use crate::authenticated::Authenticated;
use crate::authenticator::{Authenticator, ConfigError, Verdict, check_places};
use crate::credentials::{Credentials, TokenPlace};
use crate::maybe_ready::MaybeReady;
use crate::refusal::{Protocol, Refusal};
use crate::request::{RequestView, is_head};
use crate::resource::Resource;
use crate::revocation::{Means, Revocation};

pub use exit::{Bodies, Exit, FromBytes, NoBodies};

/// An [`Authenticator`], and what the routes behind it need: every adapter's layer takes one, or an
/// authenticator alone.
///
/// A gate knows neither routes nor methods: every request that comes to it needs a good token, an
/// `OPTIONS` too. Each adapter opens single routes in its own framework's terms, and CORS belongs
/// outside the gate.
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
    grpc: bool,
    revocation: Revocation,
    /// Where this gate looks for tokens.
    credentials: Arc<Credentials>,
    vary: Option<HeaderValue>,
}

impl Gate {
    /// A gate that refuses every request without a good token.
    #[must_use]
    pub fn new(auth: Authenticator) -> Self {
        let credentials = auth.credentials().clone();
        let vary = vary(&credentials, false);
        let revocation = Revocation::expiry();
        Self { auth, optional: false, grpc: false, revocation, credentials, vary }
    }

    /// Lets requests without any token through as well, with an [`Anonymous`] in their extensions.
    /// A token that is there and is bad is refused all the same.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self.vary = vary(&self.credentials, true);
        self
    }

    /// Looks for tokens in these places instead of the authenticator's
    /// [`token_places`](crate::AuthenticatorBuilder::token_places). The cookie stays as it is there.
    ///
    /// So gates with different places share one authenticator, its keys and its fetches. The
    /// [metadata](crate::AuthenticatorBuilder::protected_resource) are those of the authenticator.
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
    /// When a name can not be right, when a token could stand in two of the places at once, or when
    /// the list is empty and the authenticator has no cookie.
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

    /// Declares that gRPC services are behind the gate. Every refusal, the gate's own and those from
    /// within, is then HTTP 200 with a `grpc-status` ([Trailers-Only]), whatever the request says
    /// of itself. Without this call no refusal is 2xx.
    ///
    /// Give gRPC services a gate of their own: an HTTP client, and a proxy that only looks at the
    /// status, take such a refusal for a success. gRPC-Web clients that read the status of HTTP
    /// need the plain form.
    ///
    /// [Trailers-Only]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
    #[must_use]
    pub fn grpc(mut self) -> Self {
        self.grpc = true;
        self
    }

    /// Asks for this of the tokens of every request that comes through: how promptly a revocation
    /// must be known here. [`Revocation::expiry`] by default. A single route behind the gate asks for
    /// more beside its policy, in an adapter's `RequireLayer` or `Require`.
    ///
    /// # Errors
    ///
    /// When the issuer must be asked about each token ([`Revocation::live`]) and one of the
    /// authenticator's cannot be. For an issuer that is met at run time a request is refused with
    /// 500.
    pub fn revocation(mut self, revocation: Revocation) -> Result<Self, ConfigError> {
        if let (Means::Live(_), Some(issuer)) =
            (revocation.means(), self.auth.without_introspection())
        {
            return Err(ConfigError::NoIntrospection { issuer: issuer.to_owned() });
        }
        self.revocation = revocation;
        Ok(self)
    }

    /// The authenticator.
    #[must_use]
    pub fn authenticator(&self) -> &Authenticator {
        &self.auth
    }

    /// What becomes of `request`: the visitor to let in, or the refusal to answer with. Ready at once
    /// when everything is at hand.
    ///
    /// For adapters; [`authenticate`](Self::authenticate) is the same for everybody else.
    pub fn enter<R: RequestView + ?Sized>(
        &self,
        request: &R,
    ) -> MaybeReady<Result<Visitor, Refusal>> {
        let protocol = self.protocol(request);
        match self.auth.decide(request, &self.credentials, self.revocation.means()) {
            MaybeReady::Ready(Ok(Some(who))) => MaybeReady::Ready(Ok(Visitor::Caller(who))),
            verdict => {
                let (optional, anonymous) = (self.optional, self.auth.anonymous());
                let visitor = move |verdict: Verdict| match verdict {
                    Ok(Some(who)) => Ok(Visitor::Caller(who)),
                    Ok(None) if optional => Ok(Visitor::Anonymous(anonymous)),
                    Ok(None) => Err(anonymous.refusal().in_protocol(protocol)),
                    Err(refusal) => Err(refusal.in_protocol(protocol)),
                };
                verdict.map(visitor)
            }
        }
    }

    /// The caller, by everything that this gate asks for: the token, and whether it was revoked. A
    /// request without a token is refused. With this a framework without an adapter has the same
    /// verdicts as one with it.
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
    /// The [`Refusal`] that the client should get; [`Refusal::into_response`] is the whole answer.
    pub fn authenticate<R: RequestView + ?Sized>(
        &self,
        request: &R,
    ) -> impl Future<Output = Result<Authenticated, Refusal>> + Send + use<R> {
        let (visitor, protocol) = (self.enter(request), self.protocol(request));
        async move {
            match visitor.await? {
                Visitor::Caller(who) => Ok(who),
                Visitor::Anonymous(anonymous) => Err(anonymous.refusal().in_protocol(protocol)),
            }
        }
    }

    /// Lets a request to an open route in: no token is looked for, and the caller is an
    /// [`Anonymous`]. The [`Exit`] is for the response.
    ///
    /// For adapters. Which routes are open the adapter's framework decides, by its own routing.
    #[must_use]
    pub fn enter_open(&self, request: &(impl RequestView + ?Sized)) -> (Visitor, Exit) {
        // No credential decides what the response says.
        let exit = Exit { vary: None, protocol: self.protocol(request) };
        (Visitor::Anonymous(self.auth.anonymous()), exit)
    }

    /// The metadata of the [protected resource](crate::AuthenticatorBuilder::protected_resource),
    /// if `request` asks for them. An adapter answers with them before anything else.
    #[must_use]
    pub fn metadata<B: From<Bytes>>(
        &self,
        request: &(impl RequestView + ?Sized),
    ) -> Option<Response<B>> {
        let resource = self.resource()?;
        resource.is_asked_for(request).then(|| resource.to_response(request))
    }

    /// The path that the metadata have, where there are any: for adapters that must route it.
    #[must_use]
    pub fn metadata_path(&self) -> Option<&str> {
        self.resource().map(Resource::path)
    }

    /// What the response to `request` needs to know of it, if it goes through.
    #[must_use]
    pub fn exit(&self, request: &(impl RequestView + ?Sized)) -> Exit {
        Exit { vary: self.vary.clone(), protocol: self.protocol(request) }
    }

    fn resource(&self) -> Option<&Resource> {
        self.auth.space().resource.as_ref()
    }

    /// What refusals are written in: the service's declaration, and nothing that the client sends,
    /// but that the answer to a `HEAD` has the same status and no body.
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

impl From<Authenticator> for Gate {
    fn from(auth: Authenticator) -> Self {
        Self::new(auth)
    }
}

/// The headers that decide what a response says. `None` if there is none, or only the one that caches
/// know of.
fn vary(credentials: &Credentials, optional: bool) -> Option<HeaderValue> {
    let names = credentials.headers();
    if names.is_empty() || (names == [AUTHORIZATION.as_str()] && !optional) {
        return None;
    }
    HeaderValue::try_from(names.join(", ")).ok()
}

/// Whom a [`Gate`] let through: what stands in the request's extensions.
#[derive(Debug)]
pub enum Visitor {
    /// Somebody with a good token.
    Caller(Authenticated),
    /// Somebody without one, where it is not compulsory.
    Anonymous(Anonymous),
}

impl Visitor {
    /// Puts the visitor there. Whom an outer gate found is nobody to this one.
    pub fn mark(self, extensions: &mut Extensions) {
        match self {
            Self::Caller(who) => {
                extensions.insert(who);
            }
            Self::Anonymous(anonymous) => {
                extensions.remove::<Authenticated>();
                extensions.insert(anonymous);
            }
        }
    }
}

#[cfg(test)]
mod tests;
