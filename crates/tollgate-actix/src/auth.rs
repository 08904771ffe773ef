//! Who is calling.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::VARY;
use actix_web::{Error, HttpMessage};
use pin_project_lite::pin_project;
use tollgate::{Authenticated, Entry, Gate, Refusal, Visitor, Waiting};

use crate::request::View;
use crate::response;

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
    gate: Gate,
}

impl Auth {
    /// A middleware that refuses every request without a good token, but for those that a [`Gate`]
    /// lets through. It also answers with the metadata of the authenticator's
    /// [protected resource](tollgate::AuthenticatorBuilder::protected_resource), where it covers
    /// their path: wrap the `App` in that case.
    #[must_use]
    pub fn new(gate: impl Into<Gate>) -> Self {
        Self { gate: gate.into() }
    }

    /// Lets requests without any token through as well; see [`Gate::optional`].
    #[must_use]
    pub fn optional(self) -> Self {
        Self { gate: self.gate.optional() }
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
        ready(Ok(AuthMiddleware { inner: Rc::new(service), gate: self.gate.clone() }))
    }
}

/// The service that [`Auth`] makes.
#[derive(Debug)]
pub struct AuthMiddleware<S> {
    inner: Rc<S>,
    gate: Gate,
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
        let view = View(request.request());
        let vary = self.gate.exit(&view).vary();
        let state = if let Some(metadata) = self.gate.metadata(&view) {
            let metadata = response::translate(metadata).map_into_right_body();
            State::answered(request.into_response(metadata))
        } else {
            match self.gate.enter(&view) {
                Entry::Pass(visitor) => {
                    mark(&request, visitor);
                    State::Inner { future: self.inner.call(request) }
                }
                Entry::Refused(refusal) => State::answered(refused(request, refusal)),
                Entry::Waiting(waiting) => {
                    State::Waiting { waiting, call: Some((self.inner.clone(), request)) }
                }
            }
        };
        AuthFuture { state, vary }
    }
}

/// As [`Visitor::mark`]: these extensions are not those of `http`.
fn mark(request: &ServiceRequest, visitor: Visitor) {
    match visitor {
        Visitor::Caller(who) => {
            request.extensions_mut().insert(who);
        }
        Visitor::Anonymous(anonymous) => {
            request.extensions_mut().remove::<Authenticated>();
            request.extensions_mut().insert(anonymous);
        }
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
        Answered { response: Option<ServiceResponse<EitherBody<B>>> },
    }
}

impl<S: Service<ServiceRequest>, B> State<S, B> {
    fn answered(response: ServiceResponse<EitherBody<B>>) -> Self {
        Self::Answered { response: Some(response) }
    }
}

/// A response and not an error, so that outer middleware treats it as any other.
pub(crate) fn refused<B>(
    request: ServiceRequest,
    refusal: Refusal,
) -> ServiceResponse<EitherBody<B>> {
    request.into_response(response::refusal(refusal).map_into_right_body())
}

/// As [`tollgate::Bodies::passed`]; a refusal has its body already.
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

impl<S, B> Future for AuthFuture<S, B>
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
                        Err(refusal) => State::answered(refused(request, refusal)),
                    }
                }
                Projected::Inner { future } => {
                    let outcome = future.poll(context);
                    return outcome.map_ok(|response| passed(response, this.vary.take()));
                }
                Projected::Answered { response } => {
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
