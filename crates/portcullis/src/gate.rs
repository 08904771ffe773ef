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
use crate::request::{RequestView, is_head};
use crate::resource::Resource;
use crate::revocation::{Means, Revocation};

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
pub struct Gate {
    auth: Authenticator,
    optional: bool,
    grpc: bool,
    revocation: Revocation,
    vary: Option<HeaderValue>,
}

impl Gate {
    /// A gate that refuses every request without a good token.
    #[must_use]
    pub fn new(auth: Authenticator) -> Self {
        let vary = vary(&auth, false);
        Self { auth, optional: false, grpc: false, revocation: Revocation::expiry(), vary }
    }

    /// Lets requests without any token through as well, with an [`Anonymous`] in their extensions.
    /// A token that is there and is bad is refused all the same.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self.vary = vary(&self.auth, true);
        self
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
        let protocol = self.protocol(request);
        let refused = |refusal: Refusal| Entry::Refused(refusal.in_protocol(protocol));
        let (attempt, stands) = self.auth.attempt_by(request, self.revocation.means());
        match attempt {
            Attempt::Done(Ok(Some(who))) if stands => Entry::Pass(Visitor::Caller(who)),
            Attempt::Done(Ok(Some(who))) => self.stand(who, request, protocol),
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
                Entry::Waiting(Waiting { caller, protocol })
            }
        }
    }

    /// Lets a request to an open route in: no token is looked for, and the caller is an
    /// [`Anonymous`]. The [`Exit`] is for the response.
    ///
    /// For adapters. Which routes are open the adapter's framework decides, by its own routing.
    pub fn enter_open(&self, request: &(impl RequestView + ?Sized)) -> (Visitor, Exit) {
        // No credential decides what the response says.
        let exit = Exit { vary: None, protocol: self.protocol(request) };
        (Visitor::Anonymous(self.auth.anonymous()), exit)
    }

    /// What becomes of a caller with a good token that may have been revoked.
    fn stand(
        &self,
        who: Authenticated,
        request: &(impl RequestView + ?Sized),
        protocol: Protocol,
    ) -> Entry {
        let means = self.revocation.means();
        let refused = |refusal: Refusal| Entry::Refused(refusal.in_protocol(protocol));
        match self.auth.standing(&who, means, || self.auth.token_of(request)) {
            Ok(Standing::Ready(Ok(()))) => Entry::Pass(Visitor::Caller(who)),
            Ok(Standing::Ready(Err(error))) => refused(self.auth.fallen(error)),
            Err(refusal) => refused(refusal),
            Ok(Standing::Pending(stands)) => {
                let auth = self.auth.clone();
                let caller = Box::pin(async move {
                    stands.await.map_err(|error| auth.fallen(error)).map(|()| who)
                });
                Entry::Waiting(Waiting { caller, protocol })
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
        resource.is_asked_for(request).then(|| resource.to_response(request))
    }

    /// The path that the metadata have, where there are any: for adapters that must route it.
    #[must_use]
    pub fn metadata_path(&self) -> Option<&str> {
        self.resource().map(Resource::path)
    }

    /// What the response to `request` needs to know of it, if it goes through.
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

    /// The refusal to answer with in the place of `refusal`, which comes from within: one of gRPC,
    /// where the gate's service is and `refusal` is not. `None` where the response can stay as it is.
    ///
    /// For adapters whose responses are not those of `http`; [`Bodies::passed`] does it for the
    /// others.
    #[must_use]
    pub fn instead_of(&self, refusal: &Refusal) -> Option<Refusal> {
        let is_in_other_words =
            self.protocol == Protocol::Grpc && refusal.protocol() != Protocol::Grpc;
        is_in_other_words.then(|| refusal.clone().into_grpc())
    }

    /// A refusal from within does not know what it is an answer to.
    fn restate<B: Default>(&self, mut response: Response<B>) -> Response<B> {
        let Some(refusal) = response.extensions_mut().get_mut::<Refusal>() else { return response };
        if let Some(refusal) = self.instead_of(refusal) {
            return refusal.rewrite(response);
        }
        if refusal.protocol() == Protocol::Http {
            *refusal = refusal.clone().in_protocol(self.protocol);
        }
        response
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
        exit.with_vary(exit.restate(response))
    }
}

impl<B: Default + From<Bytes>> Bodies<B> for FromBytes {
    fn metadata(gate: &Gate, request: &(impl RequestView + ?Sized)) -> Option<Response<B>> {
        gate.metadata(request)
    }

    fn refused(refusal: Refusal) -> Response<B> {
        refusal.into_full_response()
    }

    fn passed(response: Response<B>, exit: &Exit) -> Response<B> {
        exit.with_vary(with_body(exit.restate(response)))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use serde_json::json;

    use super::*;
    use crate::authenticator::AuthenticatorBuilder;
    use crate::testing::{Scene, verdict_now};

    async fn gate_with(
        change: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> (Gate, String) {
        let scene = Scene::with(change).await;
        (scene.gate(), scene.token("a").sign())
    }

    fn entry(gate: &Gate, method: &str, target: &str, headers: &[(&str, &str)]) -> &'static str {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match verdict_now(gate, &request.body(()).unwrap()) {
            Ok(Ok(Visitor::Caller(_))) => "caller",
            Ok(Ok(Visitor::Anonymous(_))) => "anonymous",
            Ok(Err(refusal)) => refusal.rule(),
            Err(_) => "waits",
        }
    }

    #[tokio::test]
    async fn no_path_and_no_method_passes_without_a_token() {
        let (gate, token) = gate_with(|builder| builder).await;
        let preflight =
            [("origin", "https://app.example"), ("access-control-request-method", "POST")];
        for method in ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "PROPFIND"] {
            for target in ["/", "/health", "//health", "*"] {
                assert_eq!(
                    entry(&gate, method, target, &preflight),
                    "missing",
                    "{method} {target}"
                );
            }
        }
        let bearer = format!("Bearer {token}");
        assert_eq!(entry(&gate, "OPTIONS", "/x", &[("authorization", &bearer)]), "caller");
    }

    /// What becomes of `response` on its way out, in status and `grpc-status`.
    fn shape(response: &Response<Bytes>) -> (u16, Option<&str>) {
        let status = response.headers().get("grpc-status").map(|status| status.to_str().unwrap());
        (response.status().as_u16(), status)
    }

    #[tokio::test]
    async fn only_a_declared_gate_answers_in_grpc_terms_and_it_always_does() {
        let (plain, _) = gate_with(AuthenticatorBuilder::problem_json).await;
        let declared = plain.clone().grpc();
        for kind in ["", "application/grpc", "application/grpc+proto", "application/json"] {
            for method in ["GET", "HEAD", "POST", "OPTIONS"] {
                let request = Request::builder().method(method).header("content-type", kind);
                let request = request.body(()).unwrap();
                for (gate, expected) in [(&plain, (401, None)), (&declared, (200, Some("16")))] {
                    let refusal = verdict_now(gate, &request).unwrap().unwrap_err();
                    assert_eq!(shape(&refusal.into_full_response()), expected, "{kind} {method}");
                }
                // From within: a layer, an extractor or a handler, on a route that is open or not.
                let within = || Refusal::misconfigured("").into_full_response();
                for (gate, expected) in [(&plain, (500, None)), (&declared, (200, Some("13")))] {
                    let (_, open) = gate.enter_open(&request);
                    for exit in [gate.exit(&request), open] {
                        assert_eq!(shape(&FromBytes::passed(within(), &exit)), expected);
                        assert_eq!(shape(&NoBodies::passed(within(), &exit)), expected);
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn problem_document_from_within_is_dropped_by_a_grpc_gate() {
        let (gate, _) = gate_with(AuthenticatorBuilder::problem_json).await;
        let gate = gate.grpc();
        let request = Request::new(());
        let (Visitor::Anonymous(anonymous), exit) = gate.enter_open(&request) else {
            unreachable!()
        };
        let within: Response<Bytes> = anonymous.refusal().into_full_response();
        assert!(!within.body().is_empty());
        let passed = FromBytes::passed(within, &exit);
        assert_eq!(shape(&passed), (200, Some("16")));
        assert!(passed.body().is_empty());
        assert_eq!(passed.headers()["content-type"], "application/grpc");
        assert_eq!(passed.headers()["www-authenticate"], r#"Bearer realm="api""#);
    }

    #[tokio::test]
    async fn open_route_has_an_anonymous_caller_and_no_vary() {
        let (gate, _) = gate_with(|builder| builder.cookie("t")).await;
        let mut request = Request::get("/").header("authorization", "Bearer bad").body(()).unwrap();
        let (visitor, exit) = gate.enter_open(&request);
        visitor.mark(request.extensions_mut());
        assert!(request.extensions().get::<Anonymous>().is_some());
        assert!(exit.vary().is_none());
        assert!(gate.exit(&request).vary().is_some());
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
        let refusal = verdict_now(&gate, &Request::new(())).unwrap().unwrap_err();
        assert_eq!(
            refusal.challenge().unwrap(),
            "Bearer realm=\"api\", resource_metadata=\"https://api.example/.well-known/\
             oauth-protected-resource/v1\""
        );
    }

    #[tokio::test]
    async fn a_body_takes_the_place_of_no_header() {
        let (gate, _) = gate_with(AuthenticatorBuilder::problem_json).await;
        let refusal = verdict_now(&gate, &Request::new(())).unwrap().unwrap_err();
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
