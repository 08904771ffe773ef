//! Access to the caller in handlers.

use http::Request;
use portcullis::{
    Authenticated, Refusal,
    adapter::{Site, optional_caller, required_caller},
};

const REMEDY: &str = "wrap the service in an `AuthService`";

/// Returns the caller of a request behind an [`AuthService`](crate::AuthService).
///
/// ```
/// use http::{Request, Response};
/// use portcullis_hyper::{caller, portcullis::{Policy, Refusal, refusal::RefusalKind}};
///
/// fn refund<B>(request: &Request<B>) -> Result<Response<String>, Refusal> {
///     let who = caller(request)?;
///     who.require(&Policy::roles(["clerk"]))?;
///     Ok(Response::new(format!("done by {:?}", who.subject())))
/// }
///
/// // Without an `AuthService`, the caller is unknown.
/// let refusal = refund(&Request::new(())).unwrap_err();
/// assert_eq!(refusal.kind(), RefusalKind::Misconfigured);
/// ```
///
/// # Errors
///
/// The [`Refusal`] to send to the client: 401 for a request without a token behind an
/// [optional](crate::AuthService::optional) service, and for a foreign credential; 500 if the
/// request did not pass through an `AuthService`.
pub fn caller<B>(request: &Request<B>) -> Result<&Authenticated, Refusal> {
    let extensions = request.extensions();
    required_caller(extensions.get(), extensions.get(), extensions.get(), REMEDY, || {
        Site::of(request, None)
    })
}

/// Returns the caller of a request behind an [optional](crate::AuthService::optional) service;
/// `None` only for a request without a token.
///
/// ```
/// use http::Request;
/// use portcullis_hyper::{maybe_caller, portcullis::Refusal};
///
/// fn greeting<B>(request: &Request<B>) -> Result<String, Refusal> {
///     let who = maybe_caller(request)?;
///     Ok(format!("hello {}", who.and_then(|who| who.subject()).unwrap_or("stranger")))
/// }
///
/// // Without an `AuthService`, the caller is unknown.
/// assert_eq!(greeting(&Request::new(())).unwrap_err().status(), 500);
/// ```
///
/// # Errors
///
/// The [`Refusal`] to send to the client: 401 for a foreign credential, and 500 if the request did
/// not pass through an `AuthService`. A missing service must not look like a caller without a
/// token.
pub fn maybe_caller<B>(request: &Request<B>) -> Result<Option<&Authenticated>, Refusal> {
    let extensions = request.extensions();
    optional_caller(extensions.get(), extensions.get(), extensions.get(), REMEDY, || {
        Site::of(request, None)
    })
}
