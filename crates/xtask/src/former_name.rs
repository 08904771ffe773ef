//! Checks that the product's former name occurs only in the listed places.

use std::fs;

use crate::run::{Failure, output, program, root};

/// The former name, in lower case. The comparison ignores case.
const NAME: &str = "tollgate";

/// The files that keep the name: the number of lines with it (`None`: any number), and the reason.
const KEPT: [(&str, Option<usize>, &str); 13] = [
    (
        "crates/portcullis-issuer/migrations/postgres/0001_first_schema.sql",
        Some(1),
        "names the notification channel, and an applied migration must not change",
    ),
    (
        "crates/portcullis-issuer/src/domain/sessions/refresh_token/former.rs",
        Some(1),
        "a key-derivation label",
    ),
    ("crates/portcullis-issuer/src/domain/second_factor.rs", Some(1), "a key-derivation label"),
    (
        "crates/portcullis-issuer/src/store/postgres/open.rs",
        Some(1),
        "the lock that serializes migrations by old and new versions",
    ),
    (
        "crates/portcullis-issuer/src/store/postgres/watch.rs",
        Some(2),
        "the channel and the leader's lock, which old and new versions share",
    ),
    (
        "crates/portcullis-issuer/src/store/tests/renaming.rs",
        Some(3),
        "the statements of an old version",
    ),
    (
        "crates/portcullis-issuer/tests/issuer/before_renaming/postgres.sql",
        Some(1),
        "a database of an old version",
    ),
    (
        "crates/portcullis/src/authenticator/env.rs",
        Some(4),
        "a variable with its former name is rejected at start, so that no limit is dropped silently",
    ),
    ("docs/migrating-from-tollgate.md", None, "the migration note"),
    ("README.md", Some(1), "the link to the migration note"),
    ("docs/SUMMARY.md", Some(1), "the link to the migration note"),
    ("CHANGELOG.md", Some(2), "links to the migration note"),
    ("crates/xtask/src/former_name.rs", None, "this list"),
];

/// Fails for each place in the tracked files that contains the former name and is not listed, and
/// for each listed place that does not contain it.
pub(crate) fn check() -> Result<(), Failure> {
    let mut files = Vec::new();
    for path in output(program("git").args(["ls-files", "-z"]))?.split_terminator('\0') {
        let text = fs::read(root().join(path)).map_err(|error| {
            Failure::new(format!("cannot read the tracked file {path}: {error}"))
        })?;
        files.push((path.to_owned(), String::from_utf8_lossy(&text).into_owned()));
    }
    let wrong = judge(&files);
    if wrong.is_empty() {
        println!("the former name is in the {} listed files, of {}", KEPT.len(), files.len());
        Ok(())
    } else {
        Err(Failure::new(wrong.join("\n")))
    }
}

/// Returns the errors, one per line.
fn judge(files: &[(String, String)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in files {
        let kept = KEPT.iter().find(|(kept, _, _)| kept == path);
        if kept.is_none() && has_name(path) {
            wrong.push(format!("{path}: the file's path contains the former name"));
        }
        let allowed = match kept {
            None => 0,
            Some((_, Some(lines), _)) => *lines,
            Some((_, None, _)) => continue,
        };
        let found: Vec<String> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| has_name(line))
            .map(|(index, line)| format!("{path}:{}: {}", index + 1, line.trim()))
            .collect();
        if found.len() != allowed {
            wrong.push(format!(
                "{path}: {} lines have the former name, {allowed} allowed (KEPT in \
                 crates/xtask/src/former_name.rs)",
                found.len(),
            ));
            wrong.extend(found);
        }
    }
    for (kept, _, why) in KEPT {
        if !files.iter().any(|(path, _)| path == kept) {
            wrong.push(format!("{kept}: missing, but listed as a place of the former name: {why}"));
        }
    }
    wrong
}

fn has_name(text: &str) -> bool {
    text.to_ascii_lowercase().contains(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns every listed file with its allowed number of lines.
    fn as_listed() -> Vec<(String, String)> {
        let file = |(path, lines, _): (&str, Option<usize>, _)| {
            (path.to_owned(), format!("a line\n{}", "its Tollgate\n".repeat(lines.unwrap_or(3))))
        };
        KEPT.into_iter().map(file).collect()
    }

    fn judged(path: &str, text: &str) -> Vec<String> {
        let mut files = as_listed();
        files.retain(|(kept, _)| kept != path);
        files.push((path.to_owned(), text.to_owned()));
        judge(&files)
    }

    #[test]
    fn listed_places_pass() {
        assert_eq!(judge(&as_listed()), Vec::<String>::new());
        assert_eq!(judged("src/lib.rs", "portcullis"), Vec::<String>::new());
    }

    #[test]
    fn unlisted_place_fails_with_its_line() {
        for planted in ["tollgate", "TOLLGATE_ISSUER", "use tollgate_axum::protect;", "\0Tollgate"]
        {
            let wrong = judged("src/lib.rs", &format!("first\n{planted}\n"));
            assert_eq!(wrong.len(), 2, "{wrong:?}");
            assert!(wrong[1].starts_with("src/lib.rs:2: "), "{wrong:?}");
        }
        let wrong = judged("docs/tollgate.png", "");
        assert_eq!(wrong, ["docs/tollgate.png: the file's path contains the former name"]);
    }

    #[test]
    fn listed_file_with_a_line_too_many_or_too_few_fails() {
        let watch = "crates/portcullis-issuer/src/store/postgres/watch.rs";
        assert!(judged(watch, "tollgate\ntollgate\n").is_empty());
        for text in ["tollgate\n", "tollgate\ntollgate\ntollgate\n"] {
            let wrong = judged(watch, text);
            assert!(wrong[0].contains("2 allowed"), "{wrong:?}");
        }
    }

    #[test]
    fn missing_listed_file_fails() {
        let files = as_listed().split_off(1);
        let wrong = judge(&files);
        assert!(wrong.len() == 1 && wrong[0].contains("an applied migration"), "{wrong:?}");
    }
}
