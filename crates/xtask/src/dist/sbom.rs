//! The software bill of materials (SBOM) of a program, in CycloneDX.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Program, failed};
use crate::install;
use crate::run::{Failure, foreign_cargo, program, root, run};

/// Writes the SBOM of `program`, built in the clone `source` for `host`, to `file`.
pub(super) fn write(
    program: &Program,
    source: &Path,
    host: &str,
    file: &Path,
) -> Result<(), Failure> {
    let package = source.join("crates").join(program.package);
    let mut cyclonedx = foreign_cargo(install::cargo_cyclonedx()?);
    cyclonedx.args(["cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5"]);
    cyclonedx.args(["--describe", "binaries", "--target", host]);
    cyclonedx.args(["--features", &program.features.join(",")]);
    cyclonedx.arg("--manifest-path").arg(package.join("Cargo.toml"));
    run(cyclonedx.current_dir(source))?;
    // It writes such a file for each program of the workspace.
    let written = package.join(format!("{}_bin.cdx.json", program.name));
    let text = fs::read_to_string(&written).map_err(|error| failed(&written, &error))?;
    let text = without_folder(&text, source);
    println!("{}: {} components", program.name, components(&text)?);
    fs::write(file, text).map_err(|error| failed(file, &error))?;
    validate(file)
}

/// Fails if the file does not match the schema of CycloneDX.
fn validate(file: &Path) -> Result<(), Failure> {
    let validator = root().join("crates/xtask/sbom/validate.py");
    run(program(install::sbom_validator()?).arg(validator).arg(file))
}

/// Removes the folder of this machine from the references to our packages.
fn without_folder(text: &str, source: &Path) -> String {
    text.replace(&format!("file://{}/", source.display()), "file:///")
}

fn components(text: &str) -> Result<usize, Failure> {
    let sbom: Value = serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("cargo-cyclonedx wrote no JSON: {error}")))?;
    let components = sbom.get("components").and_then(Value::as_array).map_or(0, Vec::len);
    if components == 0 {
        return Err(Failure::new("cargo-cyclonedx found no dependency"));
    }
    Ok(components)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_of_the_machine_is_not_in_an_sbom() {
        let reference = "\"path+file:///home/a/p/crates/portcullis#0.1.0\"";
        let told = without_folder(reference, Path::new("/home/a/p"));
        assert_eq!(told, "\"path+file:///crates/portcullis#0.1.0\"");
    }

    #[test]
    #[ignore = "needs cyclonedx-python-lib: run cargo xtask test"]
    fn file_that_does_not_match_the_schema_is_an_error() {
        let file = std::env::temp_dir().join(format!("xtask-sbom-{}", std::process::id()));
        let right = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"type":"library","name":"http"}]}"#;
        fs::write(&file, right).unwrap();
        validate(&file).unwrap();
        fs::write(&file, right.replace("library", "crate")).unwrap();
        validate(&file).unwrap_err();
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn sbom_without_components_is_an_error() {
        assert_eq!(components(r#"{"components":[{"name":"http"}]}"#).unwrap(), 1);
        components(r#"{"components":[]}"#).unwrap_err();
        components("").unwrap_err();
    }
}
