//! Checks that `tests/one_build` makes all commands that build the workspace use the same dependencies.

use std::collections::{BTreeMap, BTreeSet};

use crate::run::{COMMAND, cargo, output};

/// Members that have fewer features outside of tests.
const MEMBERS: [&str; 2] = ["portcullis-cli", "portcullis-test-support"];

/// Returns the features of each package that this command builds.
fn features(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut tree = cargo(&["tree", "--workspace", "--prefix", "none", "--format", "{p};{f}"]);
    let text = output(tree.args(arguments)).unwrap();
    let mut packages = BTreeMap::<_, BTreeSet<_>>::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (package, features) = line.split_once(';').unwrap();
        let features = features.trim_end_matches(" (*)");
        packages.entry(package.to_owned()).or_default().insert(features.to_owned());
    }
    packages
}

#[test]
fn runs_docs_and_tests_build_dependencies_with_the_same_features() {
    let tests = features(&["--features", COMMAND]);
    assert!(tests.keys().any(|package| package.starts_with("serde v")), "{tests:?}");
    for other in
        [&["--edges", "normal,build"][..], &["--edges", "normal,build", "--features", COMMAND], &[]]
    {
        for (package, features) in features(other) {
            let name = package.split(' ').next().unwrap();
            if !MEMBERS.contains(&name) {
                assert_eq!(
                    tests.get(&package),
                    Some(&features),
                    "{package} is built with these features by tests, and with those by {other:?}; \
                     add the missing ones to tests/one_build/Cargo.toml"
                );
            }
        }
    }
}
