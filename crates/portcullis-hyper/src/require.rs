//! What the caller may do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::service::Service;
use pin_project_lite::pin_project;
use portcullis::{Policy, Refusal, admit};

/// Lets through only callers who meet a [`Policy`].
///
/// It stands inside an [`AuthService`](crate::AuthService). Without one nothing is let through:
/// the answer is 500, and the log says what is missing.
///
/// ```
/// use http::{Request, Response};
/// use hyper::service::{Service, service_fn};
/// use portcullis_hyper::portcullis::{Authenticator, Policy};
/// use portcullis_hyper::{AuthService, RequireService};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = portcullis_hyper::portcullis::SharedKeySet::new(Default::default());
/// # let auth = Authenticator::builder("https://auth.example", "https://api.example")
/// #     .key_source(keys).build().await?;
/// let refund = service_fn(async |_: Request<String>| {
///     Ok::<_, std::convert::Infallible>(Response::new("done".to_owned()))
/// });
/// let clerks = RequireService::new(Policy::roles(["clerk"]), refund);
/// // By itself it knows nobody.
/// assert_eq!(clerks.call(Request::new(String::new())).await?.status(), 500);
/// let service = AuthService::new(auth, clerks);
/// assert_eq!(service.call(Request::new(String::new())).await?.status(), 401);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct RequireService<S> {
    inner: S,
    policy: Policy,
}

impl<S> RequireService<S> {
    /// Holds the callers of `inner` to `policy`.
    #[must_use]
    pub fn new(policy: Policy, inner: S) -> Self {
        Self { inner, policy }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RequireFuture<S::Future>;

    fn call(&self, request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let remedy = "put the RequireService inside an AuthService";
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
