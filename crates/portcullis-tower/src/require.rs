//! Authorization.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use portcullis::{
    Revocation,
    adapter::{NoBodies, Requirement, RouteFrom, Site, admit, note_requirement},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::future::ResponseFuture;

/// A layer that admits only callers who meet a [`Policy`](portcullis::Policy) and, if the route
/// requires it, whose token is not revoked.
///
/// It must be behind an [`AuthLayer`](crate::AuthLayer). Without one, every request is answered
/// with 500, and the log names the cause.
///
/// ```
/// use std::time::Duration;
/// use portcullis_tower::{RequireLayer, portcullis::{Policy, Revocation}};
///
/// let read = RequireLayer::new(Policy::scopes(["orders:read"]));
/// let pay = RequireLayer::new(Policy::scopes(["payments:write"])).revocation(Revocation::live());
/// let logged_in = RequireLayer::new(Revocation::status_list(Duration::from_secs(10)));
/// # let _ = (read, pay, logged_in);
/// ```
#[doc(alias("middleware", "authorization", "scope"))]
#[derive(Debug, Clone)]
pub struct RequireLayer {
    requirement: Requirement,
    route_from: Option<RouteFrom>,
}

impl RequireLayer {
    /// Creates a layer that requires a policy, a [`Revocation`], or both.
    #[must_use]
    pub fn new(requirement: impl Into<Requirement>) -> Self {
        Self { requirement: requirement.into(), route_from: None }
    }

    /// Also requires that the token is not revoked. The gate's own requirement still applies.
    #[must_use]
    pub fn revocation(self, revocation: Revocation) -> Self {
        Self { requirement: self.requirement.revocation(revocation), ..self }
    }

    /// Sets the function that finds the route of a rejected request for the log. The function reads
    /// the request's extensions, where the router stores the route; see
    /// [`Gate::route_from`](portcullis::Gate::route_from).
    #[must_use]
    pub fn route_from(self, find: RouteFrom) -> Self {
        Self { route_from: Some(find), ..self }
    }
}

impl<S> Layer<S> for RequireLayer {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let (requirement, route_from) = (Arc::new(self.requirement.clone()), self.route_from);
        RequireService { inner, requirement, route_from }
    }
}

/// The service that [`RequireLayer`] creates.
#[derive(Debug, Clone)]
pub struct RequireService<S> {
    inner: S,
    requirement: Arc<Requirement>,
    route_from: Option<RouteFrom>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Response, S::Error, NoBodies>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let extensions = request.extensions();
        let remedy = "apply an `AuthLayer` outside the `RequireLayer`";
        let site = || Site::of(&request, self.route_from);
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
        ResponseFuture::of(&mut self.inner, request, admission, None)
    }
}
