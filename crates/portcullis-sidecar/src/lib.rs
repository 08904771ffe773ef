//! A sidecar that validates tokens for an app in any language.
//!
//! The sidecar is a reverse proxy in front of an app that does not validate tokens, or it answers a
//! proxy that you already run (nginx, Caddy, Envoy, Traefik). Each request is checked by the
//! [`Gate`](portcullis::Gate) of Portcullis and by the route's policy. The app gets the caller in
//! headers that no client can set.
//!
//! Most services run the program `portcullis-sidecar`, which reads its settings from a TOML file;
//! the reference is `docs/reference/sidecar.md`. This library is for programs that embed it:
//!
//! ```no_run
//! use portcullis_sidecar::{Config, Sidecar};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::read("sidecar.toml".as_ref())?;
//! let sidecar = Sidecar::start(&config).await?;
//! let listener = tokio::net::TcpListener::bind(config.listen()).await?;
//! sidecar.serve(listener, std::future::pending()).await;
//! # Ok(()) }
//! ```
//!
//! An axum app that forwards logins to the issuer mounts a [`ThinProxy`].
//!
//! # Metrics
//!
//! | name | labels | |
//! |---|---|---|
//! | `portcullis_sidecar_requests_total` | `outcome`: `accepted`, `refused`, `bad_request`, `unknown_proxy`, `upstream_unavailable`, `upstream_timeout` | counter |
//! | `portcullis_sidecar_upstream_seconds` | | histogram of the time until a response began |
//! | `portcullis_sidecar_websockets` | | gauge of open WebSockets |
//! | `portcullis_sidecar_reloads_total` | `outcome`: `ok`, `failed` | counter |
//!
//! The metrics of the core are published beside them.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]

mod causes;
mod config;
mod decide;
mod forward;
mod forward_auth;
mod headers;
mod identity;
mod metrics;
mod path;
mod routes;
mod serve;
mod sidecar;
mod thin_proxy;
mod upstream;

pub use portcullis;

pub use config::{Config, ConfigError};
pub use sidecar::{Sidecar, publish_metrics};
pub use thin_proxy::ThinProxy;
