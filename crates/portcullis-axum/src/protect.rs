//! A router in which no route can be left open.

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::StatusCode;
use portcullis::Gate;

use crate::AuthLayer;

/// Puts `gate`, an authenticator or a [`Gate`], in front of everything in `router`: its routes,
/// those of routers nested in it, and its fallback.
///
/// Axum's own `Router::layer` covers the routes that are there when it is called and leaves those
/// added later open. What this returns protects them too: the layer is put on when it becomes a
/// [`Router`] again, by [`into_router`](Protected::into_router) or by being merged or nested.
///
/// ```
/// use axum::{Router, routing::get};
/// # use portcullis_axum::{protect, portcullis::Authenticator};
/// # fn app(auth: Authenticator) -> Router {
/// let api = Router::new().route("/orders", get(async || "orders"));
/// let api = protect(auth, api).route("/late", get(async || "protected as well"));
/// Router::new().route("/health", get(async || "open")).merge(api)
/// # }
/// ```
///
/// Where the authenticator has a
/// [protected resource](portcullis::AuthenticatorBuilder::protected_resource), its metadata are a
/// route as well, open as they must be; so let the router be merged and not nested, and protect
/// only one with such an authenticator, or the others [without](Protected::without_metadata).
pub fn protect<S>(gate: impl Into<Gate>, router: Router<S>) -> Protected<S> {
    Protected { gate: gate.into(), router, metadata: true }
}

/// A router whose every route is protected, whenever it was added.
#[derive(Debug, Clone)]
#[must_use = "it serves nothing before it is merged into a router or made one"]
pub struct Protected<S = ()> {
    gate: Gate,
    router: Router<S>,
    metadata: bool,
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
        Self { router: change(self.router), ..self }
    }

    /// Lets requests without any token through as well; see [`Gate::optional`].
    pub fn optional(self) -> Self {
        Self { gate: self.gate.optional(), ..self }
    }

    /// Leaves the route of the metadata to another router, where two are protected.
    pub fn without_metadata(self) -> Self {
        Self { metadata: false, ..self }
    }

    /// The protected router. What is added to it from here on is not protected.
    pub fn into_router(self) -> Router<S> {
        let path = self.gate.metadata_path().filter(|_| self.metadata).map(str::to_owned);
        let gate = self.gate.clone();
        let router = self.router.layer(AuthLayer::new(self.gate).with_bodies());
        match path {
            Some(path) => {
                let metadata = async move |request: Request| answer(&gate, &request);
                router.route(&path, get(metadata))
            }
            None => router,
        }
    }
}

fn answer(gate: &Gate, request: &Request) -> Response {
    gate.metadata(request).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

impl<S: Clone + Send + Sync + 'static> From<Protected<S>> for Router<S> {
    fn from(protected: Protected<S>) -> Self {
        protected.into_router()
    }
}
