//! What a test of a service needs that Portcullis protects.
//!
//! - [`TestIssuer`] is an issuer in the process: real keys, a real JWKS over loopback, tokens in
//!   one line, rotations, outages and a clock that is wrong on demand.
//! - [`Scene`] is a service without sockets: a [`ManualClock`] that moves when told, a
//!   [`ScriptedFetch`] that answers from a script, a [`TestKey`] that signs whatever it is told to,
//!   and an authenticator over them. [`rule`], [`verdict`] and [`attempt_now`] ask it.
//! - [`conformance`] has the cases that every adapter must answer alike, also one of your own.
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
//! Everything here panics where a test cannot be set up.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that can not be set up has failed"
)]

pub mod conformance;

mod issuer;
mod server;

pub use portcullis::testing::{
    AUDIENCE, Answer, ISSUER, JWKS, ManualClock, NOW, Now, Scene, ScriptedFetch, TestKey,
    TestToken, TokioClock, attempt_now, authorization, bearer, builder, claims, rule, verdict,
    verdict_now,
};

pub use issuer::TestIssuer;
