//! Key servers that are slow, broken or hostile, over real sockets and with the real HTTP client:
//! what a request gets, how long it waits, what the operator is told, and that it passes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bad_keys;
mod discovery;
mod faults;
mod memory;
mod proxy;
mod rotation;
mod runtimes;
