//! Portcullis for axum: validate JWTs locally, read their claims into a type of your own, and hold
//! routes to policies.
//!
//! ```
//! use axum::{Router, routing::get};
//! use serde::Deserialize;
//! use portcullis_axum::{Claims, RequireLayer, protect};
//! use portcullis_axum::portcullis::{Authenticator, Policy};
//!
//! #[derive(Deserialize)]
//! struct User {
//!     sub: String,
//! }
//!
//! async fn list(Claims(user): Claims<User>) -> String {
//!     format!("the orders of {}", user.sub)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tower::ServiceExt;
//! # let keys = portcullis_axum::portcullis::keys::SharedKeySet::new(Default::default());
//! let auth = Authenticator::builder("https://auth.example", "https://api.example")
//!     .key_source(keys) // without this line the keys are discovered
//!     .build()
//!     .await?;
//! let api = Router::new()
//!     .route("/orders", get(list).route_layer(RequireLayer::new(Policy::scopes(["orders:read"]))));
//! let app: Router =
//!     Router::new().route("/health", get(async || "fine")).merge(protect(auth, api));
//! # let get = |path| http::Request::get(path).body(axum::body::Body::empty());
//! # assert_eq!(app.clone().oneshot(get("/health")?).await?.status(), 200);
//! # assert_eq!(app.oneshot(get("/orders")?).await?.status(), 401);
//! # Ok(()) }
//! ```
//!
//! A route without a token stands outside, as `/health` does above, or is added by
//! [`open_route`](Protected::open_route). [CORS](protect#cors) stands outside, too.
//!
//! An application with a `struct Claims` of its own imports the extractor under another name, or takes it by its
//! path:
//!
//! ```
//! use portcullis_axum::Claims as Token;
//!
//! #[derive(serde::Deserialize)]
//! struct Claims {
//!     sub: String,
//! }
//!
//! async fn greet(Token(claims): Token<Claims>) -> String {
//!     format!("hello {}", claims.sub)
//! }
//! ```
//!
//! This crate is for axum 0.8. On axum 0.7 the layers of portcullis-tower work; a handler takes
//! `Extension<Authenticated>`.
//!
//! # Cargo features
//!
//! | feature | |
//! |---|---|
//! | `reqwest` (default) | the HTTP client, with rustls, that fetches key sets |
//!
//! With `default-features = false` there is no HTTP client and no TLS among the dependencies: for
//! [local keys](portcullis::guide::local_keys), or with a [`Fetch`](portcullis::fetch::Fetch) of the service's own.

mod auth;
mod claims;
mod protect;
mod rejection;
mod require;
mod route;

pub use portcullis;
pub use portcullis_tower::{AuthService, RequireService};

pub use auth::AuthLayer;
pub use claims::{Caller, Claims, SharedClaims};
pub use protect::{Protected, protect};
pub use rejection::Rejection;
pub use require::RequireLayer;
