//! Portcullis for hyper: validate JWTs locally in front of any hyper service.
//!
//! [`AuthService`] authenticates the caller and rejects requests without a valid token; a
//! [`RequireService`] inside it authorizes the caller. The caller is an
//! [`Authenticated`](portcullis::Authenticated) in the request's extensions; [`caller`] returns it.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response, StatusCode};
//! use hyper::service::{Service, service_fn};
//! use serde::Deserialize;
//! use portcullis_hyper::portcullis::{Authenticator, Policy, Refusal};
//! use portcullis_hyper::{AuthService, RequireService, caller};
//!
//! #[derive(Deserialize)]
//! struct User {
//!     sub: String,
//! }
//!
//! fn list<B>(request: &Request<B>) -> Result<Response<String>, Refusal> {
//!     let user: User = caller(request)?.claims()?;
//!     Ok(Response::new(format!("the orders of {}", user.sub)))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let keys = portcullis_hyper::portcullis::keys::SharedKeySet::new(Default::default());
//! let auth = Authenticator::builder("https://auth.example", "https://api.example")
//!     .key_source(keys) // without this line the keys are discovered
//!     .build()
//!     .await?;
//! let orders = service_fn(async |request: Request<String>| {
//!     Ok::<_, Infallible>(list(&request).unwrap_or_else(Refusal::into_response))
//! });
//! let orders = RequireService::new(Policy::scopes(["orders:read"]), orders);
//! let service = AuthService::new(auth, orders); // for hyper's `serve_connection`
//!
//! let response = service.call(Request::new(String::new())).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! ```
//!
//! # Without a service
//!
//! A service that is a single function needs only the core crate, `portcullis`. A refusal is an
//! error: the handler returns it with `?`, and the function that calls the handler converts it to
//! the response:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use portcullis_hyper::portcullis::{Authenticator, Gate, Policy, Refusal};
//!
//! async fn list<B>(gate: &Gate, request: &Request<B>) -> Result<String, Refusal> {
//!     let who = gate.authenticate(request).await?; // absent is refused, too
//!     who.require(&Policy::scopes(["orders:read"]))?;
//!     Ok(format!("the orders of {:?}", who.subject()))
//! }
//!
//! type Answer = Result<Response<String>, Infallible>;
//!
//! async fn serve<B>(gate: Gate, request: Request<B>) -> Answer {
//!     Ok(match (request.method().as_str(), request.uri().path()) {
//!         ("GET", "/health") => Response::new("fine".to_owned()),
//!         _ => list(&gate, &request).await.map_or_else(Refusal::into_response, Response::new),
//!     })
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let keys = portcullis_hyper::portcullis::keys::SharedKeySet::new(Default::default());
//! # let auth = Authenticator::builder("https://auth.example", "https://api.example")
//! #     .key_source(keys).build().await?;
//! let gate = Gate::new(auth);
//! let open = Request::get("/health").body(())?;
//! assert_eq!(serve(gate.clone(), open).await?.status(), 200);
//! let refused = serve(gate, Request::get("/orders").body(())?).await?;
//! assert_eq!(refused.status(), 401);
//! assert_eq!(refused.headers()["www-authenticate"], r#"Bearer realm="api""#);
//! # Ok(()) }
//! ```
//!
//! For a tower service on hyper, through hyper-util's `TowerToHyperService`, use
//! `portcullis-tower`.
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
mod caller;
mod future;
mod logout;
mod require;

pub use portcullis;

pub use auth::AuthService;
pub use caller::{caller, maybe_caller};
pub use future::ResponseFuture;
pub use logout::receive_logout;
pub use require::RequireService;
