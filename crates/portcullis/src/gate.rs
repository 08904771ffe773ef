//! The gate in front of a service: everything that an adapter does with a request, but for what its
//! framework's types are called.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{HeaderValue, VARY};
use http::{Extensions, Response};
use zeroize::Zeroizing;

use crate::anonymous::Anonymous;
use crate::authenticated::Authenticated;
use crate::authenticator::{Attempt, Authenticator, NOBODY_TO_ASK};
use crate::refusal::{Protocol, Refusal, with_body};
use crate::remote::standing::Standing;
use crate::request::{RequestView, is_preflight};
use crate::resource::Resource;
use crate::revocation::{Means, Revocation};

/// An [`Authenticator`], and which requests it lets past: every adapter's layer takes one, or an
/// authenticator alone, which lets nothing past.
///
/// ```
/// # use portcullis::{Authenticator, Gate};
/// # fn gate(auth: Authenticator) -> Gate {
/// Gate::new(auth).open_path("/health").open_preflight()
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Gate {
    auth: Authenticator,
    optional: bool,
    preflight: bool,
    open_paths: Vec<String>,
    revocation: Revocation,
    vary: Option<HeaderValue>,
}

impl Gate {
    /// A gate that refuses every request without a good token.
    #[must_use]
    pub fn new(auth: Authenticator) -> Self {
        let vary = vary(&auth, false);
        Self {
            auth,
            optional: false,
            preflight: false,
            open_paths: Vec::new(),
            revocation: Revocation::expiry(),
            vary,
        }
    }

    /// Lets requests without any token through as well, with an [`Anonymous`] in their extensions.
    /// A token that is there and is bad is refused all the same.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self.vary = vary(&self.auth, true);
        self
    }

    /// Lets every request to this path through without looking for a token: a health check. Its
    /// caller is an [`Anonymous`].
    ///
    /// The path is compared whole, as it was sent, and as the layer sees it (some frameworks take
    /// off the prefix under which a router is nested): there are no patterns, and `/health/` or
    /// `/%68ealth` is another path than `/health`.
    #[must_use]
    pub fn open_path(mut self, path: impl Into<String>) -> Self {
        self.open_paths.push(path.into());
        self
    }

    /// Lets the preflight requests of CORS through, for a CORS layer inside: `OPTIONS` with
    /// `Origin` and `Access-Control-Request-Method`, which browsers send without a token. A CORS
    /// layer outside needs nothing of this.
    #[must_use]
    pub fn open_preflight(mut self) -> Self {
        self.preflight = true;
        self
    }

    /// Asks for this of the tokens of every request that comes through: how promptly a revocation
    /// must be known here. [`Revocation::expiry`] by default; routes that need more have a gate of
    /// their own, with the same authenticator.
    #[must_use]
    pub fn revocation(mut self, revocation: Revocation) -> Self {
        if matches!(revocation.means(), Means::Live(_)) && !self.auth.can_introspect() {
            // Each request will say so again; whoever starts the service is told first.
            tracing::error!(target: "portcullis", remedy = NOBODY_TO_ASK, "nobody can be asked");
        }
        self.revocation = revocation;
        self
    }

    /// The authenticator.
    #[must_use]
    pub fn authenticator(&self) -> &Authenticator {
        &self.auth
    }

    /// What becomes of `request`.
    pub fn enter<R: RequestView + ?Sized>(&self, request: &R) -> Entry {
        if self.is_open(request) {
            return Entry::Pass(Visitor::Anonymous(self.auth.anonymous()));
        }
        let refused = |refusal: Refusal| Entry::Refused(refusal.to(request));
        let (attempt, stands) = self.auth.attempt_by(request, self.revocation.means());
        match attempt {
            Attempt::Done(Ok(Some(who))) if stands => Entry::Pass(Visitor::Caller(who)),
            Attempt::Done(Ok(Some(who))) => self.stand(who, request),
            Attempt::Done(Ok(None)) if self.optional => {
                Entry::Pass(Visitor::Anonymous(self.auth.anonymous()))
            }
            Attempt::Done(Ok(None)) => refused(self.auth.anonymous().refusal()),
            Attempt::Done(Err(refusal)) => refused(refusal),
            Attempt::Pending(pending) => {
                let (auth, means) = (self.auth.clone(), self.revocation.means());
                let caller: Pin<Box<dyn Future<Output = _> + Send>> = match means {
                    Means::Expiry => Box::pin(pending),
                    Means::StatusList(_) | Means::Live(_) => {
                        let token =
                            self.auth.token_of(request).map(|text| Zeroizing::new(text.to_owned()));
                        Box::pin(async move {
                            let who = pending.await?;
                            let token = || token.as_ref().map(|token| token.as_str());
                            let stands = match auth.standing(&who, means, token)? {
                                Standing::Ready(stands) => stands,
                                Standing::Pending(stands) => stands.await,
                            };
                            stands.map_err(|error| auth.fallen(error)).map(|()| who)
                        })
                    }
                };
                Entry::Waiting(Waiting { caller, protocol: Protocol::of(request) })
            }
        }
    }

    /// What becomes of a caller with a good token that may have been revoked.
    fn stand(&self, who: Authenticated, request: &(impl RequestView + ?Sized)) -> Entry {
        let means = self.revocation.means();
        match self.auth.standing(&who, means, || self.auth.token_of(request)) {
            Ok(Standing::Ready(Ok(()))) => Entry::Pass(Visitor::Caller(who)),
            Ok(Standing::Ready(Err(error))) => Entry::Refused(self.auth.fallen(error).to(request)),
            Err(refusal) => Entry::Refused(refusal.to(request)),
            Ok(Standing::Pending(stands)) => {
                let auth = self.auth.clone();
                let caller = Box::pin(async move {
                    stands.await.map_err(|error| auth.fallen(error)).map(|()| who)
                });
                Entry::Waiting(Waiting { caller, protocol: Protocol::of(request) })
            }
        }
    }

    /// The metadata of the [protected resource](crate::AuthenticatorBuilder::protected_resource),
    /// if `request` asks for them. An adapter answers with them before anything else.
    pub fn metadata<B: From<Bytes>>(
        &self,
        request: &(impl RequestView + ?Sized),
    ) -> Option<Response<B>> {
        let resource = self.resource()?;
        resource.is_asked_for(request).then(|| resource.to_response(Protocol::of(request)))
    }

    /// The path that the metadata have, where there are any: for adapters that must route it.
    #[must_use]
    pub fn metadata_path(&self) -> Option<&str> {
        self.resource().map(Resource::path)
    }

    /// What the response to `request` needs to know of it, if it goes through.
    pub fn exit(&self, request: &(impl RequestView + ?Sized)) -> Exit {
        Exit { vary: self.vary.clone(), protocol: Protocol::of(request) }
    }

    fn resource(&self) -> Option<&Resource> {
        self.auth.space().resource.as_ref()
    }

    fn is_open(&self, request: &(impl RequestView + ?Sized)) -> bool {
        let path = || request.path();
        (!self.open_paths.is_empty() && self.open_paths.iter().any(|open| path() == Some(open)))
            || (self.preflight && is_preflight(request))
    }
}

