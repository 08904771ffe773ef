//! Slow, broken and hostile key servers, over real sockets and with the real HTTP client: the
//! response to a request, its waiting time, the reported error, and the recovery.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bad_keys;
mod discovery;
mod faults;
mod memory;
mod proxy;
mod rotation;
mod runtimes;
