//! Authentication.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::Error;
use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use portcullis::Gate;

use crate::future::ResponseFuture;
use crate::request::View;
use crate::response;

/// Middleware that rejects requests without a valid token, and inserts the caller, an
/// [`Authenticated`](portcullis::Authenticated), into the extensions of all other requests.
///
/// Pass it to the `wrap` of an `App`, a `Scope` or a `Resource`. It protects everything inside,
/// including services added later. For open routes, see [the crate's
/// documentation](crate#open-routes).
///
/// ```
/// use actix_web::{App, HttpResponse, test, web};
/// use portcullis_actix::Auth;
/// # use portcullis_actix::portcullis::{Authenticator, keys::SharedKeySet};
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
#[doc(alias("middleware", "jwt", "bearer"))]
#[derive(Debug, Clone)]
pub struct Auth {
    gate: Gate,
}

impl Auth {
    /// Creates a middleware that rejects every request without a valid token. `gate` is an
    /// authenticator, or a [`Gate`] with further settings.
    ///
    /// The middleware also serves the metadata of the authenticator's [protected
    /// resource](portcullis::AuthenticatorBuilder::protected_resource), if it covers the metadata's
    /// path: in that case, wrap the `App`.
    #[must_use]
    pub fn new(gate: impl Into<Gate>) -> Self {
        Self { gate: gate.into() }
    }

    /// Also accepts requests without any token; see [`Gate::optional`].
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

/// The service that [`Auth`] creates.
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
    type Future = ResponseFuture<S, B>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let view = View(request.request());
        let exit = self.gate.exit(&view);
        if let Some(metadata) = self.gate.metadata(&view) {
            let metadata = response::translate(metadata).map_into_right_body();
            return ResponseFuture::answered(request.into_response(metadata));
        }
        let admission = self.gate.enter(&view).map(|visitor| visitor.map(Some));
        ResponseFuture::of(&self.inner, request, admission, Some(exit))
    }
}
