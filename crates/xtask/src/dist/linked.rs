//! The shared libraries that a program needs.

use std::path::Path;

use crate::install;
use crate::run::{Failure, output, program};

/// The libraries of glibc, and `libgcc_s`, which unwinds a panic. glibc itself loads `libgcc_s` to end
/// a thread, so that each distribution with glibc has it (Debian's libc6 depends on libgcc-s1).
const ALLOWED: [&str; 7] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libgcc_s.so.1",
    "ld-linux",
];

/// Prints the libraries and the oldest glibc with which the program starts; fails if it needs
/// another library.
pub(super) fn check(built: &Path) -> Result<(), Failure> {
    // binutils is a dependency of the compiler.
    install::c_compiler()?;
    let headers = output(program("objdump").arg("-p").arg(built))?;
    let needed = needed(&headers);
    let foreign: Vec<&str> = needed.iter().filter(|name| !is_allowed(name)).copied().collect();
    let glibc = oldest_glibc(&headers).unwrap_or_default();
    println!("{}: needs {}; glibc {glibc} or newer", built.display(), needed.join(", "));
    if needed.is_empty() {
        return Err(Failure::new(format!("{}: objdump shows no library", built.display())));
    }
    if foreign.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} needs {}, which not every distribution with glibc has; link it statically, or remove the dependency \
         that needs it",
        built.display(),
        foreign.join(", ")
    )))
}

/// Returns the `NEEDED` entries in the output of `objdump -p`.
fn needed(headers: &str) -> Vec<&str> {
    headers.lines().filter_map(|line| line.trim().strip_prefix("NEEDED")).map(str::trim).collect()
}

fn is_allowed(name: &str) -> bool {
    ALLOWED.iter().any(|allowed| match *allowed {
        // Its name has the architecture: `ld-linux-x86-64.so.2`.
        "ld-linux" => name.starts_with("ld-linux-"),
        allowed => name == allowed,
    })
}

/// Returns the highest version `GLIBC_2.…` in the version references.
fn oldest_glibc(headers: &str) -> Option<String> {
    let versions = headers.split_whitespace().filter_map(|word| word.strip_prefix("GLIBC_"));
    let numbers = versions.filter_map(|version| {
        version.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()
    });
    let highest = numbers.max()?;
    Some(highest.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: &str = "
Dynamic Section:
  NEEDED               libgcc_s.so.1
  NEEDED               libssl.so.3
  NEEDED               libc.so.6
  NEEDED               ld-linux-x86-64.so.2

Version References:
  required from libc.so.6:
    0x0d696919 0x00 12 GLIBC_2.9
    0x069691b4 0x00 11 GLIBC_2.34
    0x09691a75 0x00 10 GLIBC_2.3.4
  required from libgcc_s.so.1:
    0x0b792650 0x00 13 GCC_3.0
";

    #[test]
    fn library_that_is_not_of_glibc_is_found() {
        let foreign: Vec<_> =
            needed(HEADERS).into_iter().filter(|name| !is_allowed(name)).collect();
        assert_eq!(foreign, ["libssl.so.3"]);
        assert_eq!(needed(HEADERS).len(), 4);
    }

    #[test]
    fn oldest_glibc_is_the_highest_version_by_number() {
        assert_eq!(oldest_glibc(HEADERS).as_deref(), Some("2.34"));
        assert_eq!(oldest_glibc(""), None);
    }
}