impl From<Authenticator> for Gate {
    fn from(auth: Authenticator) -> Self {
        Self::new(auth)
    }
}

/// The headers that decide what a response says, beyond the one that caches know of.
fn vary(auth: &Authenticator, optional: bool) -> Option<HeaderValue> {
    let others = auth.credentials().headers();
    if others.is_empty() && !optional {
        return None;
    }
    let names: Vec<&str> = std::iter::once("authorization").chain(others).collect();
    HeaderValue::try_from(names.join(", ")).ok()
}

/// What becomes of a request at a [`Gate`].
#[derive(Debug)]
pub enum Entry {
    /// The inner service is called, with this in the request's extensions.
    Pass(Visitor),
    /// It is not.
    Refused(Refusal),
    /// A key or a status list must be fetched first, or the issuer be asked.
    Waiting(Waiting),
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

/// A request that waits for a key, a status list or an answer of the issuer. It owns all it needs: the request may go.
pub struct Waiting {
    caller: Pin<Box<dyn Future<Output = Result<Authenticated, Refusal>> + Send>>,
    protocol: Protocol,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

impl Future for Waiting {
    type Output = Result<Visitor, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = self.caller.as_mut().poll(context);
        outcome.map(|outcome| match outcome {
            Ok(who) => Ok(Visitor::Caller(who)),
            Err(refusal) => Err(refusal.in_protocol(self.protocol)),
        })
    }
}

/// What a response needs to know of a request that went through a [`Gate`].
#[derive(Debug, Clone)]
pub struct Exit {
    vary: Option<HeaderValue>,
    protocol: Protocol,
}

impl Exit {
    /// What a response must add to its `Vary` header, unless it is a refusal from within, which is
    /// not stored at all. `None` where the Authorization header alone decides: no shared cache
    /// keeps such a response ([RFC 9111 §3.5]).
    ///
    /// [RFC 9111 §3.5]: https://www.rfc-editor.org/rfc/rfc9111#section-3.5
    #[must_use]
    pub fn vary(&self) -> Option<HeaderValue> {
        self.vary.clone()
    }

