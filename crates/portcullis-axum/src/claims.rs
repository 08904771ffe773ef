//! Extractors for the caller.

use std::sync::Arc;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use portcullis::{
    Authenticated,
    adapter::{self, optional_caller, required_caller},
};
use serde::de::DeserializeOwned;

use crate::rejection::Rejection;
use crate::route::site;

/// Extracts the token's claims, deserialized into the handler's own type.
///
/// Claims that do not fit the type are rejected with 403. `Option<Claims<C>>` is `None` for a
/// request without a token behind an [optional](crate::AuthLayer::optional) layer; the layer itself
/// rejects invalid tokens. On an unprotected route both extractors answer 500 and log the reason: a
/// missing layer must not look like a caller without a token.
///
/// ```
/// use axum::{Router, routing::get};
/// use portcullis_axum::{Claims, protect};
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
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tower::ServiceExt;
/// # let scene = portcullis_axum::portcullis::testing::Scene::new().await;
/// # let auth = scene.auth.clone();
/// let app: Router = protect(auth, Router::new().route("/", get(tenant))).into_router();
/// # let ask = async |bearer: String| {
/// #     let request = http::Request::get("/").header("authorization", bearer);
/// #     app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap().status()
/// # };
/// # let token = || scene.token("alice");
/// // A token with `tenant`, and one without.
/// assert_eq!(ask(token().claim("tenant", 7).bearer()).await, 200);
/// assert_eq!(ask(token().bearer()).await, 403);
/// # Ok(()) }
/// ```
#[doc(alias("extractor"))]
#[derive(Debug, Clone, Copy)]
pub struct Claims<C>(pub C);

impl<S: Sync, C: DeserializeOwned> FromRequestParts<S> for Claims<C> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let who = authenticated(parts)?;
        Ok(Self(adapter::claims(who, || site(parts))?))
    }
}

impl<S: Sync, C: DeserializeOwned> OptionalFromRequestParts<S> for Claims<C> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        let Some(who) = caller(parts)? else { return Ok(None) };
        Ok(Some(Self(adapter::claims(who, || site(parts))?)))
    }
}

/// Extracts the token's claims, deserialized once for all requests with the same token: see
/// [`Authenticated::shared_claims`]. In all other respects, it behaves like [`Claims`].
///
/// ```
/// use serde::Deserialize;
/// use portcullis_axum::SharedClaims;
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

impl<S, C> FromRequestParts<S> for SharedClaims<C>
where
    S: Sync,
    C: DeserializeOwned + Send + Sync + 'static,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let who = authenticated(parts)?;
        Ok(Self(adapter::shared_claims(who, || site(parts))?))
    }
}

impl<S, C> OptionalFromRequestParts<S> for SharedClaims<C>
where
    S: Sync,
    C: DeserializeOwned + Send + Sync + 'static,
{
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        let Some(who) = caller(parts)? else { return Ok(None) };
        Ok(Some(Self(adapter::shared_claims(who, || site(parts))?)))
    }
}

/// Extracts the caller, for registered claims and [`require`](Authenticated::require).
///
/// On an unprotected route it answers 500, like [`Claims`].
///
/// ```
/// use portcullis_axum::portcullis::Policy;
/// use portcullis_axum::{Caller, Rejection};
///
/// async fn refund(Caller(who): Caller) -> Result<String, Rejection> {
///     // 403 for callers without the role.
///     who.require(&Policy::roles(["clerk"]))?;
///     Ok(format!("done by {}", who.subject().unwrap_or("a service")))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Caller(pub Authenticated);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        authenticated(parts).cloned().map(Self)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        Ok(caller(parts)?.cloned().map(Self))
    }
}

const REMEDY: &str = "protect the route with `protect` or an `AuthLayer`";

fn authenticated(parts: &Parts) -> Result<&Authenticated, Rejection> {
    let extensions = &parts.extensions;
    Ok(required_caller(extensions.get(), extensions.get(), extensions.get(), REMEDY, || {
        site(parts)
    })?)
}

/// Returns the caller of a request, or `None` if the caller is anonymous.
fn caller(parts: &Parts) -> Result<Option<&Authenticated>, Rejection> {
    let extensions = &parts.extensions;
    Ok(optional_caller(extensions.get(), extensions.get(), extensions.get(), REMEDY, || {
        site(parts)
    })?)
}
