//! Authorization.

use portcullis::{Revocation, adapter::Requirement};
use portcullis_tower::RequireService;
use tower_layer::Layer;

use crate::route::route;

/// A layer that admits only callers who meet a [`Policy`](portcullis::Policy) and, if the route
/// requires it, whose token is not revoked. It works like [`portcullis_tower::RequireLayer`], and
/// also logs the route of a rejected request.
///
/// ```
/// use std::time::Duration;
/// use portcullis_axum::{RequireLayer, portcullis::{Policy, Revocation}};
///
/// let read = RequireLayer::new(Policy::scopes(["orders:read"]));
/// let pay = RequireLayer::new(Policy::scopes(["payments:write"])).revocation(Revocation::live());
/// let logged_in = RequireLayer::new(Revocation::status_list(Duration::from_secs(10)));
/// # let _ = (read, pay, logged_in);
/// ```
#[doc(alias("middleware", "authorization", "scope"))]
#[derive(Debug, Clone)]
pub struct RequireLayer(portcullis_tower::RequireLayer);

impl RequireLayer {
    /// Creates a layer that requires a policy, a [`Revocation`], or both.
    #[must_use]
    pub fn new(requirement: impl Into<Requirement>) -> Self {
        Self(portcullis_tower::RequireLayer::new(requirement).route_from(route))
    }

    /// Also requires that the token is not revoked. The gate's own requirement still applies.
    #[must_use]
    pub fn revocation(self, revocation: Revocation) -> Self {
        Self(self.0.revocation(revocation))
    }
}

impl<S> Layer<S> for RequireLayer {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(inner)
    }
}
