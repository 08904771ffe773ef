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
use portcullis::{Refusal, Waiting};

use crate::auth::mark;
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
        vary: Option<http::HeaderValue>,
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
    pub(crate) fn inner(future: S::Future, vary: Option<http::HeaderValue>) -> Self {
        Self { state: State::Inner { future }, vary }
    }

    pub(crate) fn waiting(
        waiting: Waiting,
        inner: Rc<S>,
        request: ServiceRequest,
        vary: Option<http::HeaderValue>,
    ) -> Self {
        Self { state: State::Waiting { waiting, call: Some((inner, request)) }, vary }
    }

    pub(crate) fn answered(response: ServiceResponse<EitherBody<B>>) -> Self {
        Self { state: State::Answered { response: ready(Ok(response)) }, vary: None }
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
fn passed<B>(
    mut passed: ServiceResponse<B>,
    vary: Option<http::HeaderValue>,
) -> ServiceResponse<EitherBody<B>> {
    let refused = passed.response().extensions().contains::<Refusal>();
    if let Some(vary) = vary.filter(|_| !refused).and_then(response::value) {
        passed.headers_mut().append(VARY, vary);
    }
    passed.map_into_left_body()
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
                    let outcome = future.poll(context);
                    return outcome.map_ok(|response| passed(response, this.vary.take()));
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
