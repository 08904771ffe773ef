//! What the tests of a service need, with the cargo feature `test-util`: a clock that moves when
//! told, an HTTP client that answers from a script, keys that sign, and a [`Scene`] that puts them
//! together.
//!
//! `portcullis-testing` re-exports all of it, next to an issuer over loopback. The feature adds this
//! module and changes no decision. Everything here panics where a test cannot be set up.
//!
//! ```
//! use std::time::Duration;
//!
//! use portcullis::testing::{Scene, rule};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let scene = Scene::new().await;
//! let token = scene.token("alice").scopes(["orders:read"]);
//! assert_eq!(rule(&scene.auth, &token.headers()).await, "accepted");
//!
//! scene.clock.advance(Duration::from_secs(3600));
//! assert_eq!(rule(&scene.auth, &token.headers()).await, "exp");
//! # }
//! ```
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

mod clock;
mod fetch;
mod key;
mod scene;
mod token;
mod verdict;

pub use clock::{ManualClock, TokioClock};
pub use fetch::{Answer, ScriptedFetch};
pub use key::TestKey;
pub use scene::{AUDIENCE, ISSUER, JWKS, NOW, Scene, authorization, bearer, builder, claims};
pub use token::TestToken;
pub use verdict::{Now, attempt_now, rule, verdict, verdict_now};
