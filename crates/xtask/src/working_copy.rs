//! A copy of the repository's files, in which single places are changed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Failure, output, program, root};

/// Replaces `old`, which must occur exactly once.
pub(crate) fn replaced(whole: &str, old: &str, new: &str, file: &str) -> Result<String, Failure> {
    match whole.matches(old).count() {
        1 => Ok(whole.replacen(old, new, 1)),
        times => Err(Failure::new(format!("{file}: occurs {times} times instead of once: {old}"))),
    }
}

/// Copies the repository's files from the working tree. Unchanged files are not written, so that they are not
/// built again.
pub(crate) fn copy_sources(copy: &Path) -> Result<(), Failure> {
    let mut git = program("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    for name in output(&mut git)?.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root().join(name), copy.join(name));
        let Ok(bytes) = fs::read(&from) else { continue };
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        let parent = to.parent().map(PathBuf::from).unwrap_or_default();
        fs::create_dir_all(&parent).map_err(|error| failed(&parent, &error))?;
        fs::write(&to, bytes).map_err(|error| failed(&to, &error))?;
    }
    Ok(())
}

pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| failed(path, &error))
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
