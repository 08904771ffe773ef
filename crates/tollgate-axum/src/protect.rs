//! A router in which no route can be left open.

use axum::Router;
use axum::routing::MethodRouter;
use tollgate::Authenticator;

use crate::AuthLayer;

/// Puts `auth` in front of everything in `router`: its routes, those of routers nested in it, and
/// its fallback.
///
/// Axum's own `Router::layer` covers the routes that are there when it is called and leaves those
/// added later open. What this returns protects them too: the layer is put on when it becomes a
/// [`Router`] again, by [`into_router`](Protected::into_router) or by being merged or nested.
///
/// ```
/// use axum::{Router, routing::get};
/// # use tollgate_axum::{protect, tollgate::Authenticator};
/// # fn app(auth: Authenticator) -> Router {
/// let api = Router::new().route("/orders", get(async || "orders"));
/// let api = protect(auth, api).route("/late", get(async || "protected as well"));
/// Router::new().route("/health", get(async || "open")).merge(api)
/// # }
/// ```
pub fn protect<S>(auth: Authenticator, router: Router<S>) -> Protected<S> {
    Protected { layer: AuthLayer::new(auth), router }
}

/// A router whose every route is protected, whenever it was added.
#[derive(Debug, Clone)]
#[must_use = "it serves nothing before it is merged into a router or made one"]
pub struct Protected<S = ()> {
    layer: AuthLayer,
    router: Router<S>,
}

impl<S: Clone + Send + Sync + 'static> Protected<S> {
    /// Adds a route, as [`Router::route`].
    pub fn route(self, path: &str, method_router: MethodRouter<S>) -> Self {
        self.map(|router| router.route(path, method_router))
    }

    /// Adds another router's routes, as [`Router::merge`].
    pub fn merge(self, other: impl Into<Router<S>>) -> Self {
        self.map(|router| router.merge(other))
    }

    /// Adds another router's routes below a path, as [`Router::nest`].
    pub fn nest(self, path: &str, other: Router<S>) -> Self {
        self.map(|router| router.nest(path, other))
    }

    /// Changes the router in any other way; whatever comes of it is protected.
    pub fn map(self, change: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        Self { layer: self.layer, router: change(self.router) }
    }

    /// Lets requests without any token through as well; see [`AuthLayer::optional`].
    pub fn optional(self) -> Self {
        Self { layer: self.layer.optional(), router: self.router }
    }

    /// The protected router. What is added to it from here on is not protected.
    pub fn into_router(self) -> Router<S> {
        self.router.layer(self.layer)
    }
}

impl<S: Clone + Send + Sync + 'static> From<Protected<S>> for Router<S> {
    fn from(protected: Protected<S>) -> Self {
        protected.into_router()
    }
}
