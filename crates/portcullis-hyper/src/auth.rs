//! Who is calling.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use hyper::service::Service;
use pin_project_lite::pin_project;
use portcullis::{Bodies, Entry, Exit, FromBytes, Gate, NoBodies, Waiting};

/// Lets through only requests with a good token, and puts the
/// [`Authenticated`](portcullis::Authenticated) into their extensions.
///
/// Refusals have no body, so that the service's responses can be of any type. Where a body can be
/// made from bytes, [`with_bodies`](Self::with_bodies) gives them the one that the authenticator's
/// settings say, and serves the metadata of the protected resource.
///
/// The inner service is cloned for requests that must wait for a key, and only for these; one that
/// is not `Clone` goes into an `Arc`. Nothing has to be `Send`.
///
/// ```
/// use http::{Request, Response};
/// use hyper::service::{Service, service_fn};
/// use portcullis_hyper::portcullis::{Authenticator, Refusal};
/// use portcullis_hyper::{AuthService, maybe_caller};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = portcullis_hyper::portcullis::SharedKeySet::new(Default::default());
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
#[derive(Debug)]
pub struct AuthService<S, M = NoBodies> {
    inner: S,
    gate: Gate,
    open_paths: Vec<String>,
    bodies: PhantomData<fn() -> M>,
}

impl<S> AuthService<S> {
    /// Refuses every request to `inner` without a good token. It takes an authenticator, or a
    /// [`Gate`] that says more.
    #[must_use]
    pub fn new(gate: impl Into<Gate>, inner: S) -> Self {
        Self { inner, gate: gate.into(), open_paths: Vec::new(), bodies: PhantomData }
    }

    /// The same with bodies, for services whose bodies are `From<Bytes>`.
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
    /// Lets requests without any token through as well; see [`Gate::optional`].
    #[must_use]
    pub fn optional(self) -> Self {
        Self { gate: self.gate.optional(), ..self }
    }

    /// Opens a path: requests to it reach the inner service without a token, by any method, and their
    /// caller is an [`Anonymous`](portcullis::Anonymous). A token that is sent is not looked at.
    ///
    /// The path is compared with [`Uri::path`](http::Uri::path) of the request: the exact text,
    /// without patterns or decoding. `/health/`, `//health` and `/%68ealth` are other paths than
    /// `/health`. **The inner service must read the path in the same way**: one that decodes or
    /// normalizes it can take a request for another route than this service does.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use hyper::service::{Service, service_fn};
    /// use portcullis_hyper::{AuthService, portcullis::Authenticator};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let auth = Authenticator::builder("https://auth.example", "https://api.example")
    /// #     .key_source(portcullis_hyper::portcullis::SharedKeySet::new(Default::default())).build().await?;
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
    type Future = AuthFuture<S, ReqBody, M>;

    fn call(&self, mut request: Request<ReqBody>) -> Self::Future {
        let mut exit = self.gate.exit(&request);
        let state = if let Some(metadata) = M::metadata(&self.gate, &request) {
            State::answered(metadata)
        } else if self.open_paths.iter().any(|open| open == request.uri().path()) {
            let visitor;
            (visitor, exit) = self.gate.enter_open(&request);
            visitor.mark(request.extensions_mut());
            State::Inner { future: self.inner.call(request) }
        } else {
            match self.gate.enter(&request) {
                Entry::Pass(visitor) => {
                    visitor.mark(request.extensions_mut());
                    State::Inner { future: self.inner.call(request) }
                }
                Entry::Refused(refusal) => State::answered(M::refused(refusal)),
                Entry::Waiting(waiting) => {
                    State::Waiting { waiting, call: Some((self.inner.clone(), request)) }
                }
            }
        };
        AuthFuture { state, exit, bodies: PhantomData }
    }
}

pin_project! {
    /// The response of an [`AuthService`].
    pub struct AuthFuture<S, B, M = NoBodies>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
        exit: Exit,
        bodies: PhantomData<fn() -> M>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        // The key must be fetched first.
        Waiting { waiting: Waiting, call: Option<(S, Request<B>)> },
        Inner { #[pin] future: S::Future },
        Answered { response: Option<Box<S::Response>> },
    }
}

impl<S: Service<Request<B>>, B> State<S, B> {
    fn answered(response: S::Response) -> Self {
        Self::Answered { response: Some(Box::new(response)) }
    }
}

impl<S, M, ReqBody, ResBody> Future for AuthFuture<S, ReqBody, M>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    M: Bodies<ResBody>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut state = this.state;
        loop {
            let next = match state.as_mut().project() {
                Projected::Waiting { waiting, call } => {
                    let outcome = ready!(Pin::new(waiting).poll(context));
                    let Some((inner, mut request)) = call.take() else { return Poll::Pending };
                    match outcome {
                        Ok(visitor) => {
                            visitor.mark(request.extensions_mut());
                            State::Inner { future: inner.call(request) }
                        }
                        Err(refusal) => State::answered(M::refused(refusal)),
                    }
                }
                Projected::Inner { future } => {
                    let outcome = future.poll(context);
                    return outcome.map_ok(|response| M::passed(response, this.exit));
                }
                Projected::Answered { response } => {
                    return response
                        .take()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)));
                }
            };
            state.set(next);
        }
    }
}

impl<S: Service<Request<B>>, B, M> fmt::Debug for AuthFuture<S, B, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}
