//! Follows the tutorials word for word, in an empty folder.
//!
//! A block of TOML or Rust is the content of the file that the sentence before it names last. If the sentence
//! begins with "Append", the block is added to the file. A `console` block is typed into a terminal of its own.
//! If its last command is a server (`cargo run`), the terminal stays open until the end of the tutorial.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{create_parent, read};
use crate::console::{Command, Ports, Server, ask, commands};
use crate::run::{Failure, root, target_dir};

const TUTORIALS: [&str; 2] = ["docs/tutorial/axum.md", "docs/tutorial/actix-web.md"];

/// Follows each tutorial. Their builds share the folder `target`.
pub(super) fn run_all(target: &Path) -> Result<(), Failure> {
    for page in TUTORIALS {
        follow(page, target).map_err(|failure| Failure::new(format!("{page}: {failure}")))?;
        println!("{page}: every step ok");
    }
    Ok(())
}

fn follow(page: &str, target: &Path) -> Result<(), Failure> {
    let io = |error: std::io::Error| Failure::new(error.to_string());
    let name = format!("portcullis-tutorial-{}", std::process::id());
    // Outside the repository, whose workspace would claim the project.
    let start = std::env::temp_dir().join(name);
    fs::create_dir_all(&start).map_err(io)?;
    let outcome = symlink(root(), start.join("portcullis"))
        .map_err(io)
        .and_then(|()| in_folder(page, &start, target));
    fs::remove_dir_all(&start).map_err(io)?;
    outcome
}

fn in_folder(page: &str, start: &Path, target: &Path) -> Result<(), Failure> {
    let variables = [
        ("CARGO_TARGET_DIR".to_owned(), target_dir().join(target).display().to_string()),
        ("NO_COLOR".to_owned(), "1".to_owned()),
    ];
    let mut folder = start.to_path_buf();
    let mut servers = Vec::new();
    let mut outcome = Ok(());
    for step in steps(&Ports::free()?.applied(&read(page)?))? {
        println!("{step}");
        outcome = match &step {
            Step::Write { file, text, append } => write(&folder.join(file), text, *append),
            Step::Type(commands) => match commands.as_slice() {
                [before @ .., serves] if serves.text.contains("cargo run") => {
                    Server::start(&folder, before, serves, &variables)
                        .map(|server| servers.push(server))
                }
                all => ask(&folder, all, &variables).map(|()| folder = entered(&folder, all)),
            },
        };
        if outcome.is_err() {
            break;
        }
    }
    servers.into_iter().try_for_each(Server::stop).and(outcome)
}

fn write(file: &Path, text: &str, append: bool) -> Result<(), Failure> {
    create_parent(file)?;
    let before = if append { fs::read_to_string(file).unwrap_or_default() } else { String::new() };
    fs::write(file, before + text)
        .map_err(|error| Failure::new(format!("{}: {error}", file.display())))
}

/// Returns the folder after the commands: a `cd` also holds in the terminals that are opened later.
fn entered(folder: &Path, commands: &[Command]) -> PathBuf {
    let names = commands.iter().filter_map(|command| command.text.strip_prefix("cd "));
    names.fold(folder.to_path_buf(), |folder, name| folder.join(name))
}

/// A step of a tutorial.
enum Step {
    Write { file: String, text: String, append: bool },
    Type(Vec<Command>),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Write { file, .. } => write!(f, "writes {file}"),
            Self::Type(commands) => {
                let texts = commands.iter().map(|command| command.text.as_str());
                write!(f, "types {}", texts.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// Returns the steps of a page. A code block of another kind shows text and is no step.
fn steps(page: &str) -> Result<Vec<Step>, Failure> {
    let (mut steps, mut before) = (Vec::new(), "");
    let mut parts = page.split("\n```");
    before = parts.next().unwrap_or(before);
    while let (Some(block), Some(after)) = (parts.next(), parts.next()) {
        let (kind, text) = block.split_once('\n').unwrap_or_default();
        let sentence = before.trim_end().rsplit("\n\n").next().unwrap_or_default();
        if kind == "console" {
            steps.push(Step::Type(commands(&format!("```console\n{text}\n```\n"))?));
        } else if kind == "toml" || kind == "rs" || kind.starts_with("rust") {
            let file = sentence.rsplit('`').nth(1).ok_or_else(|| {
                Failure::new(format!("no file is named before the block of {kind}: {sentence:?}"))
            })?;
            let is_shown = |line: &&str| !line.starts_with("# ");
            let text: Vec<&str> = text.lines().filter(is_shown).collect();
            let (file, text) = (file.to_owned(), text.join("\n") + "\n");
            steps.push(Step::Write { file, text, append: sentence.starts_with("Append") });
        }
        before = after;
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tutorials_have_steps_of_each_kind() {
        for page in TUTORIALS {
            let steps = steps(&read(page).unwrap()).unwrap();
            let servers = steps.iter().filter(|step| {
                matches!(step, Step::Type(all) if all.iter().any(|c| c.text.contains("cargo run")))
            });
            assert_eq!(servers.count(), 2, "{page}: the issuer and the service");
            let files: Vec<_> = steps
                .iter()
                .filter_map(|step| match step {
                    Step::Write { file, append, .. } => Some((file.as_str(), *append)),
                    Step::Type(_) => None,
                })
                .collect();
            let expected = [
                ("Cargo.toml", false),
                ("src/main.rs", false),
                ("examples/issuer.rs", false),
                ("src/main.rs", true),
            ];
            assert_eq!(files, expected, "{page}");
        }
    }

    #[test]
    fn hidden_lines_are_not_written() {
        let page = "Write `a.rs`:\n\n```rust\n# hidden\nlet a = 1;\n\n#[derive(A)]\n```\n\n```text\nno step\n```\n";
        let steps = steps(page).unwrap();
        let [Step::Write { file, text, append: false }] = steps.as_slice() else {
            unreachable!("{}", steps.len())
        };
        assert_eq!((file.as_str(), text.as_str()), ("a.rs", "let a = 1;\n\n#[derive(A)]\n"));
        assert!(super::steps("No file:\n\n```toml\na = 1\n```\n").is_err());
    }
}
