//! Runs the tests of the npm packages, and builds them.
#![expect(clippy::unwrap_used, reason = "a test and its helpers fail by panicking")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packages");

/// The folders with a lock file of npm.
const LOCKED: [&str; 4] = [
    "packages",
    "packages/react/tests/react-18",
    "examples/browser-session/page",
    "examples/browser-session/browser",
];

/// Returns `PATH` with the Node of `cargo xtask test` first, because npm's scripts run the first `node`.
fn path() -> OsString {
    let node = env::var_os("PORTCULLIS_NODE").map(PathBuf::from).unwrap_or_default();
    let folder = node.parent().filter(|folder| !folder.as_os_str().is_empty());
    let others = env::var_os("PATH").unwrap_or_default();
    let folders = folder.map(Path::to_path_buf).into_iter().chain(env::split_paths(&others));
    env::join_paths(folders).unwrap()
}

fn npm(arguments: &[&str]) -> String {
    let mut npm = Command::new("npm");
    npm.current_dir(PACKAGES).args(arguments).env("PATH", path()).env("NO_COLOR", "1");
    let output = npm.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failure = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm {arguments:?}:\n{said}\n{failure}");
    said
}

#[test]
#[ignore = "needs Node 20 and npm packages: run `cargo xtask test`"]
fn tests_of_the_packages_pass_and_they_can_be_built() {
    let said = npm(&["test"]);
    println!("{said}");
    // One summary per package.
    let passed = said.lines().filter(|line| line.trim().starts_with("Tests ")).count();
    assert_eq!(passed, 2, "{said}");
    npm(&["run", "build"]);
    for module in ["browser/dist/index.js", "browser/dist/account.d.ts", "react/dist/index.js"] {
        assert!(Path::new(PACKAGES).join(module).is_file(), "{module}");
    }
}

#[test]
fn lock_files_name_no_registry() {
    for folder in LOCKED {
        let lock = Path::new(PACKAGES).join("..").join(folder).join("package-lock.json");
        let text = fs::read_to_string(&lock).unwrap();
        assert!(text.contains("\"integrity\": \"sha512-"), "{}", lock.display());
        let named = text.lines().find(|line| line.contains("\"resolved\": \"http"));
        assert_eq!(named, None, "{}", lock.display());
    }
}
