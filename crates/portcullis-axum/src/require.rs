//! What the caller may do.

use portcullis::{Revocation, adapter::Requirement};
use portcullis_tower::RequireService;
use tower_layer::Layer;

use crate::route::route;

/// Lets through only callers who meet a [`Policy`](portcullis::Policy), and whose token was not revoked
/// where the route asks for that: [`portcullis_tower::RequireLayer`], which names a refused request's
/// route in the log.
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
    /// A layer that holds callers to a policy, to a [`Revocation`], or to both.
    #[must_use]
    pub fn new(requirement: impl Into<Requirement>) -> Self {
        Self(portcullis_tower::RequireLayer::new(requirement).route_from(route))
    }

    /// Asks as well that the token was not revoked. What the gate asks for holds all the same.
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
