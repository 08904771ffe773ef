//! `cargo xtask breaks`: checks that the bug-class tests detect the removal of each check of the core.

mod checks;

use std::path::Path;
use std::process::Stdio;

use crate::run::{Failure, cargo, target_dir};
use crate::working_copy::{copy_sources, read, replaced, write};
use checks::CHECKS;

/// The slowest tests, which run only if no other test fails.
const SLOW: [&str; 6] = [
    "class_12_resource_exhaustion::oversized_token_is_rejected_unread",
    "class_12_resource_exhaustion::forged_tokens_of_many_tenants_cause_few_fetches",
    "class_12_resource_exhaustion::many_members_are_parsed_in_bounded_time",
    "class_01_algorithm_confusion::key_is_used_only_with_its_own_algorithm",
    "class_13_revocation_faults::whatever_fails_no_honest_token_is_refused",
    "class_02_no_signature::token_without_signature_is_rejected_for_every_algorithm",
];

/// A check of the core, and the change of the source that removes it.
struct Break {
    /// A description of the check.
    check: &'static str,
    /// File below `crates/portcullis/src`.
    file: &'static str,
    /// Source text, which must occur exactly once.
    old: &'static str,
    /// Replacement.
    new: &'static str,
}

/// Removes one check at a time from a copy of the sources, and runs `bug_class` against the copy.
/// `only` selects checks by parts of their descriptions or files.
pub(crate) fn breaks(only: &[String]) -> Result<(), Failure> {
    let copy = target_dir().join("breaks");
    copy_sources(&copy)?;
    match verdict(&copy, "")? {
        Verdict::Passes => {}
        Verdict::Fails(test) => {
            return Err(Failure::new(format!("{test} fails on the unmodified sources")));
        }
        Verdict::DoesNotBuild => {
            return Err(Failure::new("`bug_class` does not build from the unmodified sources"));
        }
    }
    let chosen: Vec<&Break> = CHECKS
        .iter()
        .filter(|check| {
            only.is_empty()
                || only.iter().any(|only| check.check.contains(only) || check.file.contains(only))
        })
        .collect();
    let mut unnoticed = 0;
    for (at, broken) in chosen.iter().enumerate() {
        let path = copy.join("crates/portcullis/src").join(broken.file);
        let whole = read(&path)?;
        write(&path, &replaced(&whole, broken.old, broken.new, broken.file)?)?;
        let verdict = verdict(&copy, broken.file);
        write(&path, &whole)?;
        let shown = match verdict? {
            Verdict::Fails(test) => format!("detected by {test}"),
            Verdict::Passes => {
                unnoticed += 1;
                "NOT DETECTED".to_owned()
            }
            Verdict::DoesNotBuild => {
                unnoticed += 1;
                "DOES NOT BUILD".to_owned()
            }
        };
        println!("{}/{} {}: {}: {shown}", at + 1, chosen.len(), broken.file, broken.check);
    }
    println!("{} of {} detected", chosen.len() - unnoticed, chosen.len());
    if unnoticed == 0 {
        Ok(())
    } else {
        Err(Failure::new(format!("the removal of {unnoticed} checks is not detected")))
    }
}

enum Verdict {
    Passes,
    /// The first test that fails.
    Fails(String),
    DoesNotBuild,
}

/// Builds and runs the tests. Those whose name contains a word of the path `file` run first, since one of them is
/// likely to fail.
fn verdict(copy: &Path, file: &str) -> Result<Verdict, Failure> {
    const SUITE: [&str; 6] =
        ["test", "--quiet", "--package", "portcullis-bug-class", "--test", "bug_class"];
    let run = |arguments: &[&str]| {
        let mut command = cargo(&SUITE);
        command.args(arguments).current_dir(copy);
        // The copy has its own target directory: in the workspace's, its packages would replace the
        // originals.
        command.env("CARGO_TARGET_DIR", copy.join("target")).env("CARGO_PROFILE_DEV_DEBUG", "0");
        command.stderr(Stdio::null());
        command.output().map_err(|error| Failure::new(format!("cargo: {error}")))
    };
    if !run(&["--no-run"])?.status.success() {
        return Ok(Verdict::DoesNotBuild);
    }
    // A fast test detects most removals.
    let pretty = || ["--", "--format", "pretty"].into_iter();
    let skip: Vec<&str> = SLOW.iter().flat_map(|test| ["--skip", test]).collect();
    let words = file.trim_end_matches(".rs").split('/').filter(|word| !word.is_empty());
    let near: Vec<&str> = pretty().chain(words).chain(skip.clone()).collect();
    let fast: Vec<&str> = pretty().chain(skip).collect();
    let slow: Vec<&str> = pretty().chain(SLOW).collect();
    let mut stages = vec![near, fast, slow];
    stages.dedup();
    for arguments in stages {
        let output = run(&arguments)?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            let failed =
                |line: &str| Some(line.strip_prefix("test ")?.split_once(" ... FAILED")?.0.into());
            let test = text.lines().find_map(failed);
            return Ok(Verdict::Fails(test.unwrap_or_else(|| "an abort".to_owned())));
        }
    }
    Ok(Verdict::Passes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::run::root;

    /// The list must change with each rewritten check; otherwise the removal of the check would no
    /// longer be tested.
    #[test]
    fn every_listed_check_occurs_once_in_its_file() {
        for broken in CHECKS {
            let path = root().join("crates/portcullis/src").join(broken.file);
            let whole = fs::read_to_string(&path).unwrap();
            assert_eq!(whole.matches(broken.old).count(), 1, "{}: {}", broken.file, broken.check);
        }
    }

    #[test]
    fn security_page_has_the_number_of_checks() {
        let page = fs::read_to_string(root().join("SECURITY.md")).unwrap();
        let wanted = format!("takes {} checks out of the core", CHECKS.len());
        assert!(page.contains(&wanted), "SECURITY.md does not say `{wanted}`");
    }
}
