//! Test support for services that Portcullis protects.
//!
//! - [`TestIssuer`] is an in-process issuer with real keys and a JWKS over loopback. It issues
//!   tokens, revokes them, rotates keys, simulates outages and can run on a skewed clock.
//! - [`Scene`] is a service without sockets: a [`ManualClock`], a [`ScriptedFetch`] that answers
//!   from a script, a [`TestKey`] that signs any text, and an authenticator that uses them.
//!   [`rule`], [`verdict`] and [`attempt_now`] return its outcomes.
//! - [`conformance`] has the cases that every adapter must answer identically, including your own.
//! - `vectors` (feature `vectors`) has the signatures that every crypto provider must accept or
//!   reject.
//!
//! ```
//! use portcullis_testing::{TestIssuer, rule};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::start().await;
//! let auth = issuer.authenticator().build().await?;
//!
//! let good = issuer.token("alice").scopes(["orders:read"]);
//! assert_eq!(auth.authenticate(&good.headers()).await?.subject(), Some("alice"));
//! assert_eq!(rule(&auth, &issuer.token("alice").expired().headers()).await, "exp");
//! # Ok(()) }
//! ```
//!
//! The issuer publishes revocations through introspection and a status list, so a test can show how
//! a route handles a revoked token. A gate or a route's `RequireLayer` can require introspection or
//! a status list:
//!
//! ```
//! use portcullis::{Gate, Revocation};
//! use portcullis_testing::{TestIssuer, verdict};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::start().await;
//! let gate = Gate::new(issuer.authenticator().build().await?).revocation(Revocation::live())?;
//!
//! let token = issuer.token("alice");
//! assert!(verdict(&gate, &token.headers()).await.is_ok());
//!
//! issuer.revoke(&token);
//! let refusal = verdict(&gate, &token.headers()).await.unwrap_err();
//! assert_eq!((refusal.status().as_u16(), refusal.rule()), (401, "inactive"));
//!
//! issuer.begin_outage();
//! let refusal = verdict(&gate, &issuer.token("bob").headers()).await.unwrap_err();
//! assert_eq!(refusal.status().as_u16(), 503);
//! # Ok(()) }
//! ```
//!
//! All functions panic if a test cannot be set up.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

pub mod conformance;
#[cfg(feature = "vectors")]
pub mod vectors;

mod issuer;
mod revocation;
mod server;
mod state;

pub use portcullis::testing::{
    AUDIENCE, Answer, ISSUER, JWKS, ManualClock, NOW, Now, Scene, ScriptedFetch, TestKey,
    TestToken, TokioClock, attempt_now, authorization, bearer, builder, claims, rule, verdict,
    verdict_now,
};

pub use issuer::TestIssuer;
