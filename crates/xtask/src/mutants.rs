//! `cargo xtask mutants`: whether the tests of what judges tokens would notice a change in it.

use crate::install;
use crate::run::{Failure, program, run, target_dir};

/// What judges tokens.
const MODULES: [&str; 5] = ["jws", "key", "claims", "credentials", "challenge"];

/// Changes the modules one place at a time, and runs the core's own tests against each change.
/// `shard` is cargo-mutants' `k/n`: one part of the whole.
pub(crate) fn mutants(shard: Option<&str>) -> Result<(), Failure> {
    let cargo_mutants = install::cargo_mutants()?;
    let mut command = program(cargo_mutants);
    command.args(["mutants", "--package", "portcullis", "--features", "test-util", "--jobs", "1"]);
    for module in MODULES {
        command.args(["--file", &format!("crates/portcullis/src/{module}.rs")]);
        command.args(["--file", &format!("crates/portcullis/src/{module}/**")]);
    }
    if let Some(shard) = shard {
        command.args(["--shard", shard]);
    }
    // Half of each build would be debugging information that nobody reads.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    // A change may make a loop endless.
    command.args(["--timeout", "120", "--output"]).arg(target_dir().join("mutants"));
    // The tests beside the code: the suites of `tests/` would take an hour for each change.
    // Of them all but the slowest, which fill the token cache and look at none of these modules.
    run(command.args(["--", "--lib", "--", "--skip", "the_bound_holds"]))
}
