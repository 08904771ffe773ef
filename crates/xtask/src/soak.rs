//! What breaks only now and then: the tests that kill and rotate, for hours.

use crate::install;
use crate::postgres::Server;
use crate::run::{Failure, cargo, run};

/// `cargo xtask soak`.
pub(crate) fn soak(kills: u32, rotations: u32) -> Result<(), Failure> {
    let postgres = Server::start(&install::postgres()?)?;
    let mut tests = cargo(&[
        "test",
        "--package",
        "tollgate-issuer",
        "--test",
        "issuer",
        "--",
        "--include-ignored",
        "--nocapture",
        "kills",
        "under_fire",
    ]);
    run(tests
        .env("TOLLGATE_POSTGRES", &postgres.url)
        .env("TOLLGATE_SOAK_KILLS", kills.to_string())
        .env("TOLLGATE_SOAK_ROTATIONS", rotations.to_string()))
}
