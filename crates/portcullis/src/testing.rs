//! What the tests of this family share: a clock that moves when told, an HTTP client that answers
//! from a script, and keys that sign.
//!
//! Hidden, and no promise of stability.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can not be set up has failed"
)]

mod clock;
mod fetch;
mod key;

pub use clock::{ManualClock, TokioClock};
pub use fetch::{Answer, ScriptedFetch};
pub use key::TestKey;
