//! `cargo xtask release-check`: what a release must pass in addition to `cargo xtask ci`.

use std::fs;

use crate::packages::published;
use crate::report::Report;
use crate::run::{Failure, cargo, output, program, run, target_dir};
use crate::{ci, clone, dist, docs_rs, install, no_c, semver};

/// Runs every check. Continues after a failure.
pub(crate) fn check() -> Result<(), Failure> {
    let mut report = Report::default();
    report.step("contents", contents);
    report.step("publish", publish);
    report.step("semver", || semver::check(None));
    report.step("removed method", semver::check_detects_removal);
    report.step("docs.rs", docs_rs::check);
    report.step("no C compiler", no_c::check);
    report.step("licences", ci::dependencies);
    report.step("workflows", || run(&mut program(install::actionlint()?)));
    report.step("dist", dist::dist);
    report.finish()
}

/// Prints the number of files and the size of each package.
fn contents() -> Result<(), Failure> {
    let source = clone::of_last_commit()?;
    for package in published()? {
        let mut list = cargo(&["package", "--list", "--package", package.name()]);
        let files = output(list.current_dir(&source))?;
        let folder = source.join("crates").join(package.name());
        let size: u64 = files
            .lines()
            .filter_map(|file| fs::metadata(folder.join(file)).ok())
            .map(|metadata| metadata.len())
            .sum();
        println!(
            "{:<26}{:<18}{:>4} files{:>6} kB",
            package.name(),
            package.version(),
            files.lines().count(),
            size / 1000,
        );
    }
    Ok(())
}

/// Packs each published package, and builds it from what the others' packages contain.
fn publish() -> Result<(), Failure> {
    let mut publish = cargo(&["publish", "--workspace", "--dry-run", "--locked"]);
    publish.env("CARGO_TARGET_DIR", target_dir().join("publish"));
    run(publish.current_dir(clone::of_last_commit()?))
}
