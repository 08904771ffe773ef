//! Helpers that the tests of several packages share. Helpers that are useful to users are in
//! `portcullis-testing` instead.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

pub mod bad_keys;
pub mod bad_metadata;
pub mod example;
pub mod faults;
pub mod key_server;
pub mod log;
pub mod postgres_server;
pub mod private_ca;
pub mod process;
pub mod redis_server;
pub mod rows;
pub mod service;
#[cfg(feature = "revocations")]
pub mod shared_revocations;
#[cfg(feature = "tonic")]
pub mod text_codec;
#[cfg(feature = "websocket")]
pub mod websocket;
