//! Who is calling, for parts of a router.

use portcullis::{Gate, adapter::FromBytes};
use portcullis_tower::AuthService;
use tower_layer::Layer;

use crate::route::route;

/// Lets through only requests with a good token, and puts the
/// [`Authenticated`](portcullis::Authenticated) into their extensions.
///
/// For `Router::layer` and `MethodRouter::layer`; [`protect`](crate::protect) puts it on a whole
/// router, whenever its routes are added. Refusals have the body that the authenticator's settings
/// say, and the metadata of its protected resource are served.
///
/// It opens no paths: in axum the path that a layer sees is not always the one that was routed.
/// A route is open if it stands outside, or is added by
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
    /// A layer that refuses every request without a good token. It takes an authenticator, or a
    /// [`Gate`] that says more.
    #[must_use]
    pub fn new(gate: impl Into<Gate>) -> Self {
        Self(portcullis_tower::AuthLayer::new(gate.into().route_from(route)).with_bodies())
    }

    /// Lets requests without any token through as well; see [`Gate::optional`].
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