    /// A refusal from within may not know what it is an answer to.
    fn tell<B>(&self, response: &mut Response<B>) {
        if let Some(refusal) = response.extensions_mut().get_mut::<Refusal>() {
            *refusal = refusal.clone().in_protocol(self.protocol);
        }
    }

    fn with_vary<B>(&self, mut response: Response<B>) -> Response<B> {
        let refused = response.extensions().get::<Refusal>().is_some();
        if let Some(vary) = self.vary().filter(|_| !refused) {
            response.headers_mut().append(VARY, vary);
        }
        response
    }
}

/// Whether a service's responses can have bodies that the gate makes: for adapters whose services
/// have responses of any type. [`NoBodies`] and [`FromBytes`] are the two answers.
pub trait Bodies<B> {
    /// [`Gate::metadata`], where a body can be made.
    fn metadata(gate: &Gate, request: &(impl RequestView + ?Sized)) -> Option<Response<B>>;

    /// The response to a refused request.
    fn refused(refusal: Refusal) -> Response<B>;

    /// The response to one that went through.
    fn passed(response: Response<B>, exit: &Exit) -> Response<B>;
}

/// Refusals have headers and no body, which any type of body can do.
#[derive(Debug, Clone, Copy)]
pub struct NoBodies(());

/// Refusals have the bodies that the settings give them, and metadata are served.
#[derive(Debug, Clone, Copy)]
pub struct FromBytes(());

impl<B: Default> Bodies<B> for NoBodies {
    fn metadata(gate: &Gate, _: &(impl RequestView + ?Sized)) -> Option<Response<B>> {
        if let Some(resource) = gate.resource() {
            resource.report_unserved();
        }
        None
    }

    fn refused(refusal: Refusal) -> Response<B> {
        refusal.into_response()
    }

    fn passed(response: Response<B>, exit: &Exit) -> Response<B> {
        exit.with_vary(response)
    }
}

impl<B: Default + From<Bytes>> Bodies<B> for FromBytes {
    fn metadata(gate: &Gate, request: &(impl RequestView + ?Sized)) -> Option<Response<B>> {
        gate.metadata(request)
    }

    fn refused(refusal: Refusal) -> Response<B> {
        refusal.into_full_response()
    }

    fn passed(mut response: Response<B>, exit: &Exit) -> Response<B> {
        exit.tell(&mut response);
        exit.with_vary(with_body(response))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use serde_json::json;

    use super::*;
    use crate::algorithm::Algorithm;
    use crate::authenticator::AuthenticatorBuilder;
    use crate::key::SharedKeySet;
    use crate::testing::{ManualClock, TestKey};

    const NOW: u64 = 1_800_000_000;

    async fn gate_with(
        change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> (Gate, String) {
        let key = TestKey::generate("k", Algorithm::Ed25519);
        let builder = Authenticator::builder("https://issuer.example", "https://api.example")
            .key_source(SharedKeySet::new(TestKey::key_set([&key])))
            .clock(ManualClock::at(NOW));
        let token = key.token(&json!({
            "iss": "https://issuer.example", "aud": "https://api.example", "sub": "a",
            "exp": NOW + 900,
        }));
        (Gate::new(change(builder).build().await.unwrap()), token)
    }

    fn entry(gate: &Gate, method: &str, target: &str, headers: &[(&str, &str)]) -> &'static str {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match gate.enter(&request.body(()).unwrap()) {
            Entry::Pass(Visitor::Caller(_)) => "caller",
            Entry::Pass(Visitor::Anonymous(_)) => "anonymous",
            Entry::Refused(refusal) => refusal.rule(),
            Entry::Waiting(_) => "waiting",
        }
    }

    #[tokio::test]
    async fn only_the_listed_path_is_open_as_it_is_written() {
        let (gate, token) = gate_with(|builder| builder).await;
        let gate = gate.open_path("/health");
        for target in ["/health", "/health?x=1", "http://a.example/health"] {
            assert_eq!(entry(&gate, "GET", target, &[]), "anonymous", "{target}");
        }
        for target in ["/", "/health/", "//health", "/%68ealth", "/Health", "/a/health", "/healthz"]
        {
            assert_eq!(entry(&gate, "GET", target, &[]), "missing", "{target}");
        }
        let bearer = format!("Bearer {token}");
        assert_eq!(entry(&gate, "GET", "/x", &[("authorization", &bearer)]), "caller");
    }

