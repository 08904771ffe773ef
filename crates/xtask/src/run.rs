//! Runs other programs: prints the command, streams its output, and returns an error if the command
//! fails.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fmt, io};

/// The reason that a task failed.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// Returns the folder for installed tools. The folder is in the target directory, so that
/// `cargo clean` removes the tools and the machine is not changed.
pub(crate) fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

pub(crate) fn target_dir() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Creates a command that runs in the workspace's root.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The optional features of the command `portcullis` and of the adapters, which are enabled so that
/// all of their code is checked.
pub(crate) const COMMAND: &str =
    "portcullis-cli/bench,portcullis-cli/live,portcullis-actix/ws,portcullis-axum/ws";

/// Creates a command that runs the same cargo as this task.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = foreign_cargo(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Creates a command for a program that runs cargo, such as rustup.
pub(crate) fn foreign_cargo(name: impl AsRef<OsStr>) -> Command {
    let mut command = program(name);
    // `cargo run` sets variables about xtask. A build script that watches one of these would run again each
    // time that a task and a plain `cargo build` alternate.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Prints the command, runs it with its output on the terminal, and returns an error if the command
/// fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let shown = shown(command);
    println!("$ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!("`{shown}` failed: {status}"))),
        Err(error) => Err(unstartable(&shown, &error)),
    }
}

/// Runs the command and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let shown = shown(command);
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| unstartable(&shown, &error))?;
    if !output.status.success() {
        return Err(Failure::new(format!("`{shown}` failed: {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the first line of `program --version`, or `None` if there is no such program.
pub(crate) fn version(name: impl AsRef<OsStr>) -> Option<String> {
    let output = program(name).arg("--version").stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first_line = text.lines().next().unwrap_or_default().trim().to_owned();
    output.status.success().then_some(first_line)
}

fn unstartable(shown: &str, error: &io::Error) -> Failure {
    Failure::new(format!("cannot start `{shown}`: {error}"))
}

fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut words = vec![name.to_string_lossy()];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    words.join(" ")
}
