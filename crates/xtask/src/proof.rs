//! `cargo xtask proof`: explores the models of the parts that must not be wrong, and checks that the
//! models detect mutations of these parts.

mod list;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::run::{Failure, cargo, root, target_dir};
use crate::working_copy::{copy_sources, read, replaced, write};
use list::MUTATIONS;

/// The tests that are models are in modules of this name.
const MODELS: &str = "models::";

/// Tells the models of states to use their full bounds.
const FULL: &str = "PORTCULLIS_PROOF";

/// The maximum number of preemptions in each execution.
const PREEMPTIONS: &str = "3";

/// The same with `--short`. Some mutations need three.
const FEW_PREEMPTIONS: &str = "1";

/// How the models are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Build {
    Quick,
    /// Optimized: takes minutes longer to build, and a fifth of the time to run.
    Optimized,
}

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checker {
    /// The core, with the types of loom in place of those of std, arc-swap and tokio.
    Loom,
    /// The tests of the issuer, which call its functions and those of the core from states.
    Stateright,
}

/// A change of production code that makes it wrong.
struct Mutation {
    what: &'static str,
    /// File below the root.
    file: &'static str,
    /// Source text, which must occur exactly once.
    old: &'static str,
    new: &'static str,
    checker: Checker,
    /// The path of the model that must fail.
    model: &'static str,
}

/// Explores every model whose name contains `only`.
pub(crate) fn proof(short: bool, only: Option<&str>) -> Result<(), Failure> {
    explore(&[Checker::Loom, Checker::Stateright], short, only)
}

/// Explores the models of concurrent code with small bounds. `cargo test` runs the other models with
/// these bounds.
pub(crate) fn loom_models() -> Result<(), Failure> {
    explore(&[Checker::Loom], true, None)
}

fn explore(checkers: &[Checker], short: bool, only: Option<&str>) -> Result<(), Failure> {
    let mut explored = 0;
    let (build, preemptions) =
        if short { (Build::Quick, FEW_PREEMPTIONS) } else { (Build::Optimized, PREEMPTIONS) };
    for checker in checkers {
        let program = checker.build(&root(), build)?;
        let output = checker.run(&program, only, preemptions, !short)?;
        let Some(output) = output else { continue };
        let text = String::from_utf8_lossy(&output.stdout);
        for line in text.lines().filter_map(|line| line.split_once("explored ")) {
            explored += 1;
            println!("{}", line.1);
        }
        if !output.status.success() {
            println!("{text}{}", String::from_utf8_lossy(&output.stderr));
            return Err(Failure::new(format!("{checker:?}: a model fails")));
        }
    }
    if explored > 0 {
        return Ok(());
    }
    let only = only.unwrap_or_default();
    Err(Failure::new(format!(
        "no model has `{only}` in its path, which is like `remote::models::…`"
    )))
}

/// Applies each mutation whose model or description contains `only` to a copy of the sources. The
/// mutation's model must fail.
pub(crate) fn mutations(only: Option<&str>) -> Result<(), Failure> {
    let copy = target_dir().join("proof");
    copy_sources(&copy)?;
    let is_chosen = |mutation: &&Mutation| {
        only.is_none_or(|only| mutation.model.contains(only) || mutation.what.contains(only))
    };
    let chosen: Vec<&Mutation> = MUTATIONS.iter().filter(is_chosen).collect();
    for checker in [Checker::Loom, Checker::Stateright] {
        // A model that fails on the unmodified sources shows nothing. `proof` has the full bounds.
        if let Some(mutation) = chosen.iter().find(|mutation| mutation.checker == checker) {
            let failed = mutation.verdict(&copy, FEW_PREEMPTIONS)?;
            if let Some(how) = failed {
                return Err(Failure::new(format!("{}: unmodified: {how}", mutation.model)));
            }
        }
    }
    let mut unnoticed = 0;
    for (at, mutation) in chosen.iter().enumerate() {
        let path = copy.join(mutation.file);
        let whole = read(&path)?;
        write(&path, &replaced(&whole, mutation.old, mutation.new, mutation.file)?)?;
        let verdict = mutation.verdict(&copy, PREEMPTIONS);
        write(&path, &whole)?;
        let shown = match verdict {
            Ok(Some(how)) => format!("detected: {how}"),
            Ok(None) => {
                unnoticed += 1;
                "NOT DETECTED".to_owned()
            }
            Err(failure) => {
                unnoticed += 1;
                format!("DOES NOT RUN: {failure}")
            }
        };
        let Mutation { what, model, .. } = mutation;
        println!("{}/{} {model}: {what}: {shown}", at + 1, chosen.len());
    }
    println!("{} of {} detected", chosen.len() - unnoticed, chosen.len());
    if unnoticed == 0 && !chosen.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("{unnoticed} mutations are not detected")))
    }
}

