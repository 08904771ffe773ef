//! Authentication.

use std::marker::PhantomData;

use http::{Request, Response};
use hyper::service::Service;
use portcullis::{
    Gate,
    adapter::{Bodies, FromBytes, MaybeReady, NoBodies},
};

use crate::future::ResponseFuture;

/// A service that rejects requests without a valid token, and inserts the caller, an
/// [`Authenticated`](portcullis::Authenticated), into the extensions of all other requests.
///
/// Refusals have no body, so that responses can have any body type. If bodies can be created from
/// bytes, call [`with_bodies`](Self::with_bodies): refusals then have the body that the
/// authenticator's settings define, and the service serves the metadata of the protected resource.
///
/// The inner service is cloned only for requests that must wait for a key. Put a service that is
/// not `Clone` into an `Arc`. Neither the services nor their futures and bodies have to be `Send`.
///
/// ```
/// use http::{Request, Response};
/// use hyper::service::{Service, service_fn};
/// use portcullis_hyper::portcullis::{Authenticator, Refusal};
/// use portcullis_hyper::{AuthService, maybe_caller};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = portcullis_hyper::portcullis::keys::SharedKeySet::new(Default::default());
/// # let auth = Authenticator::builder("https://auth.example", "https://api.example")
/// #     .key_source(keys).build().await?;
/// let greet = service_fn(async |request: Request<String>| {
///     let who = maybe_caller(&request)?;
///     Ok::<_, Refusal>(Response::new(format!("{:?}", who.and_then(|who| who.subject()))))
/// });
/// let strict = AuthService::new(auth, greet);
/// assert_eq!(strict.call(Request::new(String::new())).await?.status(), 401);
///
/// let optional = strict.optional();
/// assert_eq!(optional.call(Request::new(String::new())).await?.body(), "None");
/// let bad = Request::get("/").header("authorization", "Bearer bad").body(String::new())?;
/// assert_eq!(optional.call(bad).await?.status(), 401);
/// # Ok(()) }
/// ```
#[doc(alias("middleware", "jwt", "bearer"))]
#[derive(Debug)]
pub struct AuthService<S, M = NoBodies> {
    inner: S,
    gate: Gate,
    open_paths: Vec<String>,
    bodies: PhantomData<fn() -> M>,
}

impl<S> AuthService<S> {
    /// Creates a service that rejects every request to `inner` without a valid token. `gate` is an
    /// authenticator, or a [`Gate`] with further settings.
    #[must_use]
    pub fn new(gate: impl Into<Gate>, inner: S) -> Self {
        Self { inner, gate: gate.into(), open_paths: Vec::new(), bodies: PhantomData }
    }

    /// Adds bodies to refusals, for services whose bodies are `From<Bytes>`.
    #[must_use]
    pub fn with_bodies(self) -> AuthService<S, FromBytes> {
        AuthService {
            inner: self.inner,
            gate: self.gate,
            open_paths: self.open_paths,
            bodies: PhantomData,
        }
    }
}

impl<S, M> AuthService<S, M> {
    /// Also accepts requests without any token; see [`Gate::optional`].
    #[must_use]
    pub fn optional(self) -> Self {
        Self { gate: self.gate.optional(), ..self }
    }

    /// Opens a path: requests to it reach the inner service without a token, with any method, and
    /// their caller is an [`Anonymous`](portcullis::Anonymous). A token in the request is ignored.
    ///
    /// The service compares the request's [`Uri::path`](http::Uri::path) as exact text, without
    /// patterns or decoding. `/health/`, `//health` and `/%68ealth` differ from `/health`. **The
    /// inner service must interpret the path in the same way**: a service that decodes or
    /// normalizes it may match a request to another route than this service does.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use hyper::service::{Service, service_fn};
    /// use portcullis_hyper::{AuthService, portcullis::Authenticator};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let auth = Authenticator::builder("https://auth.example", "https://api.example")
    /// #     .key_source(portcullis_hyper::portcullis::keys::SharedKeySet::new(Default::default())).build().await?;
    /// let inner = service_fn(async |_: Request<String>| {
    ///     Ok::<_, std::convert::Infallible>(Response::new("fine".to_owned()))
    /// });
    /// let service = AuthService::new(auth, inner).open_path("/health");
    /// for (path, status) in [("/health", 200), ("/health/", 401), ("/orders", 401)] {
    ///     let response = service.call(Request::get(path).body(String::new())?).await?;
    ///     assert_eq!(response.status(), status);
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn open_path(mut self, path: impl Into<String>) -> Self {
        self.open_paths.push(path.into());
        self
    }
}

impl<S: Clone, M> Clone for AuthService<S, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: self.gate.clone(),
            open_paths: self.open_paths.clone(),
            bodies: PhantomData,
        }
    }
}

impl<S, M, ReqBody, ResBody> Service<Request<ReqBody>> for AuthService<S, M>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    M: Bodies<ResBody>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, M>;

    fn call(&self, request: Request<ReqBody>) -> Self::Future {
        if let Some(metadata) = M::metadata(&self.gate, &request) {
            return ResponseFuture::answered(metadata, Some(self.gate.exit(&request)));
        }
        let (admission, exit) = if self.open_paths.iter().any(|open| open == request.uri().path()) {
            let (visitor, exit) = self.gate.enter_open(&request);
            (MaybeReady::Ready(Ok(visitor)), exit)
        } else {
            (self.gate.enter(&request), self.gate.exit(&request))
        };
        let admission = admission.map(|visitor| visitor.map(Some));
        ResponseFuture::of(&self.inner, request, admission, Some(exit))
    }
}
