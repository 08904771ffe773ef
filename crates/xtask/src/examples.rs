//! Runs the commands in each example's README. The first command of the first `console` block is
//! the server; the other commands run in one shell. The output must contain every line that the
//! README shows, in order. `…` matches any part of a line. Documented ports are replaced with free
//! ports, so that other services on the machine do not interfere.

use std::fs;
use std::path::Path;

use crate::console::{Ports, Server, ask, commands};
use crate::install;
use crate::run::{Failure, root};

/// Examples that this task does not run: `quickstart` has its own tour, and `with-issuer` is the
/// issuer of the other examples.
const WITHOUT_README: [&str; 2] = ["quickstart", "with-issuer"];

/// The example whose page is built with npm.
const WITH_A_PAGE: &str = "browser-session";

/// `cargo xtask examples`: runs these examples, by default all.
pub(crate) fn examples(names: &[String]) -> Result<(), Failure> {
    install::curl()?;
    let io = |error: std::io::Error| Failure::new(format!("examples: {error}"));
    let mut folders = Vec::new();
    for entry in fs::read_dir(root().join("examples")).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !WITHOUT_README.contains(&name.as_str()) {
            folders.push((name, entry.path()));
        }
    }
    let unknown = names.iter().find(|name| !folders.iter().any(|(folder, _)| folder == *name));
    if let Some(unknown) = unknown {
        return Err(Failure::new(format!("examples/{unknown} has no README to run")));
    }
    folders.retain(|(name, _)| names.is_empty() || names.contains(name));
    folders.sort();
    let mut failed = Vec::new();
    if folders.iter().any(|(name, _)| name == WITH_A_PAGE) {
        install::for_browser_session()?;
    }
    for (name, folder) in folders {
        match readme(&folder) {
            Ok(commands) => println!("examples/{name}/README.md: {commands} commands ok"),
            Err(failure) => failed.push(format!("examples/{name}/README.md:{failure}")),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(failed.join("\n"))) }
}

/// Runs a README, and returns the number of its commands.
fn readme(folder: &Path) -> Result<usize, Failure> {
    let text = fs::read_to_string(folder.join("README.md"))
        .map_err(|error| Failure::new(format!(" {error}")))?;
    let ports = Ports::free()?;
    let commands = commands(&ports.applied(&text))?;
    let [serves, asks @ ..] = commands.as_slice() else {
        return Err(Failure::new(" no command in a `console` block"));
    };
    let variables = ports.variables();
    let server = Server::start(&root(), &[], serves, &variables)?;
    let outcome = ask(&root(), asks, &[]);
    server.stop()?;
    outcome.map(|()| commands.len())
}
