//! Spelling, with typos and the words of `_typos.toml`.

use crate::install;
use crate::run::{Failure, program, run};

/// Fails with every misspelt word in the tracked files, and with the spelling that is meant.
pub(crate) fn check() -> Result<(), Failure> {
    run(program(install::typos()?).args(["--format", "brief"]))
}
