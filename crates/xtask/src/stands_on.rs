//! The packages that this product was asked to stand on: which shipped crate depends on each, and
//! what for. Fails when one is no longer a dependency where it is said to be.

use crate::run::{Failure, cargo, output};

/// Package, the shipped crate that depends on it, and what it does there.
const STANDS_ON: [(&str, &str, &str); 11] = [
    ("jsonwebtoken", "portcullis", "its JWK sets and algorithms can be converted (a feature)"),
    ("reqwest", "portcullis", "fetches key sets and metadata (a default feature)"),
    ("moka", "portcullis", "bounded memory: absent kids, issuers that are met at run time"),
    ("tower-layer", "portcullis-tower", "AuthLayer and RequireLayer"),
    ("tower-service", "portcullis-tower", "AuthService and RequireService"),
    ("http", "portcullis", "requests, responses and headers, in and out"),
    ("hyper", "portcullis-hyper", "AuthService and RequireService"),
    ("actix-web", "portcullis-actix", "the middleware and the extractors"),
    ("serde", "portcullis", "headers, claims and keys, read by one visitor"),
    ("tokio", "portcullis", "fetches in tasks of their own, deadlines, the background refresh"),
    ("axum", "portcullis-axum", "protect, Claims, Caller"),
];

/// Prints the list, and fails with what is missing from it.
pub(crate) fn check() -> Result<(), Failure> {
    let mut missing = Vec::new();
    for (package, by, what_for) in STANDS_ON {
        if direct_dependencies(by)?.iter().any(|name| name == package) {
            println!("{package:<14} {by:<16} {what_for}");
        } else {
            missing.push(format!("{by} does not depend on {package} any more ({what_for})"));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Failure::new(missing.join("\n"))) }
}

fn direct_dependencies(package: &str) -> Result<Vec<String>, Failure> {
    let tree = output(&mut cargo(&[
        "tree",
        "--package",
        package,
        "--edges",
        "normal",
        "--depth",
        "1",
        "--prefix",
        "none",
        "--all-features",
    ]))?;
    Ok(names(&tree).map(str::to_owned).collect())
}

/// The names in a tree of depth 1, without the root's.
fn names(tree: &str) -> impl Iterator<Item = &str> {
    tree.lines().skip(1).filter_map(|line| line.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_not_its_own_dependency() {
        let tree = "hyper v0.1.0 (/src)\nbytes v1.12.2\nhttp v1.5.0 (*)\n";
        assert_eq!(names(tree).collect::<Vec<_>>(), ["bytes", "http"]);
    }
}
