//! Checks the README of each published crate. It must state what the crate is and how to install
//! it, and contain code that a test runs.

use std::fs;
use std::path::Path;

use crate::packages::published;
use crate::run::{output, program, root};

const LONGEST: usize = 250;

/// Returns the version that an install line must require: a preview's in full, because no shorter one
/// selects a preview, otherwise the minor version.
fn required(version: &str) -> &str {
    let patch = version.rfind('.').filter(|_| !version.contains('-'));
    patch.map_or(version, |at| &version[..at])
}

/// Returns the faults of the README of the crate `name` in `folder`.
fn faults(name: &str, version: &str, folder: &Path) -> Vec<String> {
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
            format!("\n{name} = \"{}\"\n", required(version)),
            code && library.contains("include_str!(\"../README.md\")"),
        )
    };
    require(readme.contains(&install), "no line that installs the crate");
    require(is_tested, "no code that a test of the crate runs");

    let prose = readme.split("```").step_by(2).flat_map(str::split_whitespace).count();
    require(prose <= LONGEST, &format!("{prose} words besides code; at most {LONGEST}"));
    if readme.contains("cargo install ") && version.contains('-') {
        let line = format!("cargo install {name} --version {version}\n");
        require(readme.contains(&line), "no line that installs the program");
    }
    // docs.rs shows this README as the crate's page, from which no path leads to the repository.
    let is_page = library.starts_with("#![doc = include_str!(\"../README.md\")]");
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
        let file = ["/blob/main/", "/tree/main/"].iter().find_map(|part| link.split_once(part));
        let is_there = match file {
            Some((_, file)) => root().join(file).exists(),
            None => link.contains("://") || (!is_page && folder.join(link).exists()),
        };
        require(is_there, &format!("the link to {link} leads nowhere"));
    }
    faults
}

#[test]
fn each_published_crate_has_a_readme_with_an_install_line_and_tested_code() {
    let published = published().unwrap();
    let faults = published.iter().flat_map(|package| {
        faults(package.name(), package.version(), &root().join("crates").join(package.name()))
    });
    let faults: Vec<_> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(published.len() >= 10, "{published:?}");
}

#[test]
fn missing_readme_is_reported_by_each_rule() {
    let faults = faults("portcullis", "0.1.0", &root().join("crates"));
    assert_eq!(faults.len(), 5, "{faults:?}");
}

/// Returns the version that a line such as `portcullis = "0.1"` or `portcullis = { version = "0.1", … }`
/// requires of the package.
fn version_in<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(&format!("{name} = "))?;
    let rest = rest.strip_prefix("{ version = ").unwrap_or(rest);
    rest.strip_prefix('"')?.split('"').next()
}

/// A release changes the versions; each page must name the new ones.
#[test]
fn pages_require_the_current_versions() {
    let mut files = program("git");
    let files = output(files.args(["ls-files", "*.md", ":!CHANGELOG.md", ":!docs/adr"])).unwrap();
    let packages = published().unwrap();
    let (mut found, mut old) = (0, Vec::new());
    for file in files.lines() {
        let page = fs::read_to_string(root().join(file)).unwrap();
        for package in &packages {
            let (name, expected) = (package.name(), required(package.version()));
            for version in page.lines().filter_map(|line| version_in(line, name)) {
                found += 1;
                if version != expected {
                    old.push(format!("{file}: {name} = \"{version}\", not \"{expected}\""));
                }
            }
        }
    }
    assert!(old.is_empty(), "{}", old.join("\n"));
    assert!(found > 20, "{found}");
}

#[test]
fn version_of_an_install_line_is_found() {
    assert_eq!(version_in("# Then: portcullis-axum = \"0.1\"", "portcullis-axum"), Some("0.1"));
    assert_eq!(version_in("portcullis = { version = \"0.1\" }", "portcullis"), Some("0.1"));
    assert_eq!(version_in("portcullis = { path = \"../portcullis\" }", "portcullis"), None);
    assert_eq!(version_in("portcullis-axum = \"0.1\"", "portcullis"), None);
}
