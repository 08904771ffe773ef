//! The examples, built and run as by a user.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{LazyLock, Mutex};

use serde_json::Value;
use tokio::process::Command;

use crate::process::Process;

/// Starts the example of this name on its own port, with only these settings, and returns its URL.
pub async fn start(name: &'static str, settings: &[(&str, &str)]) -> (Process, String) {
    let mut command = Command::new(binary(name));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PORTCULLIS_") {
            command.env_remove(name);
        }
    }
    command.env("LISTEN", "127.0.0.1:0").envs(settings.iter().copied());
    Process::start(name, &mut command, |line| {
        line.split_once("listening on ").map(|(_, url)| url.trim().to_owned())
    })
    .await
}

/// The example's binary. Cargo builds only the binaries of a test's own package, so this runs
/// `cargo build` in the workspace's root, as the examples' READMEs do. The binary is therefore
/// never stale, whatever packages are selected.
pub fn binary(name: &'static str) -> PathBuf {
    static BINARIES: LazyLock<Mutex<HashMap<&str, PathBuf>>> = LazyLock::new(Mutex::default);
    BINARIES.lock().unwrap().entry(name).or_insert_with(|| build(name)).clone()
}

fn build(name: &str) -> PathBuf {
    let built = std::process::Command::new(env!("CARGO"))
        .args(["build", "--bin", name, "--message-format=json-render-diagnostics"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success(), "{name} does not build");
    String::from_utf8(built.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the executable that it has built")
}
