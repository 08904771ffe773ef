//! The files of `deploy`, as far as they can be checked without a container engine and a cluster: by
//! the schemas, by the programs that read them, and by the issuer itself.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test, and what only a test calls, fails by panicking"
)]

mod compose;
#[cfg(unix)]
mod image;
mod kubernetes;
mod settings;
mod systemd;
mod tools;