    #[tokio::test]
    async fn only_what_is_a_preflight_passes_for_one_and_only_on_demand() {
        let (closed, _) = gate_with(|builder| builder).await;
        let open = closed.clone().open_preflight();
        let preflight =
            [("origin", "https://app.example"), ("access-control-request-method", "POST")];
        assert_eq!(entry(&closed, "OPTIONS", "/x", &preflight), "missing");
        assert_eq!(entry(&open, "OPTIONS", "/x", &preflight), "anonymous");
        assert_eq!(entry(&open, "POST", "/x", &preflight), "missing");
        assert_eq!(entry(&open, "options", "/x", &preflight), "missing");
        for part in preflight {
            assert_eq!(entry(&open, "OPTIONS", "/x", &[part]), "missing");
        }
    }

    #[tokio::test]
    async fn a_request_says_where_else_its_token_stands() {
        let (gate, token) = gate_with(|builder| {
            let builder =
                builder.token_header("X-Access-Token").websocket_protocol("bearer.").cookie("t");
            crate::dangerous::token_in_query(builder, "access_token")
        })
        .await;
        let protocol = format!("chat, bearer.{token}");
        let cookie = format!("t={token}");
        let query = format!("/x?access_token={token}");
        assert_eq!(entry(&gate, "GET", "/x", &[("x-access-token", &token)]), "caller");
        assert_eq!(entry(&gate, "GET", "/x", &[("sec-websocket-protocol", &protocol)]), "caller");
        assert_eq!(entry(&gate, "GET", &query, &[]), "caller");
        assert_eq!(entry(&gate, "GET", "/x", &[("cookie", &cookie)]), "caller");
        assert_eq!(entry(&gate, "POST", "/x", &[("cookie", &cookie)]), "cross_site");
        let handshake = [("connection", "upgrade"), ("cookie", cookie.as_str())];
        assert_eq!(entry(&gate, "GET", "/x", &handshake), "cross_site");
        assert_eq!(entry(&gate, "CONNECT", "a.example:1", &handshake), "cross_site");
        let two = [("x-access-token", token.as_str()), ("sec-websocket-protocol", &protocol)];
        assert_eq!(entry(&gate, "GET", "/x", &two), "credentials_repeated");
        assert_eq!(
            gate.exit(&Request::new(())).vary().unwrap(),
            "authorization, x-access-token, sec-websocket-protocol, cookie"
        );
    }

    #[tokio::test]
    async fn metadata_are_answered_at_their_path_and_named_in_every_challenge() {
        let (gate, _) =
            gate_with(|builder| builder.protected_resource("https://api.example/v1")).await;
        let path = "/.well-known/oauth-protected-resource/v1";
        assert_eq!(gate.metadata_path(), Some(path));
        let ask = |method: &str, target: &str| {
            let request = Request::builder().method(method).uri(target).body(()).unwrap();
            gate.metadata::<Bytes>(&request)
        };
        let answer = ask("GET", path).unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert!(answer.body().starts_with(b"{"));
        for (method, target) in [("POST", path), ("GET", "/v1"), ("GET", "/")] {
            assert!(ask(method, target).is_none(), "{method} {target}");
        }
        let Entry::Refused(refusal) = gate.enter(&Request::new(())) else { unreachable!() };
        assert_eq!(
            refusal.challenge().unwrap(),
            "Bearer realm=\"api\", resource_metadata=\"https://api.example/.well-known/\
             oauth-protected-resource/v1\""
        );
    }

    #[tokio::test]
    async fn a_body_takes_the_place_of_no_header() {
        let (gate, _) = gate_with(AuthenticatorBuilder::problem_json).await;
        let Entry::Refused(refusal) = gate.enter(&Request::new(())) else { unreachable!() };
        let bare = refusal.clone().into_response::<Bytes>();
        assert!(bare.body().is_empty());
        let full = FromBytes::passed(bare, &gate.exit(&Request::new(())));
        assert_eq!(full.status(), 401);
        assert_eq!(full.headers()["www-authenticate"], r#"Bearer realm="api""#);
        assert_eq!(full.headers()["content-type"], "application/problem+json");
        let document: serde_json::Value = serde_json::from_slice(full.body()).unwrap();
        assert_eq!(
            document,
            json!({
                "type": "about:blank", "title": "Unauthorized", "status": 401,
                "detail": "An access token is required",
            })
        );
        // What a handler has put there itself stays.
        let mut own = refusal.into_response::<Bytes>();
        own.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
        assert!(with_body(own).body().is_empty());
    }
}
