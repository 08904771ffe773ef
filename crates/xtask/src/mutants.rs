//! `cargo xtask mutants`: checks that the core's tests detect mutations of the validation code.

use crate::install;
use crate::run::{Failure, program, run, target_dir};

/// The modules that validate tokens.
const MODULES: [&str; 5] = ["jws", "key", "claims", "credentials", "challenge"];

/// Runs the core's own tests against each mutation of the modules. `shard` is cargo-mutants' `k/n`: one part of
/// the mutations.
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
    // Debug information would double the build time of each mutation.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    // A mutation may cause an endless loop.
    command.args(["--timeout", "120", "--output"]).arg(target_dir().join("mutants"));
    // Runs only unit tests: the suites in `tests/` would take an hour per mutation. Skips the
    // slowest unit tests, which fill the token cache and cover none of these modules.
    run(command.args(["--", "--lib", "--", "--skip", "the_bound_holds"]))
}
