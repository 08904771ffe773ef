//! Checks the files of `deploy`, as far as that is possible without a container engine and a
//! cluster. The schemas, the programs that read the files, and the issuer itself check them.
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
