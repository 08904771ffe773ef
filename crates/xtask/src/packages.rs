//! What each package must have to be published, and which of the two lines of versions it belongs to
//! ([ADR 27](../../../docs/adr/0027-two-lines-of-versions.md)).

use serde_json::Value;

use crate::run::{Failure, cargo, output};

/// The packages whose API may change with each version. All other published packages have the
/// version of the workspace.
pub(crate) const PREVIEWS: [&str; 4] =
    ["portcullis-graviola", "portcullis-issuer", "portcullis-issuer-client", "portcullis-sidecar"];

/// A package of the workspace, as `cargo metadata` describes it.
#[derive(Debug)]
pub(crate) struct Package(Value);

impl Package {
    pub(crate) fn name(&self) -> &str {
        self.text("name")
    }

    pub(crate) fn version(&self) -> &str {
        self.text("version")
    }

    pub(crate) fn is_published(&self) -> bool {
        self.0.get("publish").is_none_or(Value::is_null)
    }

    pub(crate) fn is_preview(&self) -> bool {
        PREVIEWS.contains(&self.name())
    }

    pub(crate) fn has_library(&self) -> bool {
        let targets = self.0.get("targets").and_then(Value::as_array);
        let kinds = targets.into_iter().flatten().filter_map(|target| target.pointer("/kind/0"));
        kinds.into_iter().any(|kind| kind == "lib")
    }

    /// Returns the features that docs.rs enables.
    pub(crate) fn features_on_docs_rs(&self) -> Vec<&str> {
        if self.0.pointer("/metadata/docs/rs/all-features") == Some(&Value::Bool(true)) {
            return self.features().collect();
        }
        self.list("/metadata/docs/rs/features")
    }

    /// Returns the arguments that docs.rs passes to rustdoc.
    pub(crate) fn rustdoc_args(&self) -> Vec<&str> {
        self.list("/metadata/docs/rs/rustdoc-args")
    }

    fn features(&self) -> impl Iterator<Item = &str> {
        let features = self.0.get("features").and_then(Value::as_object);
        features.into_iter().flat_map(|features| features.keys()).map(String::as_str)
    }

