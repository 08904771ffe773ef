//! `cargo xtask semver`: compares the public API of the libraries with that of the last release.

use crate::install;
use crate::packages::published;
use crate::run::{Failure, cargo, foreign_cargo, output, program, root, run, target_dir};
use crate::working_copy::{copy_sources, read, replaced, write};

/// A public method of the core in `claims/scope.rs`, and what [`check_detects_removal`] makes of it.
const REMOVED: &str = "pub fn as_str(&self) -> &str {";
const HIDDEN: &str = "pub(crate) fn as_str(&self) -> &str {";

/// Fails for each breaking change since `baseline`, or else since the newest tag.
pub(crate) fn check(baseline: Option<&str>) -> Result<(), Failure> {
    let baseline = baseline.map_or_else(newest_tag, |named| Ok(named.to_owned()))?;
    println!("baseline: {baseline}");
    let mut check = foreign_cargo(install::cargo_semver_checks()?);
    check.args(["semver-checks", "--baseline-rev", &baseline]);
    for package in published()?.iter().filter(|it| it.has_library() && !it.is_preview()) {
        if is_in(&baseline, package.name()) {
            check.args(["--package", package.name()]);
        } else {
            println!("{}: not in the baseline", package.name());
        }
    }
    if is_unchanged(&baseline)? {
        check.args(["--release-type", "minor"]);
    }
    run(&mut check)
}

/// Fails unless the check detects that a public method of the core is removed, in a copy of the sources.
pub(crate) fn check_detects_removal() -> Result<(), Failure> {
    let copy = target_dir().join("semver-copy");
    copy_sources(&copy)?;
    let file = "crates/portcullis/src/claims/scope.rs";
    let text = read(&copy.join(file))?;
    write(&copy.join(file), &replaced(&text, REMOVED, HIDDEN, file)?)?;
    let mut check = foreign_cargo(install::cargo_semver_checks()?);
    check.args(["semver-checks", "--package", "portcullis", "--release-type", "minor"]);
    check.arg("--baseline-root").arg(root()).current_dir(&copy);
    // The exit status alone could also mean that the copy does not build.
    let report = check.output().map_err(|error| Failure::new(error.to_string()))?;
    let told = [report.stdout, report.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    println!("{told}");
    if !report.status.success() && told.contains("inherent_method_missing") {
        return Ok(());
    }
    Err(Failure::new(format!(
        "cargo-semver-checks did not report the removal of `{REMOVED}` in {file}"
    )))
}

/// Returns the newest tag `v…` from which this commit descends.
fn newest_tag() -> Result<String, Failure> {
    let mut describe = program("git");
    describe.args(["describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"]);
    output(&mut describe).map(|tag| tag.trim().to_owned()).map_err(|_| {
        Failure::new(
            "this commit descends from no tag `v…`, so there is no API to compare with; fetch the tags with \
             `git fetch --tags` (in a shallow clone with `git fetch --tags --unshallow`), or name a commit \
             with `--baseline REV`",
        )
    })
}

/// Returns whether the baseline has the package. One that is new has no API to compare with.
fn is_in(baseline: &str, package: &str) -> bool {
    let manifest = format!("{baseline}:crates/{package}/Cargo.toml");
    output(program("git").args(["cat-file", "-e", &manifest])).is_ok()
}

/// Returns whether the baseline has the version of this commit, so that nothing is released yet and
/// any change that breaks no user is allowed.
fn is_unchanged(baseline: &str) -> Result<bool, Failure> {
    let manifest = output(program("git").args(["show", &format!("{baseline}:Cargo.toml")]))?;
    let core = output(&mut cargo(&["pkgid", "--package", "portcullis"]))?;
    Ok(version_of(&manifest) == core.trim().rsplit(['#', '@']).next())
}

/// Returns the version in `[workspace.package]`, the only line that starts with `version`.
fn version_of(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(line.trim_matches('"'))
}
