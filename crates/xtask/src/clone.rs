//! A clone of the last commit, in which a release is checked and built: it must not depend on files that
//! are not committed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Failure, output, program, root, run, target_dir};

/// Returns the folder of the clone, which is reused while it is the last commit without changes.
pub(crate) fn of_last_commit() -> Result<PathBuf, Failure> {
    let clone = target_dir().join("release-source");
    let commit = output(program("git").args(["rev-parse", "HEAD"]))?;
    if head(&clone).is_some_and(|head| head == commit) {
        return Ok(clone);
    }
    if clone.exists() {
        fs::remove_dir_all(&clone)
            .map_err(|error| Failure::new(format!("{}: {error}", clone.display())))?;
    }
    let mut git = program("git");
    run(git.args(["clone", "--quiet", "--no-hardlinks"]).arg(root()).arg(&clone))?;
    run(program("git").current_dir(&clone).args(["checkout", "--quiet", commit.trim()]))?;
    Ok(clone)
}

fn head(clone: &Path) -> Option<String> {
    if !clone.join(".git").exists() {
        return None;
    }
    let mut status = program("git");
    status.current_dir(clone).args(["status", "--porcelain"]);
    let is_clean = output(&mut status).is_ok_and(|changes| changes.is_empty());
    let head = output(program("git").current_dir(clone).args(["rev-parse", "HEAD"])).ok()?;
    is_clean.then_some(head)
}
