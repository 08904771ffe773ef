//! The licences of the packages that a program contains, which must accompany it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Program, failed};
use crate::run::{Failure, cargo, output};

/// How the name of a file with a licence or a notice begins.
const NAMES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// A package and its version.
type Package = (String, String);

/// Writes the licences of all packages in `packed`, built in the clone `source` for `host`, to `file`.
pub(super) fn write(
    packed: &Program,
    source: &Path,
    host: &str,
    file: &Path,
) -> Result<(), Failure> {
    let mut tree = cargo(&["tree", "--locked", "--edges", "normal", "--prefix", "none"]);
    tree.args(["--package", packed.package, "--features", &packed.features.join(",")]);
    let tree = output(tree.args(["--target", host]).current_dir(source))?;
    let mut metadata = cargo(&["metadata", "--locked", "--all-features", "--format-version", "1"]);
    let metadata = output(metadata.current_dir(source))?;
    let sources = sources(&metadata)?;
    let mut text = String::new();
    let mut without = Vec::new();
    for package in packages(&tree) {
        let Some((licence, folder)) = sources.get(&package) else {
            return Err(Failure::new(format!(
                "`cargo metadata` has no {} {}",
                package.0, package.1
            )));
        };
        let (name, version) = &package;
        let _ = writeln!(text, "{}\n{name} {version}: {licence}\n", "=".repeat(80));
        let files = files(folder)?;
        if files.is_empty() {
            without.push(name.clone());
        }
        for file in files {
            let bytes = fs::read(&file).map_err(|error| failed(&file, &error))?;
            let _ = writeln!(text, "{}", String::from_utf8_lossy(&bytes).trim_end());
        }
    }
    println!("{}: packages without a licence file: {}", packed.name, without.join(", "));
    fs::write(file, text).map_err(|error| failed(file, &error))
}

/// Returns the packages in the output of `cargo tree --prefix none`, each once.
fn packages(tree: &str) -> BTreeSet<Package> {
    let package = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    tree.lines().filter_map(package).collect()
}

/// Returns the licence and the folder of each package.
fn sources(metadata: &str) -> Result<BTreeMap<Package, (String, PathBuf)>, Failure> {
    let metadata: Value = serde_json::from_str(metadata)
        .map_err(|error| Failure::new(format!("`cargo metadata`: {error}")))?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let source = |package: &Value| {
        let text = |field| package.get(field).and_then(Value::as_str).map(str::to_owned);
        let folder = PathBuf::from(text("manifest_path")?).parent()?.to_owned();
        let licence = text("license").unwrap_or_else(|| "see the file below".to_owned());
        Some(((text("name")?, text("version")?), (licence, folder)))
    };
    Ok(packages.into_iter().flatten().filter_map(source).collect())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let path = entry.map_err(|error| failed(folder, &error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && NAMES.iter().any(|begin| name.starts_with(begin)) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::root;

    #[test]
    fn each_package_of_a_tree_is_listed_once() {
        let tree =
            "portcullis-cli v0.1.0 (/src)\nhttp v1.5.0\nsyn v3.0.1 (proc-macro)\nhttp v1.5.0 (*)\n";
        let names: Vec<_> = packages(tree).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["http", "portcullis-cli", "syn"]);
    }

    #[test]
    fn licence_files_are_found_and_others_are_not() {
        let files = files(&root().join("crates/portcullis")).unwrap();
        let names: Vec<_> = files.iter().filter_map(|file| file.file_name()).collect();
        assert_eq!(names, ["LICENSE-APACHE", "LICENSE-MIT"]);
    }

    #[test]
    fn licence_and_folder_are_read_from_the_metadata() {
        let metadata = r#"{"packages":[{"name":"http","version":"1.5.0","license":"MIT","manifest_path":"/r/http/Cargo.toml"}]}"#;
        let sources = sources(metadata).unwrap();
        let http = ("http".to_owned(), "1.5.0".to_owned());
        assert_eq!(sources.get(&http), Some(&("MIT".to_owned(), PathBuf::from("/r/http"))));
        assert!(self::sources("").is_err());
    }
}
