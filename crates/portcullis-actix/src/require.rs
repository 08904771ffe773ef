//! Authorization.

use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage};
use portcullis::{
    Revocation,
    adapter::{Requirement, admit, note_requirement},
};

use crate::future::ResponseFuture;
use crate::request::site;

/// Middleware that admits only callers who meet a [`Policy`](portcullis::Policy) and, if the route
/// requires it, whose token is not revoked.
///
/// It must be inside an [`Auth`](crate::Auth). Without one, every request is answered with 500, and
/// the log names the cause. On the same `App`, `Scope` or `Resource`, call its `wrap` before that
/// of the `Auth`, because the last is the outermost.
///
/// It is a middleware and not a `Guard`, because a route whose guard fails looks as if it did not
/// exist.
///
/// ```
/// use actix_web::{App, HttpResponse, test, web};
/// use portcullis_actix::{Auth, Require};
/// # use portcullis_actix::portcullis::{Authenticator, Policy, keys::SharedKeySet};
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
///     .wrap(clerks()) // wrong order: no caller yet
///     .to(HttpResponse::Ok);
/// let app = test::init_service(App::new().service(inside).service(outside)).await;
/// for (path, status) in [("/inside", 401), ("/outside", 500)] {
///     let request = test::TestRequest::get().uri(path).to_request();
///     assert_eq!(test::call_service(&app, request).await.status(), status);
/// }
/// # });
/// ```
#[doc(alias("middleware", "authorization", "scope"))]
#[derive(Debug, Clone)]
pub struct Require {
    requirement: Requirement,
}

impl Require {
    /// Creates a middleware that requires a policy, a [`Revocation`], or both.
    #[must_use]
    pub fn new(requirement: impl Into<Requirement>) -> Self {
        Self { requirement: requirement.into() }
    }

    /// Also requires that the token is not revoked. The requirement of the `Auth` still applies.
    #[must_use]
    pub fn revocation(self, revocation: Revocation) -> Self {
        Self { requirement: self.requirement.revocation(revocation) }
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
        ready(Ok(RequireMiddleware {
            inner: Rc::new(service),
            requirement: Arc::new(self.requirement.clone()),
        }))
    }
}

/// The service that [`Require`] creates.
#[derive(Debug)]
pub struct RequireMiddleware<S> {
    inner: Rc<S>,
    requirement: Arc<Requirement>,
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
        let admission = {
            let extensions = request.extensions();
            let remedy = "wrap the `Require` in an `Auth`";
            let site = || site(request.request());
            admit(
                extensions.get(),
                extensions.get(),
                extensions.get(),
                &self.requirement,
                remedy,
                site,
            )
        };
        if let Some(who) = request.extensions_mut().get_mut() {
            note_requirement(who, &self.requirement);
        }
        let admission = admission.map(|admitted| admitted.map(|()| None));
        ResponseFuture::of(&self.inner, request, admission, None)
    }
}
