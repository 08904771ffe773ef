//! Who is calling.

use std::marker::PhantomData;
use std::task::{Context, Poll};

use http::{Request, Response};
use portcullis::{
    Gate,
    adapter::{Bodies, FromBytes, MaybeReady, NoBodies},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::future::ResponseFuture;

/// Lets through only requests with a good token, and puts the
/// [`Authenticated`](portcullis::Authenticated) into their extensions.
///
/// Refusals have no body, so that the service's responses can be of any type, tonic's among them.
/// Where a body can be made from bytes, [`with_bodies`](Self::with_bodies) gives them the one that
/// the authenticator's settings say, and serves the metadata of the protected resource.
#[doc(alias("middleware", "jwt", "bearer"))]
#[derive(Debug)]
pub struct AuthLayer<M = NoBodies> {
    gate: Gate,
    open_paths: Vec<String>,
    bodies: PhantomData<fn() -> M>,
}

impl AuthLayer {
    /// A layer that refuses every request without a good token. It takes an authenticator, or a
    /// [`Gate`] that says more.
    #[must_use]
    pub fn new(gate: impl Into<Gate>) -> Self {
        Self { gate: gate.into(), open_paths: Vec::new(), bodies: PhantomData }
    }

    /// The same with bodies, for services whose bodies are `From<Bytes>`.
    #[must_use]
    pub fn with_bodies(self) -> AuthLayer<FromBytes> {
        AuthLayer { gate: self.gate, open_paths: self.open_paths, bodies: PhantomData }
    }
}

impl<M> AuthLayer<M> {
    /// Lets requests without any token through as well; see [`Gate::optional`].
    #[must_use]
    pub fn optional(self) -> Self {
        Self { gate: self.gate.optional(), ..self }
    }

    /// Opens a path: requests to it reach the service without a token, by any method, and their
    /// caller is an [`Anonymous`](portcullis::Anonymous). A token that is sent is not looked at.
    ///
    /// The path is compared with [`Uri::path`](http::Uri::path) of the request as this layer gets it:
    /// the exact text, without patterns or decoding. `/health/`, `//health` and `/%68ealth` are other
    /// paths than `/health`. **The service behind must read the path in the same way.** A router
    /// that strips a prefix, or decodes or normalizes the path, can take a request for another route
    /// than this layer does; with a router, open its route instead, outside this layer.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use portcullis_tower::{AuthLayer, portcullis::Authenticator};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let auth = Authenticator::builder("https://auth.example", "https://api.example")
    /// #     .key_source(portcullis_tower::portcullis::keys::SharedKeySet::new(Default::default())).build().await?;
    /// let service = ServiceBuilder::new()
    ///     .layer(AuthLayer::new(auth).open_path("/health"))
    ///     .service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(())));
    /// for (path, status) in [("/health", 200), ("/health/", 401), ("/orders", 401)] {
    ///     let response = service.clone().oneshot(Request::get(path).body(())?).await?;
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

impl<M> Clone for AuthLayer<M> {
    fn clone(&self) -> Self {
        Self { gate: self.gate.clone(), open_paths: self.open_paths.clone(), bodies: PhantomData }
    }
}

impl<S, M> Layer<S> for AuthLayer<M> {
    type Service = AuthService<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService {
            inner,
            gate: self.gate.clone(),
            open_paths: self.open_paths.clone(),
            bodies: PhantomData,
        }
    }
}

/// The service that [`AuthLayer`] makes.
#[derive(Debug)]
pub struct AuthService<S, M = NoBodies> {
    inner: S,
    gate: Gate,
    open_paths: Vec<String>,
    bodies: PhantomData<fn() -> M>,
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
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    M: Bodies<ResBody>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Response, S::Error, M>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
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
        ResponseFuture::of(&mut self.inner, request, admission, Some(exit))
    }
}
