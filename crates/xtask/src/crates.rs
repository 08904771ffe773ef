//! Counts the dependencies of each published package.

use std::collections::BTreeSet;

use crate::packages::published;
use crate::run::{Failure, cargo, output};

/// `cargo xtask crates`: counts the dependencies with default features on Linux, without the
/// package itself.
pub(crate) fn crates() -> Result<(), Failure> {
    for package in published()? {
        let tree = output(&mut cargo(&[
            "tree",
            "--package",
            package.name(),
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--target",
            "x86_64-unknown-linux-gnu",
        ]))?;
        println!("{:<26}{:>5}", package.name(), distinct(&tree) - 1);
    }
    Ok(())
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
}
