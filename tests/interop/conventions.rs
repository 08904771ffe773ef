//! Conventions that hold for every program and crate of the workspace, checked in the sources.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A log file has no colour codes: every program checks whether its stream is a terminal.
#[test]
fn logs_are_coloured_only_on_a_terminal() {
    let root = root();
    let folders = fs::read_dir(root.join("examples")).unwrap();
    let mut programs: Vec<_> =
        folders.map(|folder| folder.unwrap().path().join("src/main.rs")).collect();
    for program in ["portcullis-issuer", "portcullis-sidecar"] {
        programs.push(root.join("crates").join(program).join("src/main.rs"));
    }
    for program in &programs {
        let source = fs::read_to_string(program).unwrap();
        let logs = source.matches("tracing_subscriber::fmt()").count();
        assert_eq!(logs, 1, "{}", program.display());
        let asks = source.contains("stderr().is_terminal()") && source.contains(".with_ansi(");
        assert!(asks, "{}", program.display());
    }
    assert!(programs.len() > 10);
}

/// A `main` that returns an error prints its `Debug`, which must be the message and the causes
/// instead of the structure.
#[test]
fn debug_of_public_errors_is_their_message() {
    let mut errors = 0;
    for crate_ in fs::read_dir(root().join("crates")).unwrap() {
        for file in sources(&crate_.unwrap().path().join("src")) {
            let source = fs::read_to_string(&file).unwrap();
            for (derives, item) in errors_of(&source) {
                assert!(!derives.contains("Debug"), "{}: {item}", file.display());
                errors += 1;
            }
        }
    }
    assert!(errors > 12, "{errors}");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The derives of each public error, and the line of its name.
fn errors_of(source: &str) -> Vec<(&str, &str)> {
    let lines: Vec<_> = source.lines().collect();
    let derived = lines.iter().enumerate().filter(|(_, line)| line.contains("thiserror::Error)]"));
    let item = |at: usize| lines.iter().skip(at).find(|line| !line.trim().starts_with('#'));
    let derived = derived.filter_map(|(at, derives)| Some((*derives, *item(at + 1)?)));
    let by_hand = source.split("Error for ").skip(1).filter_map(|rest| {
        let name = rest.split([' ', '{']).next()?;
        let at = lines.iter().position(|line| line.ends_with(&format!("struct {name} {{")))?;
        Some((*lines.get(at.checked_sub(1)?)?, *lines.get(at)?))
    });
    let all = derived.chain(by_hand);
    all.filter(|(_, item)| item.starts_with("pub enum") || item.starts_with("pub struct")).collect()
}