    fn list(&self, pointer: &str) -> Vec<&str> {
        let list = self.0.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn text(&self, field: &str) -> &str {
        self.0.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Returns the members of the workspace.
pub(crate) fn members() -> Result<Vec<Package>, Failure> {
    let metadata = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| Failure::new(format!("`cargo metadata`: {error}")))?;
    match metadata.get("packages") {
        Some(Value::Array(packages)) => Ok(packages.iter().cloned().map(Package).collect()),
        _ => Err(Failure::new("`cargo metadata` printed no packages")),
    }
}

/// Returns the published members, ordered by name.
pub(crate) fn published() -> Result<Vec<Package>, Failure> {
    let mut packages = members()?;
    packages.retain(Package::is_published);
    packages.sort_by(|one, other| one.name().cmp(other.name()));
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::run::root;

    /// The categories of crates.io that we use. crates.io ignores an unknown category.
    const CATEGORIES: [&str; 8] = [
        "authentication",
        "command-line-utilities",
        "cryptography",
        "database",
        "development-tools::testing",
        "web-programming",
        "web-programming::http-client",
        "web-programming::http-server",
    ];

    /// Features that docs.rs does not list, with their package.
    const NOT_ON_DOCS_RS: [(&str, &str); 3] = [
        // Its build needs Go and CMake, which docs.rs does not have. It adds no API.
        ("portcullis", "fips"),
        // Internals for benchmarks.
        ("portcullis-issuer", "testing"),
        // A database, on by default. It adds no API.
        ("portcullis-issuer", "postgres"),
    ];

    impl Package {
        fn dependencies(&self) -> impl Iterator<Item = &Value> {
            self.0.get("dependencies").and_then(Value::as_array).into_iter().flatten()
        }

        /// What the package lacks. `files` are those that would be published, and `workspace` is the
        /// version and the repository of the workspace.
        fn faults(&self, files: &[&str], workspace: (&str, &str)) -> Vec<String> {
            let mut faults = Vec::new();
            let mut require = |is_met: bool, fault: &str| {
                if !is_met {
                    faults.push(format!("{}: {fault}", self.name()));
                }
            };
            require(!self.text("description").is_empty(), "no `description`");
            require(self.text("repository") == workspace.1, "no `repository.workspace = true`");
            require(self.text("license") == "MIT OR Apache-2.0", "no `license.workspace = true`");
            require(self.text("readme") == "README.md", "no `readme = \"README.md\"`");
            require(!self.text("rust_version").is_empty(), "no `rust-version`");

            let page = self.text("documentation");
            let page_is_own = if self.has_library() {
                page == format!("https://docs.rs/{}", self.name())
            } else {
                let file = page.strip_prefix(&format!("{}/blob/main/", workspace.1));
                file.is_some_and(|file| root().join(file).exists())
            };
            require(
                page_is_own,
                "`documentation` is not its page on docs.rs, or in the repository",
            );

            let keywords = self.list("/keywords");
            let valid = |word: &&str| {
                word.len() <= 20
                    && word.starts_with(|first: char| first.is_ascii_alphanumeric())
                    && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-+".contains(c))
            };
            let are_valid = (1..=5).contains(&keywords.len()) && keywords.iter().all(valid);
            require(are_valid, "`keywords` are not 1 to 5 that crates.io accepts");
            let categories = self.list("/categories");
            let are_known = categories.iter().all(|category| CATEGORIES.contains(category));
            require(
                !categories.is_empty() && are_known,
                "`categories` has none, or an unknown one",
            );

            if self.has_library() {
                let enabled = self.features_on_docs_rs();
                let is_shown = |feature: &&str| {
                    *feature != "default" && !NOT_ON_DOCS_RS.contains(&(self.name(), *feature))
                };
                let shown: Vec<_> = self.features().filter(is_shown).collect();
                let listed: Vec<_> = enabled.into_iter().filter(|it| *it != "default").collect();
                require(listed == shown, "docs.rs does not build all public features");
                require(
                    self.rustdoc_args() == ["--cfg", "docsrs"],
                    "docs.rs does not get `--cfg docsrs`",
                );
                let source = Path::new(self.text("manifest_path")).with_file_name("src/lib.rs");
                let source = fs::read_to_string(source).unwrap_or_default();
                let marks = source.contains("#![cfg_attr(docsrs, feature(doc_cfg))]");
                require(marks || shown.is_empty(), "docs.rs does not show features of items");
            }

            for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
                require(files.contains(&file), &format!("no {file} in the package"));
            }
            for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
                let own = Path::new(self.text("manifest_path")).with_file_name(licence);
                let is_ours = fs::read(own).ok() == fs::read(root().join(licence)).ok();
                require(is_ours, &format!("{licence} is not the workspace's"));
            }
            require(!files.iter().any(|file| file.starts_with("tests/")), "tests in the package");

            if self.is_preview() {
                require(self.version().contains("-preview."), "not a preview version");
            } else {
                require(self.version() == workspace.0, "no `version.workspace = true`");
                self.require_no_preview(&mut require);
            }
            for dependency in self.dependencies().filter(|it| PREVIEWS.contains(&name(it))) {
                let exact = req(dependency).starts_with('=') || req(dependency) == "*";
                require(exact, &format!("{} is a preview: pin it by `=`", name(dependency)));
            }
            faults
        }

        /// A preview may only be a dependency of an optional feature that is not a default.
        fn require_no_preview(&self, require: &mut impl FnMut(bool, &str)) {
            let normal = self.dependencies().filter(|it| it.get("kind").is_none_or(Value::is_null));
            let defaults = self.list("/features/default");
            for dependency in normal.filter(|it| PREVIEWS.contains(&name(it))) {
                let preview = name(dependency);
                let optional = dependency.get("optional") == Some(&Value::Bool(true));
                let enabled = defaults.iter().any(|feature| {
                    self.list(&format!("/features/{feature}")).contains(&&*format!("dep:{preview}"))
                });
                require(
                    optional && !enabled,
                    &format!("depends on the preview {preview} by default"),
                );
            }
        }
    }

