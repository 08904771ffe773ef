//! The page `docs/reference/claims.md`: each claim has a command that exists and a test that exists.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/reference/claims.md");
const FOLDER: &str = "docs/reference";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A row: its first cell, its commands and its tests.
struct Row<'p> {
    claim: &'p str,
    commands: Vec<&'p str>,
    tests: Vec<Test<'p>>,
}

struct Test<'p> {
    name: &'p str,
    file: &'p str,
}

/// The rows of the page's tables, each of which has four columns.
fn rows(page: &str) -> Vec<Row<'_>> {
    let is_row = |line: &&str| line.starts_with('|') && !line.starts_with("|---");
    page.split("\n|---|---|---|---|\n")
        .skip(1)
        .flat_map(|table| table.lines().take_while(is_row))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [claim, _, commands, tests] = cells[..] else { unreachable!("{line}") };
            let commands = commands.split('`').skip(1).step_by(2).collect();
            let tests = tests.split("[`").skip(1).map(|link| {
                let (name, rest) = link.split_once("`](").unwrap();
                Test { name, file: rest.split(')').next().unwrap() }
            });
            Row { claim, commands, tests: tests.collect() }
        })
        .collect()
}

/// Why the test is not in its file: it must be a function with a test attribute, or be run on every
/// store.
fn missing(test: &Test<'_>, source: &str) -> Option<String> {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let head = format!("fn {}(", test.name);
    let is_head = |line: &&str| line.strip_prefix("async ").unwrap_or(line).starts_with(&head);
    let Some(at) = lines.iter().position(is_head) else {
        return Some(format!("no test `{}` in {}", test.name, test.file));
    };
    let attributes = lines.iter().take(at).rev().take_while(|line| line.starts_with("#["));
    let mut attributes = attributes.filter(|line| line.contains("test]") || line.contains("test("));
    let on_every_store = source
        .split("on_every_store!(")
        .skip(1)
        .filter_map(|rest| rest.split(");").next())
        .any(|names| names.split(',').any(|name| name.trim() == test.name));
    let is_test = attributes.next().is_some() || on_every_store;
    (!is_test).then(|| format!("`{}` in {} is no test", test.name, test.file))
}

/// The names of the workspace's packages.
fn packages() -> HashSet<String> {
    let folders = ["crates", "tests", "examples"];
    let mut manifests: Vec<_> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path().join("Cargo.toml"))
        .collect();
    manifests.push(root().join("benches/Cargo.toml"));
    manifests
        .iter()
        .filter_map(|manifest| fs::read_to_string(manifest).ok())
        .filter_map(|text| Some(text.split_once("name = \"")?.1.split('"').next()?.to_owned()))
        .collect()
}

/// Why the command cannot be run.
fn wrong(command: &str, row: &Row<'_>, packages: &HashSet<String>) -> Option<String> {
    let words: Vec<_> = command.split(' ').collect();
    match words[..] {
        ["cargo", "xtask", "examples", ref names @ ..] => names
            .iter()
            .find(|name| !root().join("examples").join(name).join("README.md").exists())
            .map(|name| format!("no example {name}")),
        ["cargo", "xtask", "bench" | "interop", ..] => None,
        ["cargo", "test", "-p", package, ref rest @ ..] => {
            if !packages.contains(package) {
                return Some(format!("no package {package}"));
            }
            let (target, filter) = match rest {
                ["--test", target, "--", "--include-ignored"] => (Some(target), None),
                ["--test", target, filter] => (Some(target), Some(filter)),
                ["--bin", _, filter] => (None, Some(filter)),
                _ => return Some("unknown form".to_owned()),
            };
            let is_run = row.tests.iter().any(|test| {
                let of_target = target.is_none_or(|target| test.file.contains(*target));
                let selects = |filter: &&str| {
                    test.name.contains(*filter) || test.file.contains(&format!("/{filter}.rs"))
                };
                of_target && filter.is_none_or(selects)
            });
            (!is_run).then(|| "it runs no test of the row".to_owned())
        }
        _ => Some("unknown command".to_owned()),
    }
}

fn faults(page: &str) -> Vec<String> {
    let (rows, packages) = (rows(page), packages());
    let mut faults = Vec::new();
    for row in &rows {
        let mut fault = |fault: String| faults.push(format!("{}: {fault}", row.claim));
        if row.commands.is_empty() || row.tests.is_empty() {
            fault("no command, or no test".to_owned());
        }
        for command in &row.commands {
            if let Some(why) = wrong(command, row, &packages) {
                fault(format!("{command}: {why}"));
            }
        }
        for test in &row.tests {
            let source = fs::read_to_string(root().join(FOLDER).join(test.file));
            if let Some(why) = missing(test, &source.unwrap_or_default()) {
                fault(why);
            }
        }
    }
    if page.contains("partly") || page.contains("Partly") {
        faults.push("a claim holds, or the row says what holds instead".to_owned());
    }
    faults
}

#[test]
fn each_claim_has_a_command_and_a_test_that_exist() {
    let faults = faults(PAGE);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(rows(PAGE).len() >= 25, "{}", rows(PAGE).len());
}

/// Each of these changes of the page, or of what it names, is found.
#[test]
fn missing_test_command_or_example_is_a_fault() {
    for (from, to) in [
        ("`ended_session_is_accepted_until_its_token_expires`", "`gone`"),
        ("tests/interop/journeys.rs", "tests/interop/gone.rs"),
        ("`step_up_raises_the_session_to_aal2`", "`enrolled`"),
        ("cargo xtask examples step-up", "cargo xtask examples gone"),
        ("-p portcullis-faults", "-p portcullis-gone"),
        ("journeys until_its_token_expires", "journeys gone"),
        ("cargo xtask bench --only patterns", "make bench"),
        ("The patterns are not exclusive.", "Partly: the patterns are not exclusive."),
    ] {
        assert!(PAGE.contains(from), "{from}");
        assert!(!faults(&PAGE.replace(from, to)).is_empty(), "{from} → {to}");
    }
}
