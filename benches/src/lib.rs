//! What the benchmarks share, those of the peers' workspace included: tokens, authenticators, and
//! a way to measure that trusts neither the machine nor the moment.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]

pub mod measure;
pub mod scenario;
pub mod service;
