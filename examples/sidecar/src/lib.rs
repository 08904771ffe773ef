//! The proxy of the example, apart from the program, so that a benchmark can measure it.

mod headers;
pub mod proxy;
