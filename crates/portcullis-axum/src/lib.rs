//! Portcullis for axum: validate JWTs locally, deserialize their claims into your own types, and
//! enforce policies on routes.
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
//! To serve a route without a token, define it outside the protected router, like `/health` above,
//! or add it with [`open_route`](Protected::open_route). Put [CORS](protect#cors) outside as well.
//!
//! If the application has its own `struct Claims`, import the extractor under another name or use
//! its path:
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
//! This crate supports axum 0.8. On axum 0.7, use the layers of portcullis-tower; a handler takes
//! `Extension<Authenticated>`.
//!
//! # Cargo features
//!
//! | feature | |
//! |---|---|
//! | `aws-lc` (default) | the default crypto provider, which needs a C compiler |
//! | `reqwest` (default) | the HTTP client, with rustls, that fetches key sets |
//! | `reqwest-no-provider` | the same client with the rustls provider that the service installs |
//! | `ws` | `EndingSocket`, a WebSocket that ends with its session; enables axum's `ws` |
//!
//! With `default-features = false, features = ["aws-lc"]`, the dependencies include no HTTP client
//! and no TLS. Use this with [local keys](portcullis::guide::local_keys) or with your own
//! [`Fetch`](portcullis::fetch::Fetch). Without `aws-lc`, set a [crypto
//! provider](portcullis::guide::crypto_providers).
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod claims;
mod logout;
mod protect;
mod rejection;
mod require;
mod route;
#[cfg(feature = "ws")]
mod socket;
mod sse;

pub use portcullis;
pub use portcullis_tower::{AuthService, RequireService};

pub use auth::AuthLayer;
pub use claims::{Caller, Claims, SharedClaims};
pub use logout::logout_route;
pub use protect::{Protected, protect};
pub use rejection::Rejection;
pub use require::RequireLayer;
#[cfg(feature = "ws")]
pub use socket::EndingSocket;
pub use sse::{EndingEvents, ending_events};
