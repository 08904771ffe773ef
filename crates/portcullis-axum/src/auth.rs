//! Authentication for parts of a router.

use portcullis::{Gate, adapter::FromBytes};
use portcullis_tower::AuthService;
use tower_layer::Layer;

use crate::route::route;

/// A layer that rejects requests without a valid token, and inserts the caller, an
/// [`Authenticated`](portcullis::Authenticated), into the extensions of all other requests.
///
/// Pass it to `Router::layer` or `MethodRouter::layer`. To protect a whole router, including routes
/// that are added later, use [`protect`](crate::protect). Refusals have the body that the
/// authenticator's settings define, and the layer serves the metadata of its protected resource.
///
/// It has no list of open paths, because in axum the path that a layer sees is not always the path
/// that was routed. To open a route, define it outside the layer or add it with
/// [`open_route`](crate::Protected::open_route).
///
/// ```
/// use axum::{Router, routing::get};
/// use portcullis_axum::AuthLayer;
/// # use portcullis_axum::portcullis::Authenticator;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tower::ServiceExt;
/// # let auth = Authenticator::builder("https://auth.example", "https://api.example")
/// #     .key_source(portcullis_axum::portcullis::keys::SharedKeySet::new(Default::default())).build().await?;
/// let app: Router = Router::new()
///     .route("/orders", get(async || "orders").layer(AuthLayer::new(auth)))
///     .route("/health", get(async || "fine"));
/// # let get = |path| http::Request::get(path).body(axum::body::Body::empty());
/// # assert_eq!(app.clone().oneshot(get("/health")?).await?.status(), 200);
/// # assert_eq!(app.oneshot(get("/orders")?).await?.status(), 401);
/// # Ok(()) }
/// ```
#[doc(alias("middleware", "jwt", "bearer"))]
#[derive(Debug, Clone)]
pub struct AuthLayer(portcullis_tower::AuthLayer<FromBytes>);

impl AuthLayer {
    /// Creates a layer that rejects every request without a valid token. `gate` is an
    /// authenticator, or a [`Gate`] with further settings.
    #[must_use]
    pub fn new(gate: impl Into<Gate>) -> Self {
        Self(portcullis_tower::AuthLayer::new(gate.into().route_from(route)).with_bodies())
    }

    /// Also accepts requests without any token; see [`Gate::optional`].
    #[must_use]
    pub fn optional(self) -> Self {
        Self(self.0.optional())
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S, FromBytes>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(inner)
    }
}
