//! Who is calling.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage, ResponseError};
use pin_project_lite::pin_project;
use tollgate::{Attempt, Authenticated, Authenticator, Pending, Refusal};

use crate::rejection::Rejection;
use crate::request::View;

/// Lets through only requests with a good token, and puts the
/// [`Authenticated`] into their extensions.
///
/// For the `wrap` of an `App`, a `Scope` or a `Resource`; all of it is protected, whenever it was
/// added.
///
/// ```
/// use actix_web::{App, HttpResponse, test, web};
/// use tollgate_actix::Auth;
/// # use tollgate_actix::tollgate::{Authenticator, SharedKeySet};
///
/// # actix_web::rt::System::new().block_on(async {
/// # let auth = Authenticator::builder("https://auth.example", "https://api.example");
/// # let auth = auth.key_source(SharedKeySet::new(Default::default())).build().await.unwrap();
/// let app = App::new()
///     .route("/private", web::get().to(HttpResponse::Ok))
///     .wrap(Auth::new(auth.clone()))
///     .route("/late", web::get().to(HttpResponse::Ok)); // protected as well
/// let app = test::init_service(app).await;
/// for path in ["/private", "/late", "/nowhere"] {
///     let request = test::TestRequest::get().uri(path).to_request();
///     assert_eq!(test::call_service(&app, request).await.status(), 401);
/// }
///
/// let app = App::new()
///     .route("/greeting", web::get().to(HttpResponse::Ok))
///     .wrap(Auth::new(auth).optional());
/// let app = test::init_service(app).await;
/// let request = test::TestRequest::get().uri("/greeting").to_request();
/// assert_eq!(test::call_service(&app, request).await.status(), 200);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Auth {
    auth: Authenticator,
    optional: bool,
}

impl Auth {
    /// A middleware that refuses every request without a good token.
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

impl<S, B> Transform<S, ServiceRequest> for Auth
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = AuthMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let Self { auth, optional } = self.clone();
        ready(Ok(AuthMiddleware { inner: Rc::new(service), auth, optional }))
    }
}

/// The service that [`Auth`] makes.
#[derive(Debug)]
pub struct AuthMiddleware<S> {
    inner: Rc<S>,
    auth: Authenticator,
    optional: bool,
}

impl<S, B> Service<ServiceRequest> for AuthMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = AuthFuture<S, B>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let attempt = self.auth.attempt(&View(request.request()));
        let state = match attempt {
            Attempt::Done(Ok(Some(who))) => {
                request.extensions_mut().insert(who);
                State::Inner { future: self.inner.call(request) }
            }
            Attempt::Done(Ok(None)) if self.optional => {
                // Whom an outer middleware found is nobody to this one.
                request.extensions_mut().remove::<Authenticated>();
                request.extensions_mut().insert(self.auth.anonymous());
                State::Inner { future: self.inner.call(request) }
            }
            Attempt::Done(Ok(None)) => State::refused(request, self.auth.anonymous().refusal()),
            Attempt::Done(Err(refusal)) => State::refused(request, refusal),
            Attempt::Pending(pending) => {
                State::Waiting { pending, call: Some((self.inner.clone(), request)) }
            }
        };
        AuthFuture { state }
    }
}

pin_project! {
    /// The response of an [`AuthMiddleware`].
    pub struct AuthFuture<S, B>
    where
        S: Service<ServiceRequest>,
    {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<S, B>
    where
        S: Service<ServiceRequest>,
    {
        // The key must be fetched first.
        Waiting { pending: Pending, call: Option<(Rc<S>, ServiceRequest)> },
        Inner { #[pin] future: S::Future },
        Refused { response: Option<ServiceResponse<EitherBody<B>>> },
    }
}

impl<S: Service<ServiceRequest>, B> State<S, B> {
    fn refused(request: ServiceRequest, refusal: Refusal) -> Self {
        Self::Refused { response: Some(refused(request, refusal)) }
    }
}

/// A response and not an error, so that outer middleware treats it as any other.
pub(crate) fn refused<B>(
    request: ServiceRequest,
    refusal: Refusal,
) -> ServiceResponse<EitherBody<B>> {
    request.into_response(Rejection(refusal).error_response().map_into_right_body())
}

impl<S, B> Future for AuthFuture<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                Projected::Waiting { pending, call } => {
                    let outcome = ready!(Pin::new(pending).poll(context));
                    let Some((inner, request)) = call.take() else { return Poll::Pending };
                    match outcome {
                        Ok(who) => {
                            request.extensions_mut().insert(who);
                            State::Inner { future: inner.call(request) }
                        }
                        Err(refusal) => State::refused(request, refusal),
                    }
                }
                Projected::Inner { future } => {
                    return future.poll(context).map_ok(ServiceResponse::map_into_left_body);
                }
                Projected::Refused { response } => {
                    return response
                        .take()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
            };
            state.set(next);
        }
    }
}

impl<S: Service<ServiceRequest>, B> fmt::Debug for AuthFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}
