//! A router whose routes are all protected.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::StatusCode;
use portcullis::{
    Gate,
    adapter::{Bodies, FromBytes},
};

use crate::AuthLayer;

/// Protects everything in `router` with `gate`, an authenticator or a [`Gate`]: its routes, those
/// of nested routers, and its own fallback. A path without a route or such a fallback is answered
/// with 404 without checking the token, as in a router without a gate.
///
/// Axum's own `Router::layer` covers only the routes that exist when it is called; routes added
/// later stay open. The returned [`Protected`] also covers later routes: it applies the layer when
/// it becomes a [`Router`] again, by [`into_router`](Protected::into_router) or by being merged or
/// nested.
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
/// # CORS
///
/// A browser's preflight request is an `OPTIONS` without a token and is rejected like any other.
/// Put tower-http's `CorsLayer` outside: it answers preflights itself and adds its headers to
/// refusals, so that pages can read them.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_http::cors::CorsLayer;
/// # use portcullis_axum::{protect, portcullis::Authenticator};
///
/// # fn app(auth: Authenticator) -> Result<Router, http::header::InvalidHeaderValue> {
/// let cors = CorsLayer::new().allow_origin([
///     "https://app.example".parse::<http::HeaderValue>()?,
/// ]);
/// let api = Router::new().route("/orders", get(async || "orders"));
/// Ok(protect(auth, api).into_router().layer(cors)) // the last layer is the outermost
/// # }
/// ```
///
/// # Metadata
/// If the authenticator has a [protected
/// resource](portcullis::AuthenticatorBuilder::protected_resource), its metadata is also a route,
/// which must be open. So merge the router instead of nesting it, and protect only one router with
/// such an authenticator, or call [`without_metadata`](Protected::without_metadata) on the others.
#[doc(alias("middleware", "jwt", "bearer"))]
pub fn protect<S>(gate: impl Into<Gate>, router: Router<S>) -> Protected<S>
where
    S: Clone + Send + Sync + 'static,
{
    Protected { gate: gate.into(), router, open: Router::new(), metadata: true }
}

/// A router whose routes are all protected, including those added later, except its [open
/// routes](Protected::open_route).
#[derive(Debug, Clone)]
#[must_use = "it serves nothing until it is merged into a router or converted into one"]
pub struct Protected<S = ()> {
    gate: Gate,
    router: Router<S>,
    open: Router<S>,
    metadata: bool,
}

impl<S: Clone + Send + Sync + 'static> Protected<S> {
    /// Adds a route, like [`Router::route`].
    pub fn route(self, path: &str, method_router: MethodRouter<S>) -> Self {
        self.map(|router| router.route(path, method_router))
    }

    /// Adds an open route: its handlers run without a token, and their caller is an
    /// [`Anonymous`](portcullis::Anonymous), so `Option<Caller>` is `None`. A token in the request
    /// is ignored.
    ///
    /// The route is open, not its path: only a request that axum's router matches to
    /// `method_router` passes. A request with any other spelling of the path is routed elsewhere,
    /// and everything else is protected. A method that `method_router` does not have is answered
    /// with 405.
    ///
    /// ```
    /// use axum::{Router, routing::{any, get}};
    /// # use portcullis_axum::{protect, portcullis::Authenticator};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tower::ServiceExt;
    /// # let auth = Authenticator::builder("https://auth.example", "https://api.example")
    /// #     .key_source(portcullis_axum::portcullis::keys::SharedKeySet::new(Default::default())).build().await?;
    /// let api = Router::new().route("/{*rest}", any(async || "orders"));
    /// let api = protect(auth, api).open_route("/health", get(async || "fine"));
    /// let app: Router = Router::new().nest("/v1", api.into());
    /// for (path, status) in [("/v1/health", 200), ("/v1//health", 401), ("/v1/orders", 401)] {
    ///     let request = http::Request::get(path).body(axum::body::Body::empty())?;
    ///     assert_eq!(app.clone().oneshot(request).await?.status(), status);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics like [`Router::route`] if the path or method already exists. If the existing route is
    /// protected, the panic occurs only when this value is converted into a router.
    #[track_caller]
    pub fn open_route(self, path: &str, method_router: MethodRouter<S>) -> Self {
        Self { open: self.open.route(path, method_router), ..self }
    }

    /// Adds another router's routes, like [`Router::merge`]. Open routes of another [`Protected`]
    /// are then behind this gate as well and no longer open.
    pub fn merge(self, other: impl Into<Router<S>>) -> Self {
        self.map(|router| router.merge(other))
    }

    /// Adds another router's routes below a path, like [`Router::nest`].
    pub fn nest(self, path: &str, other: Router<S>) -> Self {
        self.map(|router| router.nest(path, other))
    }

    /// Changes the router in any other way. Everything in the result is protected.
    pub fn map(self, change: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        Self { router: change(self.router), ..self }
    }

    /// Also accepts requests without any token; see [`Gate::optional`].
    pub fn optional(self) -> Self {
        Self { gate: self.gate.optional(), ..self }
    }

    /// Does not add the metadata route, for when another protected router serves it.
    pub fn without_metadata(self) -> Self {
        Self { metadata: false, ..self }
    }

    /// Returns the protected router. Routes added to it afterwards are not protected.
    pub fn into_router(self) -> Router<S> {
        let path = self.gate.metadata_path().filter(|_| self.metadata).map(str::to_owned);
        let open = match path {
            Some(path) => {
                let gate = self.gate.clone();
                let metadata = async move |request: Request| answer(&gate, &request);
                self.open.route(&path, get(metadata.clone()).options(metadata))
            }
            None => self.open,
        };
        let gate = self.gate.clone();
        let pass = move |request, next| pass(gate.clone(), request, next);
        // On conflicts, axum keeps the settings of the router that is merged in. 405 responses are
        // behind the gate. Unknown paths get axum's own 404 without a gate: with several gates in a
        // router, none of them is responsible for unknown paths. The router's own fallback takes
        // precedence over a default one and stays behind the gate. The router's own setting for
        // path checks is kept.
        open.layer(from_fn(pass))
            .without_v07_checks()
            .merge(self.router.layer(AuthLayer::new(self.gate)))
            .merge(Router::new())
    }
}

/// Passes a request to an open route.
async fn pass(gate: Gate, mut request: Request, next: Next) -> Response {
    let (visitor, exit) = gate.enter_open(&request);
    visitor.mark(request.extensions_mut());
    FromBytes::passed(next.run(request).await, &exit)
}

fn answer(gate: &Gate, request: &Request) -> Response {
    gate.metadata(request).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

impl<S: Clone + Send + Sync + 'static> From<Protected<S>> for Router<S> {
    fn from(protected: Protected<S>) -> Self {
        protected.into_router()
    }
}
