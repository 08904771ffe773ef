//! What the caller may do.

use http::{Request, Response};
use hyper::service::Service;
use portcullis::{
    Revocation,
    adapter::{NoBodies, Requirement, Site, admit},
};

use crate::future::ResponseFuture;

/// Lets through only callers who meet a [`Policy`](portcullis::Policy), and whose token was not revoked
/// where the route asks for that.
///
/// It stands inside an [`AuthService`](crate::AuthService). Without one nothing is let through:
/// the answer is 500, and the log says what is missing.
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
/// // By itself it knows nobody.
/// assert_eq!(clerks.call(Request::new(String::new())).await?.status(), 500);
/// let service = AuthService::new(auth, clerks);
/// assert_eq!(service.call(Request::new(String::new())).await?.status(), 401);
/// # Ok(()) }
/// ```
#[doc(alias("middleware", "authorization", "scope"))]
#[derive(Debug, Clone)]
pub struct RequireService<S> {
    inner: S,
    requirement: Requirement,
}

impl<S> RequireService<S> {
    /// Holds the callers of `inner` to a policy, to a [`Revocation`], or to both.
    #[must_use]
    pub fn new(requirement: impl Into<Requirement>, inner: S) -> Self {
        Self { inner, requirement: requirement.into() }
    }

    /// Asks as well that the token was not revoked. What the gate asks for holds all the same.
    #[must_use]
    pub fn revocation(self, revocation: Revocation) -> Self {
        Self { requirement: self.requirement.revocation(revocation), ..self }
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

    fn call(&self, request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let remedy = "put the RequireService inside an AuthService";
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
        ResponseFuture::of(&self.inner, request, admission, None)
    }
}
