//! The sidecar over sockets, with an issuer and an app that records its requests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aliases;
mod app;
mod conformance;
mod feed;
mod forward_auth;
mod hop;
mod program;
mod proxy;
mod settings;
mod thin_proxy;
mod websocket;
