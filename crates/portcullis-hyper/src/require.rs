//! Authorization.

use std::sync::Arc;

use http::{Request, Response};
use hyper::service::Service;
use portcullis::{
    Revocation,
    adapter::{NoBodies, Requirement, Site, admit, note_requirement},
};

use crate::future::ResponseFuture;

/// A service that admits only callers who meet a [`Policy`](portcullis::Policy) and, if the route
/// requires it, whose token is not revoked.
///
/// It must be inside an [`AuthService`](crate::AuthService). Without one, every request is answered
/// with 500, and the log names the cause.
///
/// ```
/// use http::{Request, Response};
/// use hyper::service::{Service, service_fn};
/// use portcullis_hyper::portcullis::{Authenticator, Policy};
/// use portcullis_hyper::{AuthService, RequireService};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = portcullis_hyper::portcullis::keys::SharedKeySet::new(Default::default());
/// # let auth = Authenticator::builder("https://auth.example", "https://api.example")
/// #     .key_source(keys).build().await?;
/// let refund = service_fn(async |_: Request<String>| {
///     Ok::<_, std::convert::Infallible>(Response::new("done".to_owned()))
/// });
/// let clerks = RequireService::new(Policy::roles(["clerk"]), refund);
/// // Without an `AuthService`, the caller is unknown.
/// assert_eq!(clerks.call(Request::new(String::new())).await?.status(), 500);
/// let service = AuthService::new(auth, clerks);
/// assert_eq!(service.call(Request::new(String::new())).await?.status(), 401);
/// # Ok(()) }
/// ```
#[doc(alias("middleware", "authorization", "scope"))]
#[derive(Debug, Clone)]
pub struct RequireService<S> {
    inner: S,
    requirement: Arc<Requirement>,
}

impl<S> RequireService<S> {
    /// Creates a service that requires a policy, a [`Revocation`], or both from the callers of
    /// `inner`.
    #[must_use]
    pub fn new(requirement: impl Into<Requirement>, inner: S) -> Self {
        Self { inner, requirement: Arc::new(requirement.into()) }
    }

    /// Also requires that the token is not revoked. The gate's own requirement still applies.
    #[must_use]
    pub fn revocation(self, revocation: Revocation) -> Self {
        let requirement = Arc::unwrap_or_clone(self.requirement).revocation(revocation);
        Self { requirement: Arc::new(requirement), ..self }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, NoBodies>;

    fn call(&self, mut request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let remedy = "wrap the `RequireService` in an `AuthService`";
        let site = || Site::of(&request, None);
        let admission = admit(
            extensions.get(),
            extensions.get(),
            extensions.get(),
            &self.requirement,
            remedy,
            site,
        );
        let admission = admission.map(|admitted| admitted.map(|()| None));
        if let Some(who) = request.extensions_mut().get_mut() {
            note_requirement(who, &self.requirement);
        }
        ResponseFuture::of(&self.inner, request, admission, None)
    }
}
