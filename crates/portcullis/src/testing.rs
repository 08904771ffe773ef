//! Test support for services, with the cargo feature `test-util`: a manual clock, a scripted HTTP
//! client, signing keys, and a [`Scene`] that combines them.
//!
//! `portcullis-testing` re-exports all of it, together with an issuer over loopback. The feature
//! adds this module and does not change validation. All functions panic if a test cannot be set up.
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
mod key_decision;
#[cfg(feature = "reqwest-no-provider")]
mod names;
mod scene;
mod store_suite;
mod token;
mod verdict;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

pub use clock::{ManualClock, TokioClock};
pub use fetch::{Answer, ScriptedFetch};
pub use key::TestKey;
pub use key_decision::{CachedKeys, KeyDecision};
#[cfg(feature = "reqwest-no-provider")]
pub use names::ScriptedNames;
pub use scene::{Scene, bearer, builder, claims};
pub use store_suite::store_suite;
pub use token::TestToken;
pub use verdict::{Now, attempt_now, gate_rule, rule, token_rule, verdict, verdict_now};

/// The start time of tests, in seconds since 1970: 2027-01-15 08:00:00 UTC.
pub const NOW: u64 = 1_800_000_000;

/// The issuer of the tokens, their `iss`.
pub const ISSUER: &str = "https://issuer.example";

/// The API that the tokens are for, their `aud`.
pub const AUDIENCE: &str = "https://api.example";

/// The URL of the issuer's key set.
pub const JWKS: &str = "https://issuer.example/keys";

/// Returns request headers with `Authorization: VALUE`.
#[must_use]
pub fn authorization(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(value).unwrap())])
}