impl Mutation {
    /// Returns how the model fails; `None` if it holds.
    fn verdict(&self, copy: &Path, preemptions: &str) -> Result<Option<String>, Failure> {
        let program = self.checker.build(copy, Build::Quick)?;
        let missing = || Failure::new(format!("{}: there is no such model", self.model));
        let output = self
            .checker
            .run(&program, Some(self.model), preemptions, false)?
            .ok_or_else(missing)?;
        let [text, errors] =
            [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        if !text.contains("running 1 test") {
            return Err(Failure::new(format!("{}: not exactly one model", self.model)));
        }
        if output.status.success() {
            return Ok(None);
        }
        // The line after the place of a panic is its message.
        let mut lines = errors.lines().skip_while(|line| !line.contains("panicked at"));
        let how = lines.nth(1).unwrap_or("an abort");
        Ok(Some(how.to_owned()))
    }
}

impl Checker {
    /// Builds the tests of the sources in `folder`, and returns their program.
    fn build(self, folder: &Path, build: Build) -> Result<PathBuf, Failure> {
        let mut command = match self {
            // Only the core is compiled with loom's types, not its dependencies.
            Self::Loom => cargo(&["rustc", "--package", "portcullis", "--lib"]),
            Self::Stateright => cargo(&["rustc", "--package", "portcullis-issuer", "--lib"]),
        };
        command.args(["--profile", "test", "--message-format", "json-render-diagnostics", "--"]);
        if self == Self::Loom {
            command.args(["--cfg", "portcullis_loom", "-C", "debuginfo=0"]);
        }
        if build == Build::Optimized {
            command.args(["-C", "opt-level=2"]);
        }
        command.current_dir(folder).stderr(Stdio::piped());
        if folder != root() {
            // In the workspace's target directory, the copy's packages would replace the originals.
            command.env("CARGO_TARGET_DIR", folder.join("target"));
        }
        let output = finished(&mut command)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let program = text.lines().rev().find_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            message.get("executable")?.as_str().map(PathBuf::from)
        });
        program.filter(|_| output.status.success()).ok_or_else(|| {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            Failure::new(format!("{self:?}: the models do not build: {errors}"))
        })
    }

    /// Runs the models whose path contains `only`; `None` if there are none.
    fn run(
        self,
        program: &Path,
        only: Option<&str>,
        preemptions: &str,
        is_full: bool,
    ) -> Result<Option<Output>, Failure> {
        let listed = finished(Command::new(program).args([MODELS, "--list"]))?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
        let names: Vec<&str> =
            names.filter(|name| only.is_none_or(|only| name.contains(only))).collect();
        if names.is_empty() {
            return Ok(None);
        }
        let mut command = Command::new(program);
        command.args(["--nocapture", "--exact"]).args(names).current_dir(root());
        command.env("PORTCULLIS_PREEMPTIONS", preemptions);
        if is_full {
            command.env(FULL, "full");
        }
        finished(&mut command).map(Some)
    }
}

fn finished(command: &mut Command) -> Result<Output, Failure> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(format!("{command:?}: {error}")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The list must change with the code; otherwise a mutation would no longer be tested.
    #[test]
    fn every_listed_mutation_occurs_once_in_its_file() {
        for Mutation { what, file, old, model, .. } in MUTATIONS {
            let whole = fs::read_to_string(root().join(file)).unwrap();
            assert_eq!(whole.matches(old).count(), 1, "{file}: {what}");
            assert!(model.contains(MODELS), "{model}");
        }
    }
}