    fn name(dependency: &Value) -> &str {
        dependency.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    fn req(dependency: &Value) -> &str {
        dependency.get("req").and_then(Value::as_str).unwrap_or_default()
    }

    /// The version and the repository in `[workspace.package]`.
    fn workspace() -> (String, String) {
        let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
        let value = |key: &str| {
            let line = manifest.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim_matches('"').to_owned()
        };
        (value("version = "), value("repository = "))
    }

    fn files(package: &str) -> String {
        let list = ["package", "--list", "--allow-dirty", "--offline", "--package", package];
        output(&mut cargo(&list)).unwrap()
    }

    #[test]
    fn each_published_package_has_what_a_registry_shows() {
        let (version, repository) = workspace();
        let packages = published().unwrap();
        let mut faults = Vec::new();
        for package in &packages {
            let files = files(package.name());
            let files: Vec<&str> = files.lines().collect();
            faults.extend(package.faults(&files, (&version, &repository)));
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert!(packages.len() >= 13, "{packages:?}");
        for preview in PREVIEWS {
            assert!(packages.iter().any(|package| package.name() == preview), "{preview}");
        }
    }

    #[test]
    fn only_packages_below_crates_are_published() {
        for package in members().unwrap() {
            let folder = root().join("crates").join(package.name());
            let is_library_or_program = package.name() != "xtask" && folder.exists();
            assert_eq!(package.is_published(), is_library_or_program, "{}", package.name());
        }
    }

    #[test]
    fn each_missing_field_is_reported() {
        let bare = serde_json::json!({
            "name": "portcullis-cli", "version": "0.2.0", "targets": [{"kind": ["lib"]}],
            "features": {"default": ["live"], "live": ["dep:portcullis-issuer"]},
            "dependencies": [{"name": "portcullis-issuer", "req": "^0.1.0-preview.1", "optional": true}],
            "keywords": ["json web token"], "categories": ["security"],
        });
        let faults = Package(bare).faults(&["tests/cli.rs"], ("0.1.0", "https://git.example/p"));
        let expected = [
            "no `description`",
            "no `repository.workspace = true`",
            "no `license.workspace = true`",
            "no `readme = \"README.md\"`",
            "no `rust-version`",
            "`documentation` is not its page on docs.rs, or in the repository",
            "`keywords` are not 1 to 5 that crates.io accepts",
            "`categories` has none, or an unknown one",
            "docs.rs does not build all public features",
            "docs.rs does not get `--cfg docsrs`",
            "docs.rs does not show features of items",
            "no README.md in the package",
            "no LICENSE-MIT in the package",
            "no LICENSE-APACHE in the package",
            "LICENSE-MIT is not the workspace's",
            "LICENSE-APACHE is not the workspace's",
            "tests in the package",
            "no `version.workspace = true`",
            "depends on the preview portcullis-issuer by default",
            "portcullis-issuer is a preview: pin it by `=`",
        ];
        let expected: Vec<_> =
            expected.iter().map(|fault| format!("portcullis-cli: {fault}")).collect();
        assert_eq!(faults, expected);
    }

    /// The npm packages are previews, like the issuer that they call.
    #[test]
    fn npm_packages_are_previews_with_the_same_version() {
        let (_, repository) = workspace();
        let read = |file: &str| -> Value {
            serde_json::from_str(&fs::read_to_string(root().join(file)).unwrap()).unwrap()
        };
        let members = published().unwrap();
        let issuer = members.iter().find(|package| package.name() == "portcullis-issuer").unwrap();
        for folder in ["browser", "react"] {
            let package = read(&format!("packages/{folder}/package.json"));
            assert_eq!(package["version"], issuer.version(), "{folder}");
            assert_eq!(package["publishConfig"]["tag"], "preview", "{folder}");
            assert_eq!(package["repository"]["url"], format!("git+{repository}.git"), "{folder}");
            assert_eq!(package["repository"]["directory"], format!("packages/{folder}"));
        }
        let react = read("packages/react/package.json");
        assert_eq!(react["peerDependencies"]["portcullis"], issuer.version());
    }
}
