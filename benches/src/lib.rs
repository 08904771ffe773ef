//! Code that the benchmarks share, including those of the peers' workspace: tokens, authenticators,
//! and a measurement that is robust against noise.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]

pub mod measure;
pub mod scenario;
pub mod service;
