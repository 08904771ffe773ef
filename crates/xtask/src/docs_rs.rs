//! Builds the documentation of the published libraries as docs.rs does, and looks for the labels that
//! name an item's feature.

use std::fs;
use std::path::{Path, PathBuf};

use crate::clone;
use crate::packages::{Package, published};
use crate::run::{Failure, cargo, run, target_dir};

/// Fails if the documentation of a library cannot be built, or shows no label for a feature that its
/// source makes a condition.
pub(crate) fn check() -> Result<(), Failure> {
    let source = clone::of_last_commit()?;
    // The build scripts of dependencies depend on `RUSTC_BOOTSTRAP`, so other builds would not share them.
    let target = target_dir().join("docs-rs");
    let mut missing = Vec::new();
    for package in published()?.iter().filter(|package| package.has_library()) {
        run(rustdoc(package).env("CARGO_TARGET_DIR", &target).current_dir(&source))?;
        let src = source.join("crates").join(package.name()).join("src");
        let doc = target.join("doc").join(package.name().replace('-', "_"));
        let sources = texts(&src, "rs")?.concat();
        let pages = texts(&doc, "html")?.concat();
        for feature in package.features_on_docs_rs() {
            if !is_condition(&sources, feature) {
                continue;
            }
            let labels = pages.matches(&label(feature)).count();
            println!("{}: {labels} labels of the feature `{feature}`", package.name());
            if labels == 0 {
                missing.push(format!("{}/{feature}", package.name()));
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("no item is labelled with these features: {}", missing.join(", "))))
}

/// Returns the command of docs.rs for this package. `RUSTC_BOOTSTRAP` enables the unstable `doc_cfg`
/// in a stable compiler; docs.rs has a nightly one.
fn rustdoc(package: &Package) -> std::process::Command {
    let features = package.features_on_docs_rs().join(",");
    let mut rustdoc = cargo(&["rustdoc", "--locked", "--lib", "--package", package.name()]);
    rustdoc.args(["--features", &features, "--", "-D", "warnings"]);
    rustdoc.args(package.rustdoc_args()).env("RUSTC_BOOTSTRAP", "1");
    rustdoc
}

/// Returns whether an attribute of the library depends on the feature.
fn is_condition(sources: &str, feature: &str) -> bool {
    let named = format!("feature = \"{feature}\"");
    let mut attributes = sources.lines().filter(|line| line.trim_start().starts_with("#[cfg("));
    attributes.any(|line| line.contains(&named) && !line.contains(&format!("not({named}")))
}

fn label(feature: &str) -> String {
    format!("crate feature <code>{feature}</code>")
}

/// Returns the contents of all files with this extension, in the folder and below.
fn texts(folder: &Path, extension: &str) -> Result<Vec<String>, Failure> {
    let failed = |path: &Path, error| Failure::new(format!("{}: {error}", path.display()));
    let mut texts = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
            let path: PathBuf = entry.map_err(|error| failed(&folder, error))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                texts.push(fs::read_to_string(&path).map_err(|error| failed(&path, error))?);
            }
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feature_that_an_item_requires_is_a_condition() {
        let sources = "#[cfg(any(test, feature = \"ws\"))]\n    #[cfg(not(feature = \"live\"))]\nif cfg!(feature = \"bench\") {}\n";
        assert!(is_condition(sources, "ws"));
        assert!(!is_condition(sources, "live"));
        assert!(!is_condition(sources, "bench"));
    }

    #[test]
    fn documentation_is_built_with_the_features_of_docs_rs() {
        let packages = published().unwrap();
        let core = packages.iter().find(|package| package.name() == "portcullis").unwrap();
        let command = rustdoc(core);
        let words: Vec<_> = command.get_args().filter_map(|word| word.to_str()).collect();
        let given = words.iter().position(|word| *word == "--features").unwrap();
        assert_eq!(words[given + 1].split(',').collect::<Vec<_>>(), core.features_on_docs_rs());
        assert!(words.ends_with(&["--cfg", "docsrs"]), "{words:?}");
    }
}
