//! Portcullis as tower middleware: validate JWTs locally in front of any HTTP service.
//!
//! [`AuthLayer`] authenticates the caller and rejects requests without a valid token;
//! [`RequireLayer`] behind it authorizes the caller. The caller is an
//! [`Authenticated`](portcullis::Authenticated) in the request's extensions.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use portcullis_tower::{AuthLayer, RequireLayer, portcullis::{self, Authenticator, Policy}};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let keys = portcullis::keys::SharedKeySet::new(portcullis::keys::KeySet::from_json(br#"{"keys":[]}"#)?);
//! let auth = Authenticator::builder("https://auth.example", "https://api.example")
//!     .key_source(keys) // without this line the keys are discovered
//!     .build()
//!     .await?;
//! let service = ServiceBuilder::new()
//!     .layer(AuthLayer::new(auth))
//!     .layer(RequireLayer::new(Policy::scopes(["orders:read"])))
//!     .service(service_fn(|request: Request<String>| async move {
//!         let who = request.extensions().get::<portcullis::Authenticated>().unwrap();
//!         Ok::<_, std::convert::Infallible>(Response::new(format!("{:?}", who.subject())))
//!     }));
//!
//! let response = service.oneshot(Request::new(String::new())).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! ```
//!
//! # gRPC
//!
//! For gRPC services, such as tonic's, declare the gate as gRPC:
//! `AuthLayer::new(Gate::new(auth).grpc())`. Every refusal is then HTTP 200 with a `grpc-status`,
//! including those of an inner [`RequireLayer`]. See [`Gate::grpc`](portcullis::Gate::grpc).
//!
//! # CORS
//!
//! Preflight requests have no token and are rejected like any other request without one. Put
//! tower-http's `CorsLayer` outside the [`AuthLayer`]: it answers preflights itself and adds its
//! headers to refusals.
//!
//! # Other frameworks
//!
//! The layers work with any tower service of [`http`](https://docs.rs/http/1) 1 requests: tonic,
//! warp, and axum versions that portcullis-axum does not support, such as 0.7. A handler finds the
//! caller in the request's extensions, in axum with `Extension<Authenticated>`. If the caller is
//! optional, or behind [`Gate::pass_foreign`](portcullis::Gate::pass_foreign), call
//! [`optional_caller`](portcullis::adapter::optional_caller) or
//! [`required_caller`](portcullis::adapter::required_caller): without a caller in the extensions,
//! the request may still carry a credential that no code has accepted.
//!
//! # Logout tokens
//!
//! Route the path of the back-channel logout URI to a service outside the [`AuthLayer`] that reads at
//! most [`MAX_BODY_BYTES`](portcullis::feed::LogoutReceiver::MAX_BODY_BYTES) of the body and calls
//! [`LogoutReceiver::receive`](portcullis::feed::LogoutReceiver::receive).
//!
//! # Cargo features
//!
//! | feature | |
//! |---|---|
//! | `aws-lc` (default) | the default crypto provider, which needs a C compiler |
//! | `reqwest` (default) | the HTTP client, with rustls, that fetches key sets |
//! | `reqwest-no-provider` | the same client with the rustls provider that the service installs |
//!
//! With `default-features = false, features = ["aws-lc"]`, the dependencies include no HTTP client
//! and no TLS. Use this with [local keys](portcullis::guide::local_keys) or with your own
//! [`Fetch`](portcullis::fetch::Fetch). Without `aws-lc`, set a [crypto
//! provider](portcullis::guide::crypto_providers).
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod future;
mod require;

pub use portcullis;

pub use auth::{AuthLayer, AuthService};
pub use future::ResponseFuture;
pub use require::{RequireLayer, RequireService};
