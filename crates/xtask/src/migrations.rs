//! `cargo xtask migrations`: tests the apps of `docs/migrating` before, during and after the
//! migration. The apps are in a separate workspace, which also has the crates that they migrate
//! from.

use crate::run::{Failure, cargo, run, target_dir};

pub(crate) fn migrations() -> Result<(), Failure> {
    let manifest = ["--manifest-path", "tests/migrations/Cargo.toml"];
    run(cargo(&["fmt", "--check"]).args(manifest))?;
    run(cargo(&["test", "--locked"]).args(manifest).arg("--target-dir").arg(target_dir()))
}
