//! What both middlewares answer with.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::Error;
use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::VARY;
use pin_project_lite::pin_project;
use portcullis::{Exit, Refusal, Waiting};

use crate::auth::mark;
use crate::rejection::Rejection;
use crate::response;

pin_project! {
    /// The response of an [`AuthMiddleware`](crate::AuthMiddleware) or a
    /// [`RequireMiddleware`](crate::RequireMiddleware).
    pub struct ResponseFuture<S, B>
    where
        S: Service<ServiceRequest>,
    {
        #[pin]
        state: State<S, B>,
        exit: Option<Exit>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<S, B>
    where
        S: Service<ServiceRequest>,
    {
        // The key must be fetched first.
        Waiting { waiting: Waiting, call: Option<(Rc<S>, ServiceRequest)> },
        Inner { #[pin] future: S::Future },
        Answered { #[pin] response: Ready<Result<ServiceResponse<EitherBody<B>>, Error>> },
    }
}

impl<S: Service<ServiceRequest>, B> ResponseFuture<S, B> {
    pub(crate) fn inner(future: S::Future, exit: Option<Exit>) -> Self {
        Self { state: State::Inner { future }, exit }
    }

    pub(crate) fn waiting(
        waiting: Waiting,
        inner: Rc<S>,
        request: ServiceRequest,
        exit: Exit,
    ) -> Self {
        Self { state: State::Waiting { waiting, call: Some((inner, request)) }, exit: Some(exit) }
    }

    pub(crate) fn answered(response: ServiceResponse<EitherBody<B>>) -> Self {
        Self { state: State::Answered { response: ready(Ok(response)) }, exit: None }
    }

    pub(crate) fn refused(request: ServiceRequest, refusal: Refusal) -> Self {
        Self::answered(refused(request, refusal))
    }
}

/// A response and not an error, so that outer middleware treats it as any other.
fn refused<B>(request: ServiceRequest, refusal: Refusal) -> ServiceResponse<EitherBody<B>> {
    request.into_response(response::refusal(refusal).map_into_right_body())
}

/// As [`portcullis::Bodies::passed`]; a refusal has its body already.
fn passed<B>(mut passed: ServiceResponse<B>, exit: &Exit) -> ServiceResponse<EitherBody<B>> {
    let refusal = passed.response().extensions().get::<Refusal>().cloned();
    let Some(refusal) = refusal else {
        if let Some(vary) = exit.vary().and_then(response::value) {
            passed.headers_mut().append(VARY, vary);
        }
        return passed.map_into_left_body();
    };
    let Some(refusal) = exit.instead_of(&refusal) else { return passed.map_into_left_body() };
    let (request, response) = passed.into_parts();
    let response = response::rewrite(response, refusal).map_into_right_body();
    ServiceResponse::new(request, response)
}

/// The same for a refusal that comes from within as an error, such as from a middleware.
fn failed(error: Error, exit: &Exit) -> Error {
    let refusal = error.as_error().and_then(|Rejection(refusal)| exit.instead_of(refusal));
    refusal.map_or(error, |refusal| Rejection(refusal).into())
}

impl<S, B> Future for ResponseFuture<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut state = this.state;
        loop {
            let next = match state.as_mut().project() {
                Projected::Waiting { waiting, call } => {
                    let outcome = ready!(Pin::new(waiting).poll(context));
                    let Some((inner, request)) = call.take() else { return Poll::Pending };
                    match outcome {
                        Ok(visitor) => {
                            mark(&request, visitor);
                            State::Inner { future: inner.call(request) }
                        }
                        Err(refusal) => {
                            State::Answered { response: ready(Ok(refused(request, refusal))) }
                        }
                    }
                }
                Projected::Inner { future } => {
                    let outcome = ready!(future.poll(context));
                    let Some(exit) = this.exit else {
                        return Poll::Ready(outcome.map(ServiceResponse::map_into_left_body));
                    };
                    let outcome = outcome.map(|response| passed(response, exit));
                    return Poll::Ready(outcome.map_err(|error| failed(error, exit)));
                }
                Projected::Answered { response } => return response.poll(context),
            };
            state.set(next);
        }
    }
}

impl<S: Service<ServiceRequest>, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
