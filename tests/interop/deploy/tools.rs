//! The shipped files, and the programs that check them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Returns a path below `deploy`.
pub(crate) fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(shipped(path)).unwrap()
}

/// Runs the program. Returns whether it succeeds, and its output.
pub(crate) fn tell(command: &mut Command) -> (bool, String) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{command:?} could not be started ({error}): run cargo xtask test");
    });
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&told).into_owned())
}

/// Returns the command for a program of the Python packages in `third_party/manifests`.
pub(crate) fn python_tool(name: &str) -> Command {
    let python = std::env::var_os("PORTCULLIS_MANIFESTS").map(PathBuf::from);
    Command::new(python.map_or_else(|| OsString::from(name), |it| it.with_file_name(name).into()))
}

/// Returns the documents of a YAML file.
pub(crate) fn documents(path: &str) -> Vec<Value> {
    const TO_JSON: &str =
        "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let mut python = python_tool("python");
    let (right, told) = tell(python.args(["-c", TO_JSON]).arg(shipped(path)));
    assert!(right, "{told}");
    serde_json::from_str(&told).unwrap()
}

/// Asserts that `checker` accepts the file, and rejects the file with the change `broken`.
pub(crate) fn check(path: &str, broken: (&str, &str), checker: impl Fn(&Path) -> (bool, String)) {
    let (right, told) = checker(&shipped(path));
    assert!(right, "{path}: {told}");
    let text = text(path);
    assert!(text.contains(broken.0), "{path} has no {}", broken.0);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(shipped(path).file_name().unwrap());
    fs::write(&copy, text.replacen(broken.0, broken.1, 1)).unwrap();
    let (right, told) = checker(&copy);
    assert!(!right, "{path} with `{}` is accepted: {told}", broken.1);
}
