//! Checks the spelling, with typos and the words of `_typos.toml`.

use crate::install;
use crate::run::{Failure, program, run};

/// Fails for every misspelt word in the tracked files, with its correction.
pub(crate) fn check() -> Result<(), Failure> {
    run(program(install::typos()?).args(["--format", "brief"]))
}
