//! Repeats tests for a long time to find rare failures. The tests kill and fuzz the issuer, rotate
//! its keys, and inject faults in random order.

use crate::install;
use crate::postgres::Server;
use crate::run::{Failure, cargo, run};

pub(crate) fn soak(kills: u32, rotations: u32, fuzz_secs: u32) -> Result<(), Failure> {
    let mut faults = cargo(&["test", "--package", "portcullis-bug-class", "--", "faults"]);
    run(faults.env("PORTCULLIS_SOAK_SEEDS", kills.max(1).to_string()))?;
    let mut live = cargo(&["test", "--package", "portcullis-cli", "--features", "live"]);
    live.args(["--bin", "portcullis", "come_and_go", "--", "--nocapture"]);
    run(live.env("PORTCULLIS_SOAK_SESSIONS", kills.saturating_mul(5).max(150).to_string()))?;
    let schemathesis = install::schemathesis()?;
    let postgres = Server::start(&install::postgres()?)?;
    let mut tests = cargo(&[
        "test",
        "--package",
        "portcullis-issuer",
        "--test",
        "issuer",
        "--",
        "--include-ignored",
        "--nocapture",
        "kills",
        "under_fire",
        "fuzz",
    ]);
    run(tests
        .env("PORTCULLIS_POSTGRES", &postgres.url)
        .env("PORTCULLIS_SCHEMATHESIS", schemathesis)
        .env("PORTCULLIS_SOAK_FUZZ_SECS", fuzz_secs.to_string())
        .env("PORTCULLIS_SOAK_KILLS", kills.to_string())
        .env("PORTCULLIS_SOAK_ROTATIONS", rotations.to_string()))
}
