//! Tests a Portcullis service as the authorization service of nginx (`auth_request`), Caddy
//! (`forward_auth`) and Envoy (`ext_authz`). The tests run the real proxies, with the
//! configurations of the guide's chapter *Behind a proxy*.
//!
//! Whatever a client sends, a refusal keeps its status and headers, and the request does not reach
//! the app. A refusal is 2xx only if Envoy responds to a gRPC client.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test and its helpers fail by panicking"
)]

mod authority;
mod client;
mod examples;
mod identity;
mod issuer;
mod proxy;
mod recipe;
mod refusals;
mod servers;
mod shipped;
mod sidecar;

/// Generates a test for each proxy from every function that takes a [`Kind`](proxy::Kind).
macro_rules! behind_each_proxy {
    ($($name:ident),* $(,)?) => {
        mod nginx {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs nginx: run cargo xtask test"]
                async fn $name() {
                    super::$name(crate::proxy::Kind::Nginx).await;
                }
            )*
        }
        mod caddy {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs Caddy: run cargo xtask test"]
                async fn $name() {
                    super::$name(crate::proxy::Kind::Caddy).await;
                }
            )*
        }
        mod envoy {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs Envoy: run cargo xtask test"]
                async fn $name() {
                    super::$name(crate::proxy::Kind::Envoy).await;
                }
            )*
        }
    };
}
use behind_each_proxy;

const METHODS: [&str; 4] = ["GET", "POST", "OPTIONS", "HEAD"];
