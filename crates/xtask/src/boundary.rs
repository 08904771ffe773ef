//! Which way the arrows between the crates point: the core, the tower and the hyper adapter know
//! no web framework, so that a user of one framework never builds another.

use crate::run::{Failure, cargo, output};

/// The packages that must stay free of every framework.
const FRAMEWORK_FREE: [&str; 3] = ["portcullis", "portcullis-tower", "portcullis-hyper"];

/// A framework's crate is called this, or this and a dash and more.
const FRAMEWORKS: [&str; 6] = ["actix", "axum", "poem", "rocket", "tonic", "warp"];

/// Fails with the name of every framework that such a package depends on, with any of its
/// features and on any platform.
pub(crate) fn check() -> Result<(), Failure> {
    let mut broken = Vec::new();
    for package in FRAMEWORK_FREE {
        let tree = output(&mut cargo(&[
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--all-features",
            "--target",
            "all",
        ]))?;
        let found = frameworks_in(&tree);
        if found.is_empty() {
            println!("{package}: no web framework among its dependencies");
        } else {
            broken.push(format!(
                "{package} must not depend on {} (`cargo tree -p {package} -e normal -i {}` says why it does)",
                found.join(", "),
                found.first().unwrap_or(&""),
            ));
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Failure::new(broken.join("\n"))) }
}

/// The frameworks among the crates that `cargo tree --prefix none` lists, each once.
fn frameworks_in(tree: &str) -> Vec<&str> {
    let mut found: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| is_framework(name))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn is_framework(name: &str) -> bool {
    FRAMEWORKS.iter().any(|framework| {
        name.strip_prefix(framework).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_a_framework_passes() {
        let tree = "portcullis v0.1.0 (/src/crates/portcullis)\n\
                    reqwest v0.13.5\n\
                    hyper v1.12.0\n\
                    tower-http v0.6.8\n\
                    axumatic v1.0.0\n\
                    hyper v1.12.0 (*)\n";
        assert_eq!(frameworks_in(tree), Vec::<&str>::new());
    }

    #[test]
    fn every_framework_in_a_tree_is_named_once() {
        let tree = "portcullis v0.1.0 (/src/crates/portcullis)\n\
                    tonic v0.14.2\n\
                    axum v0.8.9\n\
                    axum-core v0.5.6\n\
                    actix-web v4.13.0\n\
                    actix-http v3.11.2\n\
                    axum-core v0.5.6 (*)\n\
                    http v1.5.0\n";
        assert_eq!(frameworks_in(tree), ["actix-http", "actix-web", "axum", "axum-core", "tonic"]);
    }
}
