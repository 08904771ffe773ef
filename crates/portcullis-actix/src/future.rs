//! The response future of both middlewares.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::VARY;
use actix_web::{Error, HttpMessage as _};
use pin_project_lite::pin_project;
use portcullis::{
    Anonymous, Authenticated, Refusal,
    adapter::{Exit, MaybeReady, Pending, Visitor},
    token::Foreign,
};

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
        // The request waits for a fetch.
        Waiting { admission: Pending<Admission>, call: Option<(Rc<S>, ServiceRequest)> },
        Inner { #[pin] future: S::Future },
        Answered { #[pin] response: Ready<Result<ServiceResponse<EitherBody<B>>, Error>> },
    }
}

/// The result of admission: an entry for the request's extensions, if there is a new one, or a
/// refusal.
pub(crate) type Admission = Result<Option<Visitor>, Refusal>;

impl<S: Service<ServiceRequest>, B> ResponseFuture<S, B> {
    /// Calls `inner` if `admission` admits the request.
    pub(crate) fn of(
        inner: &Rc<S>,
        request: ServiceRequest,
        admission: MaybeReady<Admission>,
        exit: Option<Exit>,
    ) -> Self {
        let state = match admission {
            MaybeReady::Ready(Ok(visitor)) => call(&**inner, visitor, request),
            MaybeReady::Ready(Err(refusal)) => return Self::answered(refused(request, refusal)),
            MaybeReady::Pending(admission) => {
                State::Waiting { admission, call: Some((inner.clone(), request)) }
            }
        };
        Self { state, exit }
    }

    pub(crate) fn answered(response: ServiceResponse<EitherBody<B>>) -> Self {
        Self { state: State::Answered { response: ready(Ok(response)) }, exit: None }
    }
}

fn call<S: Service<ServiceRequest>, B>(
    inner: &S,
    visitor: Option<Visitor>,
    request: ServiceRequest,
) -> State<S, B> {
    if let Some(visitor) = visitor {
        mark(&request, visitor);
    }
    State::Inner { future: inner.call(request) }
}

/// Stores the visitor in actix-web's extensions, as [`Visitor::mark`] does in those of `http`.
fn mark(request: &ServiceRequest, visitor: Visitor) {
    match visitor {
        Visitor::Caller(who) => {
            request.extensions_mut().remove::<Foreign>();
            request.extensions_mut().insert(who);
        }
        Visitor::Anonymous(anonymous) => {
            request.extensions_mut().remove::<Authenticated>();
            request.extensions_mut().remove::<Foreign>();
            request.extensions_mut().insert(anonymous);
        }
        Visitor::Foreign(foreign) => {
            request.extensions_mut().remove::<Authenticated>();
            request.extensions_mut().remove::<Anonymous>();
            request.extensions_mut().insert(foreign);
        }
    }
}

/// Builds a response instead of an error, so that outer middleware treats it like any other.
fn refused<B>(request: ServiceRequest, refusal: Refusal) -> ServiceResponse<EitherBody<B>> {
    request.into_response(response::refusal(refusal).map_into_right_body())
}

/// Handles the response of the inner service like [`portcullis::adapter::Bodies::passed`]. A
/// refusal already has its body.
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

/// Does the same as [`passed`] for a refusal that arrives as an error, for example from an inner
/// middleware.
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
                Projected::Waiting { admission, call: waiting } => {
                    let admission = ready!(admission.as_mut().poll(context));
                    let Some((inner, request)) = waiting.take() else { return Poll::Pending };
                    match admission {
                        Ok(visitor) => call(&*inner, visitor, request),
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
