//! Compares the compiler's messages for misuse of the API with the recorded ones. `BLESS=1`
//! rewrites the `.stderr` files after a change of the API or of the compiler.
//!
//! This test does not use trybuild, which checks every dependency a second time in its own
//! directory. That takes minutes on two cores. The cases are one example of this package, checked
//! with the dependencies that the workspace already has.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn compiler_message_of_each_misuse_is_as_recorded() -> Outcome {
    let said = said()?;
    let mut wrong = Vec::new();
    for case in cases("rs")?.into_iter().filter(|case| case.as_path() != Path::new("main.rs")) {
        let messages = said.get(&case).ok_or_else(|| format!("{} compiles", case.display()))?;
        let path = Path::new(PACKAGE).join("cases").join(&case).with_extension("stderr");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, messages)?;
        } else if fs::read_to_string(&path).ok().as_ref() != Some(messages) {
            wrong.push(format!("{}:\n{messages}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "other messages than expected:\n\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn guide_quotes_the_compiler_message_of_each_case() -> Outcome {
    let chapter = "../../crates/portcullis/src/guide/compiler_messages.md";
    let chapter = fs::read_to_string(Path::new(PACKAGE).join(chapter))?;
    let mut said = BTreeSet::new();
    for case in cases("stderr")? {
        let messages = fs::read_to_string(Path::new(PACKAGE).join("cases").join(&case))?;
        let first = messages.lines().next().unwrap_or_default();
        assert!(chapter.contains(first), "{} is not in the guide: {first}", case.display());
        said.extend(messages.lines().map(|line| line.trim().to_owned()));
    }
    let blocks = chapter.split("```text\n").skip(1).filter_map(|block| block.split_once("```"));
    for line in blocks.flat_map(|(block, _)| block.lines()) {
        assert!(said.contains(line.trim()), "no message has this line of the guide: {line}");
    }
    Ok(())
}

/// The files in `cases` with this extension.
fn cases(extension: &str) -> Outcome<Vec<PathBuf>> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(Path::new(PACKAGE).join("cases"))? {
        let name = PathBuf::from(entry?.file_name());
        if name.extension().is_some_and(|found| found == extension) {
            cases.push(name);
        }
    }
    cases.sort();
    Ok(cases)
}

/// The compiler's errors by file in `cases`.
fn said() -> Outcome<BTreeMap<PathBuf, String>> {
    // The command checks the whole workspace, so that the dependencies have the same features as in
    // other checks.
    let check = ["check", "--workspace", "--example", "cases", "--message-format", "json"];
    let check = Command::new(env!("CARGO"))
        .args(check)
        .args(["--features", "portcullis-compile-fail/cases"])
        .current_dir(PACKAGE)
        .output()?;
    let mut said = BTreeMap::<PathBuf, String>::new();
    for line in String::from_utf8(check.stdout)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        let Some(message) = line.get("message") else { continue };
        let primary = members(message, "spans").find(|span| span["is_primary"] == true);
        let file = primary.and_then(|span| Path::new(span["file_name"].as_str()?).file_name());
        let Some(file) = file.filter(|_| message["level"] == "error") else { continue };
        let (said, rendered) = (said.entry(file.into()).or_default(), render(message));
        // One mistake can cause an error in several places.
        if !rendered.lines().next().is_some_and(|first| said.contains(first)) {
            said.push_str(&rendered);
        }
    }
    if said.is_empty() {
        return Err(String::from_utf8_lossy(&check.stderr).into());
    }
    Ok(said)
}

/// The compiler's output without the source lines of this crate and of other crates, which change
/// with every version.
fn render(message: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let code = message.pointer("/code/code").and_then(Value::as_str);
    let code = code.map(|code| format!("[{code}]")).unwrap_or_default();
    let mut rendered = format!("error{code}: {}\n", text(&message["message"]));
    for span in members(message, "spans").filter(|span| span["is_primary"] == true) {
        for line in members(span, "text") {
            let column = |name: &str| line[name].as_u64().unwrap_or(1) as usize - 1;
            let (start, end) = (column("highlight_start"), column("highlight_end"));
            let carets = "^".repeat(end.saturating_sub(start));
            rendered += &format!("  | {}\n", text(&line["text"]));
            rendered += &format!("  | {:start$}{carets} {}\n", "", text(&span["label"]));
        }
    }
    for child in members(message, "children") {
        let note = text(&child["message"]);
        // These notes name the file to which the compiler writes a type that is too long for a
        // line, or types of any crate of the build.
        let unstable = ["the full ", "consider using `--verbose`", "the following other types"];
        if !unstable.iter().any(|start| note.starts_with(start)) {
            let note = note.replace('\n', "\n          ");
            rendered += &format!("  = {}: {note}\n", text(&child["level"]));
        }
    }
    rendered
}

fn members<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}
