//! The proxy as a library, so that a benchmark can measure it.

mod headers;
pub mod proxy;
