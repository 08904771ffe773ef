//! What the caller may do.

use std::future::{Ready, ready};

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage};
use portcullis::{Policy, admit};

use crate::future::ResponseFuture;

/// Lets through only callers who meet a [`Policy`].
///
/// It stands inside an [`Auth`](crate::Auth). Without one nothing is let through: the answer is
/// 500, and the log says what is missing. On the same `App`, `Scope` or `Resource` its `wrap` comes
/// before that of the `Auth`, since the last is the outermost.
///
/// It is a middleware and not a `Guard`: what a guard turns away looks as if it were not there.
///
/// ```
/// use actix_web::{App, HttpResponse, test, web};
/// use portcullis_actix::{Auth, Require};
/// # use portcullis_actix::portcullis::{Authenticator, Policy, SharedKeySet};
///
/// # actix_web::rt::System::new().block_on(async {
/// # let auth = Authenticator::builder("https://auth.example", "https://api.example");
/// # let auth = auth.key_source(SharedKeySet::new(Default::default())).build().await.unwrap();
/// let clerks = || Require::new(Policy::roles(["clerk"]));
/// let inside = web::resource("/inside")
///     .wrap(clerks())
///     .wrap(Auth::new(auth.clone()))
///     .to(HttpResponse::Ok);
/// let outside = web::resource("/outside")
///     .wrap(Auth::new(auth))
///     .wrap(clerks()) // too late: it would know nobody
///     .to(HttpResponse::Ok);
/// let app = test::init_service(App::new().service(inside).service(outside)).await;
/// for (path, status) in [("/inside", 401), ("/outside", 500)] {
///     let request = test::TestRequest::get().uri(path).to_request();
///     assert_eq!(test::call_service(&app, request).await.status(), status);
/// }
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Require {
    policy: Policy,
}

impl Require {
    /// A middleware that holds callers to `policy`.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Require
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = RequireMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RequireMiddleware { inner: service, policy: self.policy.clone() }))
    }
}

/// The service that [`Require`] makes.
#[derive(Debug)]
pub struct RequireMiddleware<S> {
    inner: S,
    policy: Policy,
}

impl<S, B> Service<ServiceRequest> for RequireMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = ResponseFuture<S, B>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let met = {
            let extensions = request.extensions();
            let remedy = "wrap an Auth around the Require";
            admit(extensions.get(), extensions.get(), &self.policy, remedy)
        };
        match met {
            Ok(()) => ResponseFuture::inner(self.inner.call(request), None),
            Err(refusal) => ResponseFuture::refused(request, refusal),
        }
    }
}
