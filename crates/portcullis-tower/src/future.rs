//! The response future of both services.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use portcullis::{
    Refusal,
    adapter::{Bodies, Exit, MaybeReady, NoBodies, Visitor},
};
use tower_service::Service;

pin_project! {
    /// The response of an [`AuthService`](crate::AuthService) or a
    /// [`RequireService`](crate::RequireService).
    pub struct ResponseFuture<F, R, E, M = NoBodies> {
        #[pin]
        state: State<F, R, E>,
        exit: Option<Exit>,
        bodies: PhantomData<fn() -> M>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<F, R, E> {
        // The request is decided from memory, without an allocation.
        Inner { #[pin] future: F },
        // The request waits for a fetch.
        Slow { future: Pin<Box<dyn Future<Output = Result<R, E>> + Send>> },
        Answered { response: Option<Box<R>> },
    }
}

/// The result of admission: an entry for the request's extensions, if there is a new one, or a
/// refusal.
pub(crate) type Admission = Result<Option<Visitor>, Refusal>;

impl<F, B, E, M: Bodies<B>> ResponseFuture<F, Response<B>, E, M> {
    /// Calls `inner` if `admission` admits the request.
    pub(crate) fn of<S, ReqBody>(
        inner: &mut S,
        request: Request<ReqBody>,
        admission: MaybeReady<Admission>,
        exit: Option<Exit>,
    ) -> Self
    where
        S: Service<Request<ReqBody>, Response = Response<B>, Error = E, Future = F>,
        S: Clone + Send + 'static,
        F: Future<Output = Result<Response<B>, E>> + Send,
        ReqBody: Send + 'static,
    {
        let call = |inner: &mut S, visitor: Option<Visitor>, mut request: Request<ReqBody>| {
            if let Some(visitor) = visitor {
                visitor.mark(request.extensions_mut());
            }
            inner.call(request)
        };
        let state = match admission {
            MaybeReady::Ready(Ok(visitor)) => {
                State::Inner { future: call(inner, visitor, request) }
            }
            MaybeReady::Ready(Err(refusal)) => return Self::answered(M::refused(refusal), exit),
            MaybeReady::Pending(admission) => {
                // Calls the service that was polled ready, and replaces it with a fresh clone,
                // which may not be ready.
                let clone = inner.clone();
                let mut inner = mem::replace(inner, clone);
                let future = Box::pin(async move {
                    match admission.await {
                        Ok(visitor) => call(&mut inner, visitor, request).await,
                        Err(refusal) => Ok(M::refused(refusal)),
                    }
                });
                State::Slow { future }
            }
        };
        Self { state, exit, bodies: PhantomData }
    }

    pub(crate) fn answered(response: Response<B>, exit: Option<Exit>) -> Self {
        let state = State::Answered { response: Some(Box::new(response)) };
        Self { state, exit, bodies: PhantomData }
    }
}

impl<F, B, E, M> Future for ResponseFuture<F, Response<B>, E, M>
where
    F: Future<Output = Result<Response<B>, E>>,
    M: Bodies<B>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = match this.state.project() {
            Projected::Inner { future } => future.poll(context),
            Projected::Slow { future } => future.as_mut().poll(context),
            Projected::Answered { response } => {
                return response
                    .take()
                    .map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)));
            }
        };
        outcome.map_ok(|response| match this.exit {
            Some(exit) => M::passed(response, exit),
            None => response,
        })
    }
}

impl<F, R, E, M> fmt::Debug for ResponseFuture<F, R, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
