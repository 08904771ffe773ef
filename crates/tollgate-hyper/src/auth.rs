//! Who is calling.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use hyper::service::Service;
use pin_project_lite::pin_project;
use tollgate::{Attempt, Authenticated, Authenticator, Pending, Refusal};

/// Lets through only requests with a good token, and puts the
/// [`Authenticated`] into their extensions.
///
/// The inner service is cloned for requests that must wait for a key, and only for these; one that
/// is not `Clone` goes into an `Arc`. Nothing has to be `Send`.
///
/// ```
/// use http::{Request, Response};
/// use hyper::service::{Service, service_fn};
/// use tollgate_hyper::tollgate::{Authenticator, Refusal};
/// use tollgate_hyper::{AuthService, maybe_caller};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = tollgate_hyper::tollgate::SharedKeySet::new(Default::default());
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
#[derive(Debug, Clone)]
pub struct AuthService<S> {
    inner: S,
    auth: Authenticator,
    optional: bool,
}

impl<S> AuthService<S> {
    /// Refuses every request to `inner` without a good token.
    #[must_use]
    pub fn new(auth: Authenticator, inner: S) -> Self {
        Self { inner, auth, optional: false }
    }

    /// Lets requests without any token through as well, with an [`Anonymous`](tollgate::Anonymous)
    /// in their extensions. A token that is there and is bad is refused all the same.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for AuthService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = AuthFuture<S, ReqBody>;

    fn call(&self, mut request: Request<ReqBody>) -> Self::Future {
        let state = match self.auth.attempt(&request) {
            Attempt::Done(Ok(Some(who))) => {
                request.extensions_mut().insert(who);
                State::Inner { future: self.inner.call(request) }
            }
            Attempt::Done(Ok(None)) if self.optional => {
                // Whom an outer service found is nobody to this one.
                request.extensions_mut().remove::<Authenticated>();
                request.extensions_mut().insert(self.auth.anonymous());
                State::Inner { future: self.inner.call(request) }
            }
            Attempt::Done(Ok(None)) => State::refused(self.auth.anonymous().refusal()),
            Attempt::Done(Err(refusal)) => State::refused(refusal),
            Attempt::Pending(pending) => {
                State::Waiting { pending, call: Some((self.inner.clone(), request)) }
            }
        };
        AuthFuture { state }
    }
}

pin_project! {
    /// The response of an [`AuthService`].
    pub struct AuthFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        // The key must be fetched first.
        Waiting { pending: Pending, call: Option<(S, Request<B>)> },
        Inner { #[pin] future: S::Future },
        Refused { refusal: Option<Refusal> },
    }
}

impl<S: Service<Request<B>>, B> State<S, B> {
    fn refused(refusal: Refusal) -> Self {
        Self::Refused { refusal: Some(refusal) }
    }
}

impl<S, ReqBody, ResBody> Future for AuthFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                Projected::Waiting { pending, call } => {
                    let outcome = ready!(Pin::new(pending).poll(context));
                    let Some((inner, mut request)) = call.take() else { return Poll::Pending };
                    match outcome {
                        Ok(who) => {
                            request.extensions_mut().insert(who);
                            State::Inner { future: inner.call(request) }
                        }
                        Err(refusal) => State::refused(refusal),
                    }
                }
                Projected::Inner { future } => return future.poll(context),
                Projected::Refused { refusal } => {
                    return refusal
                        .take()
                        .map_or(Poll::Pending, |refusal| Poll::Ready(Ok(refusal.into_response())));
                }
            };
            state.set(next);
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for AuthFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}
