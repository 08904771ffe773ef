//! Unpacks programs from Debian packages into target/tools. They are not installed, because an installed server
//! would start as a service.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::{step, update_package_lists};
use crate::run::{Failure, program, run, tools_dir};

/// Returns the installed program, or unpacks it from the Debian package `name`, in which its path
/// is `place`.
pub(super) fn program_of(
    name: &str,
    place: &str,
    asks_version: &str,
    purpose: &str,
) -> Result<PathBuf, Failure> {
    let folder = tools_dir().join(name);
    let own = folder.join(place);
    let answers = |candidate: &Path| {
        let mut asked = program(candidate);
        asked.arg(asks_version).stdout(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    };
    // Debian's nginx is in /usr/sbin, which may not be in the search path.
    let by_name = Path::new(place).file_name().map(PathBuf::from);
    for candidate in by_name.into_iter().chain([Path::new("/").join(place), own.clone()]) {
        if answers(&candidate) {
            step(name, &format!("found {}", candidate.display()));
            return Ok(candidate);
        }
    }
    step(name, &format!("missing; unpacking Debian's into target/tools, {purpose}"));
    update_package_lists(name)?;
    let io = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
    // The folder may contain the remains of a failed attempt.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io)?;
    }
    fs::create_dir_all(&folder).map_err(io)?;
    run(program("apt-get").current_dir(&folder).args(["download", name]))?;
    // Lists the folder first, since unpacking adds files to it.
    let downloaded: Vec<_> = fs::read_dir(&folder).map_err(io)?.collect();
    for package in downloaded {
        let package = package.map_err(io)?.path();
        run(program("dpkg-deb").arg("--extract").arg(package).arg(&folder))?;
    }
    if answers(&own) {
        return Ok(own);
    }
    Err(Failure::new(format!(
        "unpacked Debian's {name}, but `{} {asks_version}` fails; install {name} yourself and run this again",
        own.display(),
    )))
}
