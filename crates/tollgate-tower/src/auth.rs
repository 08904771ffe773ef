//! Who is calling.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tollgate::{Attempt, Authenticated, Authenticator, Refusal};
use tower_layer::Layer;
use tower_service::Service;

/// Lets through only requests with a good token, and puts the
/// [`Authenticated`] into their extensions.
#[derive(Debug, Clone)]
pub struct AuthLayer {
    auth: Authenticator,
    optional: bool,
}

impl AuthLayer {
    /// A layer that refuses every request without a good token.
    #[must_use]
    pub fn new(auth: Authenticator) -> Self {
        Self { auth, optional: false }
    }

    /// Lets requests without any token through as well, with an [`Anonymous`](tollgate::Anonymous)
    /// in their extensions. A token that is there and is bad is refused all the same.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService { inner, auth: self.auth.clone(), optional: self.optional }
    }
}

/// The service that [`AuthLayer`] makes.
#[derive(Debug, Clone)]
pub struct AuthService<S> {
    inner: S,
    auth: Authenticator,
    optional: bool,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for AuthService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = AuthFuture<S::Future, S::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        AuthFuture::new(match self.auth.attempt(&request) {
            Attempt::Done(Ok(Some(who))) => {
                request.extensions_mut().insert(who);
                State::Inner { future: self.inner.call(request) }
            }
            Attempt::Done(Ok(None)) if self.optional => {
                // Whom an outer layer found is nobody to this one.
                request.extensions_mut().remove::<Authenticated>();
                request.extensions_mut().insert(self.auth.anonymous());
                State::Inner { future: self.inner.call(request) }
            }
            Attempt::Done(Ok(None)) => State::refused(self.auth.anonymous().refusal()),
            Attempt::Done(Err(refusal)) => State::refused(refusal),
            Attempt::Pending(pending) => {
                // The service that was polled ready is the one to call; a fresh clone, which may
                // not be ready, takes its place.
                let clone = self.inner.clone();
                let mut inner = mem::replace(&mut self.inner, clone);
                let future = Box::pin(async move {
                    match pending.await {
                        Ok(who) => {
                            request.extensions_mut().insert(who);
                            inner.call(request).await
                        }
                        Err(refusal) => Ok(refusal.into_response()),
                    }
                });
                State::Slow { future }
            }
        })
    }
}

pin_project! {
    /// The response of an [`AuthService`].
    pub struct AuthFuture<F, R, E> {
        #[pin]
        state: State<F, R, E>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F, R, E> {
        // The key was at hand: nothing is boxed.
        Inner { #[pin] future: F },
        // The key must be fetched first.
        Slow { future: Pin<Box<dyn Future<Output = Result<R, E>> + Send>> },
        Refused { refusal: Option<Refusal> },
    }
}

impl<F, R, E> State<F, R, E> {
    fn refused(refusal: Refusal) -> Self {
        Self::Refused { refusal: Some(refusal) }
    }
}

impl<F, R, E> AuthFuture<F, R, E> {
    fn new(state: State<F, R, E>) -> Self {
        Self { state }
    }
}

impl<F, B, E> Future for AuthFuture<F, Response<B>, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Projected::Inner { future } => future.poll(context),
            Projected::Slow { future } => future.as_mut().poll(context),
            Projected::Refused { refusal } => refusal
                .take()
                .map_or(Poll::Pending, |refusal| Poll::Ready(Ok(refusal.into_response()))),
        }
    }
}

impl<F, R, E> fmt::Debug for AuthFuture<F, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}
