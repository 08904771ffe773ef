//! Extractors for the caller.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use portcullis::{
    Authenticated,
    adapter::{self, optional_caller, required_caller},
};
use serde::de::DeserializeOwned;

use crate::rejection::Rejection;
use crate::request::site;

/// Extracts the token's claims, deserialized into the handler's own type.
///
/// Claims that do not fit the type are rejected with 403. On an unprotected route the extractor
/// answers 500 and logs the reason: a missing middleware must not look like a caller without a
/// token.
///
/// If the token is optional, use [`MaybeClaims`], **not `Option<Claims<C>>`**: actix-web's own
/// extractor for `Option` turns every error into `None`, so neither unfit claims nor a missing
/// middleware would be rejected.
///
/// ```
/// use actix_web::{App, test, web};
/// use portcullis_actix::{Auth, Claims};
///
/// #[derive(serde::Deserialize)]
/// struct User {
///     tenant: u64,
/// }
///
/// async fn tenant(Claims(user): Claims<User>) -> String {
///     user.tenant.to_string()
/// }
///
/// # actix_web::rt::System::new().block_on(async {
/// # let scene = portcullis_actix::portcullis::testing::Scene::new().await;
/// # let auth = scene.auth.clone();
/// let app = App::new().wrap(Auth::new(auth)).route("/", web::get().to(tenant));
/// # let app = test::init_service(app).await;
/// # let ask = async |bearer: String| {
/// #     let request = test::TestRequest::get().insert_header(("authorization", bearer));
/// #     test::call_service(&app, request.to_request()).await.status()
/// # };
/// # let token = || scene.token("alice");
/// // A token with `tenant`, and one without.
/// assert_eq!(ask(token().claim("tenant", 7).bearer()).await, 200);
/// assert_eq!(ask(token().bearer()).await, 403);
/// # });
/// ```
#[doc(alias("extractor"))]
#[derive(Debug, Clone, Copy)]
pub struct Claims<C>(pub C);

impl<C: DeserializeOwned> FromRequest for Claims<C> {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticated(request).and_then(|who| read(&who, request)).map(Self))
    }
}

/// Extracts the token's claims, deserialized once for all requests with the same token: see
/// [`Authenticated::shared_claims`]. In all other respects, it behaves like [`Claims`].
///
/// ```
/// use serde::Deserialize;
/// use portcullis_actix::SharedClaims;
///
/// #[derive(Deserialize)]
/// struct User {
///     sub: String,
/// }
///
/// async fn greet(SharedClaims(user): SharedClaims<User>) -> String {
///     format!("hello {}", user.sub)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct SharedClaims<C>(pub Arc<C>);

impl<C: DeserializeOwned + Send + Sync + 'static> FromRequest for SharedClaims<C> {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let shared = |who: Authenticated| Ok(adapter::shared_claims(&who, || site(request))?);
        ready(authenticated(request).and_then(shared).map(Self))
    }
}

/// Extracts the token's claims behind an [optional](crate::Auth::optional) middleware: `None` only
/// for a request without a token.
///
/// The middleware itself rejects invalid tokens. Claims that do not fit the type and a missing
/// middleware are rejected as by [`Claims`].
///
/// ```
/// use serde::Deserialize;
/// use portcullis_actix::MaybeClaims;
///
/// #[derive(Deserialize)]
/// struct User {
///     sub: String,
/// }
///
/// async fn greet(MaybeClaims(user): MaybeClaims<User>) -> String {
///     user.map_or_else(|| "stranger".to_owned(), |user| user.sub)
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MaybeClaims<C>(pub Option<C>);

impl<C: DeserializeOwned> FromRequest for MaybeClaims<C> {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let claims = caller(request).and_then(|who| who.map(|who| read(&who, request)).transpose());
        ready(claims.map(Self))
    }
}

/// Extracts the caller, for registered claims and [`require`](Authenticated::require).
///
/// If the token is optional, use [`MaybeCaller`], not `Option<Caller>`; see [`Claims`] for the
/// reason.
///
/// ```
/// use portcullis_actix::portcullis::Policy;
/// use portcullis_actix::{Caller, Rejection};
///
/// async fn refund(Caller(who): Caller) -> Result<String, Rejection> {
///     // 403 for callers without the role.
///     who.require(&Policy::roles(["clerk"]))?;
///     Ok(format!("done by {}", who.subject().unwrap_or("a service")))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Caller(pub Authenticated);

impl FromRequest for Caller {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticated(request).map(Self))
    }
}

/// Extracts the caller behind an [optional](crate::Auth::optional) middleware: `None` only for a
/// request without a token.
///
/// The middleware itself rejects invalid tokens, and a missing middleware is a 500.
///
/// ```
/// use portcullis_actix::MaybeCaller;
///
/// async fn greet(MaybeCaller(who): MaybeCaller) -> String {
///     format!("hello {}", who.as_ref().and_then(|who| who.subject()).unwrap_or("stranger"))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct MaybeCaller(pub Option<Authenticated>);

impl FromRequest for MaybeCaller {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request).map(Self))
    }
}

fn read<C: DeserializeOwned>(who: &Authenticated, request: &HttpRequest) -> Result<C, Rejection> {
    Ok(adapter::claims(who, || site(request))?)
}

const REMEDY: &str = "wrap the route in an `Auth`";

fn authenticated(request: &HttpRequest) -> Result<Authenticated, Rejection> {
    let extensions = request.extensions();
    Ok(required_caller(extensions.get(), extensions.get(), extensions.get(), REMEDY, || {
        site(request)
    })?
    .clone())
}

/// Returns the caller of a request, or `None` if the caller is anonymous.
fn caller(request: &HttpRequest) -> Result<Option<Authenticated>, Rejection> {
    let extensions = request.extensions();
    Ok(optional_caller(extensions.get(), extensions.get(), extensions.get(), REMEDY, || {
        site(request)
    })?
    .cloned())
}
