//! Authentication.

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

/// A layer that rejects requests without a valid token, and inserts the caller, an
/// [`Authenticated`](portcullis::Authenticated), into the extensions of all other requests.
///
/// Refusals have no body, so that responses can have any body type, including tonic's. If bodies
/// can be created from bytes, call [`with_bodies`](Self::with_bodies): refusals then have the body
/// that the authenticator's settings define, and the layer serves the metadata of the protected
/// resource.
///
/// ```
/// use http::{Request, Response};
/// use portcullis_tower::AuthLayer;
/// use portcullis_tower::portcullis::Authenticated;
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let scene = portcullis_tower::portcullis::testing::Scene::new().await;
/// # let (auth, bearer) = (scene.auth.clone(), scene.token("alice").bearer());
/// let service = ServiceBuilder::new().layer(AuthLayer::new(auth)).service_fn(
///     async |request: Request<String>| {
///         let who = request.extensions().get::<Authenticated>();
///         let name = who.and_then(|who| who.subject()).unwrap_or_default();
///         Ok::<_, std::convert::Infallible>(Response::new(name.to_owned()))
///     },
/// );
/// let with_token = Request::builder().header("authorization", bearer).body(String::new())?;
/// assert_eq!(service.clone().oneshot(with_token).await?.body(), "alice");
///
/// let without = service.oneshot(Request::new(String::new())).await?;
/// assert_eq!(without.status(), 401);
/// # Ok(()) }
/// ```
#[doc(alias("middleware", "jwt", "bearer"))]
#[derive(Debug)]
pub struct AuthLayer<M = NoBodies> {
    gate: Gate,
    open_paths: Vec<String>,
    bodies: PhantomData<fn() -> M>,
}

impl AuthLayer {
    /// Creates a layer that rejects every request without a valid token. `gate` is an
    /// authenticator, or a [`Gate`] with further settings.
    #[must_use]
    pub fn new(gate: impl Into<Gate>) -> Self {
        Self { gate: gate.into(), open_paths: Vec::new(), bodies: PhantomData }
    }

    /// Adds bodies to refusals, for services whose bodies are `From<Bytes>`.
    #[must_use]
    pub fn with_bodies(self) -> AuthLayer<FromBytes> {
        AuthLayer { gate: self.gate, open_paths: self.open_paths, bodies: PhantomData }
    }
}

impl<M> AuthLayer<M> {
    /// Also accepts requests without any token; see [`Gate::optional`].
    #[must_use]
    pub fn optional(self) -> Self {
        Self { gate: self.gate.optional(), ..self }
    }

    /// Opens a path: requests to it reach the service without a token, with any method, and their
    /// caller is an [`Anonymous`](portcullis::Anonymous). A token in the request is ignored.
    ///
    /// This layer compares the path that it sees, [`Uri::path`](http::Uri::path), as exact text,
    /// without patterns or decoding. `/health/`, `//health` and `/%68ealth` differ from `/health`.
    /// **The inner service must interpret the path in the same way.** A router that strips a
    /// prefix, or decodes or normalizes the path, may match a request to another route than this
    /// layer does. With a router, define the open route outside this layer instead.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use portcullis_tower::{AuthLayer, portcullis::Authenticator};
    /// use tower::{ServiceBuilder, ServiceExt};
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

/// The service that [`AuthLayer`] creates.
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
