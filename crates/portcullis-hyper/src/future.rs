//! The response future of both services.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use hyper::service::Service;
use pin_project_lite::pin_project;
use portcullis::{
    Refusal,
    adapter::{Bodies, Exit, MaybeReady, NoBodies, Pending, Visitor},
};

pin_project! {
    /// The response of an [`AuthService`](crate::AuthService) or a
    /// [`RequireService`](crate::RequireService).
    pub struct ResponseFuture<S, B, M = NoBodies>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
        exit: Option<Exit>,
        bodies: PhantomData<fn() -> M>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        // The request waits for a fetch.
        Waiting { admission: Pending<Admission>, call: Option<(S, Request<B>)> },
        Inner { #[pin] future: S::Future },
        Answered { response: Option<Box<S::Response>> },
    }
}

/// The result of admission: an entry for the request's extensions, if there is a new one, or a
/// refusal.
pub(crate) type Admission = Result<Option<Visitor>, Refusal>;

impl<S, ReqBody, ResBody, M> ResponseFuture<S, ReqBody, M>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    M: Bodies<ResBody>,
{
    /// Calls `inner` if `admission` admits the request.
    pub(crate) fn of(
        inner: &S,
        request: Request<ReqBody>,
        admission: MaybeReady<Admission>,
        exit: Option<Exit>,
    ) -> Self
    where
        S: Clone,
    {
        let state = match admission {
            MaybeReady::Ready(Ok(visitor)) => call(inner, visitor, request),
            MaybeReady::Ready(Err(refusal)) => State::answered(M::refused(refusal)),
            MaybeReady::Pending(admission) => {
                State::Waiting { admission, call: Some((inner.clone(), request)) }
            }
        };
        Self { state, exit, bodies: PhantomData }
    }

    pub(crate) fn answered(response: S::Response, exit: Option<Exit>) -> Self {
        Self { state: State::answered(response), exit, bodies: PhantomData }
    }
}

fn call<S: Service<Request<B>>, B>(
    inner: &S,
    visitor: Option<Visitor>,
    mut request: Request<B>,
) -> State<S, B> {
    if let Some(visitor) = visitor {
        visitor.mark(request.extensions_mut());
    }
    State::Inner { future: inner.call(request) }
}

impl<S: Service<Request<B>>, B> State<S, B> {
    fn answered(response: S::Response) -> Self {
        Self::Answered { response: Some(Box::new(response)) }
    }
}

impl<S, M, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody, M>
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
                Projected::Waiting { admission, call: waiting } => {
                    let admission = ready!(admission.as_mut().poll(context));
                    let Some((inner, request)) = waiting.take() else { return Poll::Pending };
                    match admission {
                        Ok(visitor) => call(&inner, visitor, request),
                        Err(refusal) => State::answered(M::refused(refusal)),
                    }
                }
                Projected::Inner { future } => {
                    let outcome = future.poll(context);
                    return outcome.map_ok(|response| match this.exit {
                        Some(exit) => M::passed(response, exit),
                        None => response,
                    });
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

impl<S: Service<Request<B>>, B, M> fmt::Debug for ResponseFuture<S, B, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
