//! What a test of a service needs that Portcullis protects.
//!
//! - [`TestIssuer`] is an issuer in the process: real keys, a real JWKS over loopback, tokens in
//!   one line, rotations, outages and a clock that is wrong on demand.
//! - [`ManualClock`] moves when it is told to; [`ScriptedFetch`] answers from a script; [`TestKey`]
//!   signs whatever it is told to.
//! - [`conformance`] has the cases that every adapter must answer alike, also one of your own.
//!
//! ```
//! use http::{HeaderMap, header::AUTHORIZATION};
//! use portcullis_testing::TestIssuer;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::start().await;
//! let auth = issuer.authenticator().build().await?;
//!
//! let mut headers = HeaderMap::new();
//! headers.insert(AUTHORIZATION, issuer.token("alice").scopes(["orders:read"]).bearer().parse()?);
//! assert_eq!(auth.authenticate(&headers).await?.subject(), Some("alice"));
//!
//! headers.insert(AUTHORIZATION, issuer.token("alice").expired().bearer().parse()?);
//! assert_eq!(auth.authenticate(&headers).await.unwrap_err().rule(), "exp");
//! # Ok(()) }
//! ```
//!
//! Everything here panics where it can not do what it is told: a test that can not be set up has
//! failed.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that can not be set up has failed"
)]

pub mod conformance;

mod issuer;
mod server;
mod token;

pub use portcullis::testing::{Answer, ManualClock, ScriptedFetch, TestKey, TokioClock};

pub use issuer::{AUDIENCE, TestIssuer};
pub use token::TestToken;
