//! `cargo xtask migrations`: tests the apps of `docs/migrating` before, during and after the migration. They are
//! in a separate workspace, with the crates that are migrated from.

use crate::run::{Failure, cargo, run, target_dir};

pub(crate) fn migrations() -> Result<(), Failure> {
    let manifest = ["--manifest-path", "tests/migrations/Cargo.toml"];
    run(cargo(&["fmt", "--check"]).args(manifest))?;
    run(cargo(&["test", "--locked"]).args(manifest).arg("--target-dir").arg(target_dir()))
}
