//! What the caller may do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use portcullis::{Policy, Refusal, admit};
use tower_layer::Layer;
use tower_service::Service;

/// Lets through only callers who meet a [`Policy`].
///
/// It stands behind an [`AuthLayer`](crate::AuthLayer). Without one nothing is let through: the
/// answer is 500, and the log says what is missing.
#[derive(Debug, Clone)]
pub struct RequireLayer {
    policy: Policy,
}

impl RequireLayer {
    /// A layer that holds callers to `policy`.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy }
    }
}

impl<S> Layer<S> for RequireLayer {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireService { inner, policy: self.policy.clone() }
    }
}

/// The service that [`RequireLayer`] makes.
#[derive(Debug, Clone)]
pub struct RequireService<S> {
    inner: S,
    policy: Policy,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RequireFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let remedy = "put an AuthLayer outside the RequireLayer";
        let met = admit(extensions.get(), extensions.get(), &self.policy, remedy);
        RequireFuture {
            state: match met {
                Ok(()) => State::Inner { future: self.inner.call(request) },
                Err(refusal) => State::Refused { refusal: Some(refusal) },
            },
        }
    }
}

pin_project! {
    /// The response of a [`RequireService`].
    pub struct RequireFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F> {
        Inner { #[pin] future: F },
        Refused { refusal: Option<Refusal> },
    }
}

impl<F, B, E> Future for RequireFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Projected::Inner { future } => future.poll(context),
            Projected::Refused { refusal } => refusal
                .take()
                .map_or(Poll::Pending, |refusal| Poll::Ready(Ok(refusal.into_response()))),
        }
    }
}

impl<F> fmt::Debug for RequireFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireFuture").finish_non_exhaustive()
    }
}
