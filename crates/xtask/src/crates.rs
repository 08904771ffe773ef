//! Counts the dependencies of each published package.

use std::collections::BTreeSet;
use std::fs;

use crate::run::{Failure, cargo, output, root};

/// `cargo xtask crates`: counts the dependencies with default features on Linux, without the
/// package itself.
pub(crate) fn crates() -> Result<(), Failure> {
    for package in published()? {
        let tree = output(&mut cargo(&[
            "tree",
            "--package",
            &package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--target",
            "x86_64-unknown-linux-gnu",
        ]))?;
        println!("{package:<26}{:>5}", distinct(&tree) - 1);
    }
    Ok(())
}

/// Returns the names of the packages below `crates` that may be published.
pub(crate) fn published() -> Result<Vec<String>, Failure> {
    let directory = root().join("crates");
    let failed = |error| Failure::new(format!("{}: {error}", directory.display()));
    let mut packages = Vec::new();
    for entry in fs::read_dir(&directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let manifest = fs::read_to_string(entry.path().join("Cargo.toml")).map_err(failed)?;
        if !manifest.lines().any(|line| line == "publish = false") {
            packages.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    packages.sort_unstable();
    Ok(packages)
}

/// Counts the crates of a tree, each version once.
fn distinct(tree: &str) -> usize {
    let name_and_version = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    tree.lines().filter_map(name_and_version).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_of_a_crate_is_counted_once() {
        let tree = "portcullis v0.1.0 (/src/crates/portcullis)\n\
                    syn v2.0.119\n\
                    syn v3.0.10 (proc-macro)\n\
                    syn v2.0.119 (*)\n\n";
        assert_eq!(distinct(tree), 3);
    }

    #[test]
    fn packages_with_publish_false_are_not_listed() {
        let published = published().unwrap();
        assert!(published.iter().any(|name| name == "portcullis"), "{published:?}");
        assert!(published.iter().all(|name| name != "xtask"), "{published:?}");
    }
}
