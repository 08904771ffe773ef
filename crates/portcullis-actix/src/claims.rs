//! The caller as a handler's argument.

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

/// The token's claims, read into the handler's own type.
///
/// Claims that do not fit the type are refused with 403. On a route that nothing protects the
/// answer is 500, and the log says why: a forgotten middleware must not look like a caller
/// without a token.
///
/// Where the token is optional take [`MaybeClaims`], **not `Option<Claims<C>>`**: actix-web's own
/// extractor for `Option` makes `None` of every error, so that neither claims that do not fit nor a
/// forgotten middleware would be refused.
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

/// The token's claims in the handler's own type, read once for all requests with the same token:
/// see [`Authenticated::shared_claims`]. In everything else like [`Claims`].
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

/// The token's claims, behind an [optional](crate::Auth::optional) middleware: `None` only for a
/// request without a token.
///
/// A token that is there and is bad never gets so far; claims that do not fit the type, and a
/// forgotten middleware, are refused as by [`Claims`].
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

/// The caller itself: registered claims, and [`require`](Authenticated::require).
///
/// Where the token is optional take [`MaybeCaller`], not `Option<Caller>`; [`Claims`] says why.
#[derive(Debug, Clone)]
pub struct Caller(pub Authenticated);

impl FromRequest for Caller {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticated(request).map(Self))
    }
}

/// The caller, behind an [optional](crate::Auth::optional) middleware: `None` only for a request
/// without a token.
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

const REMEDY: &str = "wrap the route in an Auth";

fn authenticated(request: &HttpRequest) -> Result<Authenticated, Rejection> {
    let extensions = request.extensions();
    Ok(required_caller(extensions.get(), extensions.get(), extensions.get(), REMEDY, || {
        site(request)
    })?
    .clone())
}

/// `None` for an anonymous caller.
fn caller(request: &HttpRequest) -> Result<Option<Authenticated>, Rejection> {
    let extensions = request.extensions();
    Ok(optional_caller(extensions.get(), extensions.get(), extensions.get(), REMEDY, || {
        site(request)
    })?
    .cloned())
}
