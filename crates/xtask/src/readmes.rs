//! Checks the README of each published crate. It must state what the crate is and how to install
//! it, and contain code that a test runs.

use std::fs;
use std::path::Path;

use crate::crates::published;
use crate::run::root;

const LONGEST: usize = 250;
/// The version that an install line must require, which changes with each minor version.
const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));

/// Returns the faults of the README of the crate `name` in `folder`.
fn faults(name: &str, folder: &Path) -> Vec<String> {
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let (readme, manifest) = (read("README.md"), read("Cargo.toml"));
    let mut faults = Vec::new();
    let mut require = |is_met: bool, fault: &str| {
        if !is_met {
            faults.push(format!("crates/{name}/README.md: {fault}"));
        }
    };
    require(manifest.contains("\nreadme = \"README.md\"\n"), "not named in Cargo.toml");
    require(readme.starts_with(&format!("# {name}\n")), "the heading is not the crate's name");
    require(readme.contains("What it does not do:"), "no list of what the crate does not do");

    let library = read("src/lib.rs");
    let (install, is_tested) = if library.is_empty() {
        let test = read("tests/readme.rs").contains("include_str!(\"../README.md\")");
        (format!("cargo install {name}\n"), test && readme.contains("```sh\nportcullis "))
    } else {
        let code = readme.contains("```rust\n") || readme.contains("```rust,no_run\n");
        (
            format!("\n{name} = \"{VERSION}\"\n"),
            code && library.contains("include_str!(\"../README.md\")"),
        )
    };
    require(readme.contains(&install), "no line that installs the crate");
    require(is_tested, "no code that a test of the crate runs");

    let prose = readme.split("```").step_by(2).flat_map(str::split_whitespace).count();
    require(prose <= LONGEST, &format!("{prose} words besides code; at most {LONGEST}"));
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
        let is_there = link.contains("://") || folder.join(link).exists();
        require(is_there, &format!("the link to {link} leads nowhere"));
    }
    faults
}

#[test]
fn each_published_crate_has_a_readme_with_an_install_line_and_tested_code() {
    let published = published().unwrap();
    let faults: Vec<_> =
        published.iter().flat_map(|name| faults(name, &root().join("crates").join(name))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(published.len() >= 10, "{published:?}");
}

#[test]
fn missing_readme_is_reported_by_each_rule() {
    let faults = faults("portcullis", &root().join("crates"));
    assert_eq!(faults.len(), 5, "{faults:?}");
}
