//! Checks the `rust-version` of each package against those of its dependencies.

use std::collections::HashMap;

use serde_json::Value;

use crate::packages::published;
use crate::run::{Failure, cargo, output};

/// A version of Rust, from a manifest's `1.88` or `1.88.0`.
type Rust = (u32, u32);

/// The `rust-version` by the name and the version of a package.
type Versions = HashMap<(String, String), Option<Rust>>;

/// Fails if the `rust-version` of a published package is not the highest that `oldest` and its
/// dependencies need, with any features and on any platform. Also fails if the `rust-version` of
/// one of `libraries` is not `oldest`.
pub(crate) fn check(libraries: &[&str], oldest: &str) -> Result<(), Failure> {
    let metadata = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let ours = versions(&metadata)?;
    let all = versions(&output(&mut cargo(&["metadata", "--format-version", "1"]))?)?;
    let mut wrong = Vec::new();
    for package in published()? {
        let package = package.name();
        let own = ours.iter().find(|((name, _), _)| name == package).and_then(|(_, rust)| *rust);
        let Some(own) = own else {
            wrong.push(format!("{package} has no `rust-version`"));
            continue;
        };
        if libraries.contains(&package) && Some(own) != read(oldest) {
            wrong.push(format!("{package}: `rust-version` is {}, not {oldest}", shown(own)));
        }
        let tree = tree(package)?;
        let demands = demands(&tree, &all);
        println!("{package:<26} Rust {:<6} needs {}", shown(own), most(&demands));
        let needed = demands.first().map(|(_, _, rust)| *rust).max(read(oldest));
        if needed < Some(own) {
            wrong.push(format!(
                "{package} has `rust-version` {}, but no dependency needs more than {}; set it to {}",
                shown(own),
                most(&demands),
                needed.map_or_else(String::new, shown),
            ));
        }
        for (name, version, rust) in demands.iter().filter(|(_, _, rust)| *rust > own) {
            wrong.push(format!(
                "{package} has `rust-version` {}, but {name} {version} needs {}; use an older version with \
                 `cargo update -p {name} --precise …`, or set `rust-version` to {} in {package}",
                shown(own),
                shown(*rust),
                shown(*rust),
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("\n"))) }
}

fn tree(package: &str) -> Result<String, Failure> {
    output(&mut cargo(&[
        "tree",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--all-features",
        "--target",
        "all",
    ]))
}

/// Returns each package of a tree that has a `rust-version`, highest `rust-version` first.
fn demands<'t>(tree: &'t str, all: &Versions) -> Vec<(&'t str, &'t str, Rust)> {
    let demand = |line: &'t str| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        let rust = all.get(&(name.to_owned(), version.to_owned()))?;
        Some((name, version, (*rust)?))
    };
    // The first line is the package itself.
    let mut demands: Vec<_> = tree.lines().skip(1).filter_map(demand).collect();
    demands
        .sort_unstable_by(|(name, _, rust), (other, _, others)| (others, name).cmp(&(rust, other)));
    demands.dedup();
    demands
}

fn most(demands: &[(&str, &str, Rust)]) -> String {
    demands.first().map_or_else(
        || "nothing".to_owned(),
        |(name, version, rust)| format!("{} ({name} {version})", shown(*rust)),
    )
}

fn versions(metadata: &str) -> Result<Versions, Failure> {
    let unreadable = || Failure::new("cannot parse the output of `cargo metadata`");
    let metadata: Value = serde_json::from_str(metadata).map_err(|_| unreadable())?;
    let packages = metadata.get("packages").and_then(Value::as_array).ok_or_else(unreadable)?;
    let version = |package: &Value| {
        let text = |name| package.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(((text("name")?, text("version")?), text("rust_version").and_then(|rust| read(&rust))))
    };
    Ok(packages.iter().filter_map(version).collect())
}

fn read(rust: &str) -> Option<Rust> {
    let mut parts = rust.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn shown((major, minor): Rust) -> String {
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highest_rust_version_of_the_dependencies_is_found() {
        let metadata = r#"{"packages":[
            {"name":"portcullis","version":"0.1.0","rust_version":"1.99"},
            {"name":"moka","version":"0.12.16","rust_version":"1.71.1"},
            {"name":"uuid","version":"1.29.3","rust_version":"1.89.0"},
            {"name":"uuid","version":"1.26.1","rust_version":"1.85.0"},
            {"name":"http","version":"1.5.0","rust_version":null}]}"#;
        let all = versions(metadata).unwrap();
        let tree = "portcullis v0.1.0 (/src)\nmoka v0.12.16\nhttp v1.5.0\nuuid v1.29.3\nmoka v0.12.16 (*)\n";
        let found = demands(tree, &all);
        assert_eq!(found, [("uuid", "1.29.3", (1, 89)), ("moka", "0.12.16", (1, 71))]);
        assert_eq!(most(&found), "1.89 (uuid 1.29.3)");
        assert_eq!(most(&[]), "nothing");
    }

    #[test]
    fn version_without_a_minor_part_is_ignored() {
        assert_eq!(read("1.88"), Some((1, 88)));
        assert_eq!(read("1.88.1"), Some((1, 88)));
        assert_eq!(read("1"), None);
        assert_eq!(read("stable"), None);
    }
}
