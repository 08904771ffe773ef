//! `cargo xtask words`: checks Markdown, comments and strings for the banned phrases of `docs/style.md`.
//!
//! `crates/xtask/words-waiting.txt` lists the files that still have banned phrases, each with its
//! number of hits. The check fails if a file has more hits than its number, or fewer.
//! `cargo xtask words --update` lowers the numbers and removes clean files, but never raises a
//! number. To write a new list, for example after a merge, delete the old list first.

mod phrases;
mod text;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::run::{Failure, output, program, root};
use phrases::{BANNED, Banned};

/// The list of files with banned phrases, one line each: number of hits, path.
const WAITING: &str = "crates/xtask/words-waiting.txt";

/// Files and folders that are not checked, each with the reason.
const EXEMPT: [(&str, &str); 3] = [
    ("CODE_OF_CONDUCT.md", "the text of the Contributor Covenant"),
    ("docs/style.md", "quotes the banned phrases"),
    ("crates/xtask/src/words", "defines and tests the banned phrases"),
];

const HEADER: &str = "\
# Files with banned phrases: hits, path. Lower the numbers with `cargo xtask words --update`.
";

/// A banned phrase in a file.
#[derive(Debug)]
struct Hit {
    line: usize,
    banned: &'static Banned,
}

/// The hits of each checked file, by line.
type Hits = BTreeMap<String, Vec<Hit>>;

/// The number of hits that each file may have.
type Waiting = BTreeMap<String, usize>;

/// Fails for every file with more hits than the list allows, and for every number in the list that is too high.
pub(crate) fn check() -> Result<(), Failure> {
    let hits = hits()?;
    let waiting = waiting()?.unwrap_or_default();
    let wrong = judge(&hits, &waiting);
    if wrong.is_empty() {
        let total: usize = waiting.values().sum();
        println!("no new banned phrase; {total} are left in {} files of {WAITING}", waiting.len());
        Ok(())
    } else {
        Err(Failure::new(wrong.join("\n")))
    }
}

/// Lowers the numbers in the list, then checks. A missing list is written with the current numbers.
pub(crate) fn update() -> Result<(), Failure> {
    let hits = hits()?;
    let list = match waiting()? {
        Some(before) => lowered(&hits, &before),
        None => counts(&hits),
    };
    let mut text = HEADER.to_owned();
    for (path, number) in &list {
        _ = writeln!(text, "{number:>4} {path}");
    }
    fs::write(root().join(WAITING), text)
        .map_err(|error| Failure::new(format!("{WAITING}: {error}")))?;
    check()
}

/// Returns the errors, one per line.
fn judge(hits: &Hits, waiting: &Waiting) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, found) in hits {
        let allowed = waiting.get(path).copied().unwrap_or(0);
        if found.len() > allowed {
            wrong.push(format!(
                "{path}: {} banned phrases, at most {allowed} allowed; rewrite the new ones:",
                found.len(),
            ));
            wrong.extend(found.iter().map(|hit| {
                let Banned { phrase, why, instead } = hit.banned;
                format!("{path}:{}: `{phrase}` ({why}); write {instead}", hit.line)
            }));
        }
    }
    for (path, allowed) in waiting {
        let found = hits.get(path).map_or(0, Vec::len);
        if found < *allowed {
            wrong.push(format!(
                "{path}: {found} banned phrases, {WAITING} lists {allowed}; run \
                 `cargo xtask words --update`",
            ));
        }
    }
    wrong
}

/// Returns the list without clean files and with lowered numbers.
fn lowered(hits: &Hits, before: &Waiting) -> Waiting {
    let mut list = counts(hits);
    list.retain(|path, number| match before.get(path) {
        Some(allowed) => {
            *number = (*number).min(*allowed);
            true
        }
        None => false,
    });
    list
}

fn counts(hits: &Hits) -> Waiting {
    hits.iter().map(|(path, found)| (path.clone(), found.len())).collect()
}

/// Returns the hits of all tracked files that are checked, without clean files.
fn hits() -> Result<Hits, Failure> {
    let mut hits = Hits::new();
    let tracked = output(program("git").args(["ls-files", "-z", "*.md", "*.rs"]))?;
    for path in tracked.split_terminator('\0').filter(|path| !is_exempt(path)) {
        // Skips deleted files that are still tracked.
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        let found = find(path, &text);
        if !found.is_empty() {
            hits.insert(path.to_owned(), found);
        }
    }
    Ok(hits)
}

fn is_exempt(path: &str) -> bool {
    EXEMPT.iter().any(|(exempt, _)| path.starts_with(exempt))
}

fn find(path: &str, text: &str) -> Vec<Hit> {
    let is_rust = path.rsplit_once('.').is_some_and(|(_, extension)| extension == "rs");
    let words = if is_rust { text::rust(text) } else { text::markdown(text) };
    let mut found = Vec::new();
    for at in 0..words.len() {
        let rest = words.get(at..).unwrap_or_default();
        for banned in &BANNED {
            if starts_with(rest, banned.phrase) {
                found.push(Hit { line: rest.first().map_or(0, |word| word.line), banned });
            }
        }
    }
    found
}

fn starts_with(words: &[text::Word], phrase: &str) -> bool {
    let mut words = words.iter();
    phrase.split(' ').all(|wanted| words.next().is_some_and(|word| word.text == wanted))
}

/// Reads the list, or returns `None` if the file is missing.
fn waiting() -> Result<Option<Waiting>, Failure> {
    match fs::read_to_string(root().join(WAITING)) {
        Ok(text) => read_list(&text).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format!("{WAITING}: {error}"))),
    }
}

fn read_list(text: &str) -> Result<Waiting, Failure> {
    let entries = text.lines().filter(|line| !line.starts_with('#'));
    let entry = |line: &str| {
        let (number, path) = line.trim_start().split_once(' ')?;
        Some((path.to_owned(), number.parse().ok()?))
    };
    entries
        .map(|line| {
            entry(line).ok_or_else(|| Failure::new(format!("{WAITING}: cannot parse `{line}`")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits_of(files: &[(&str, &str)]) -> Hits {
        files.iter().map(|(path, text)| ((*path).to_owned(), find(path, text))).collect()
    }

    fn list(entries: &[(&str, usize)]) -> Waiting {
        entries.iter().map(|(path, number)| ((*path).to_owned(), *number)).collect()
    }

    #[test]
    fn banned_phrase_in_a_clean_file_fails_with_line_reason_and_replacement() {
        let hits = hits_of(&[("src/lib.rs", "fn f() {}\n// It can not fail.\n")]);
        let wrong = judge(&hits, &Waiting::new());
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[1].starts_with("src/lib.rs:2: `can not` ("), "{wrong:?}");
        assert!(wrong[1].ends_with("write `cannot`"), "{wrong:?}");
    }

    #[test]
    fn every_banned_phrase_is_found_in_each_kind_of_text() {
        for banned in &BANNED {
            let phrase = banned.phrase;
            for (path, text) in [
                ("a.md", format!("Words and {phrase} and more.\n")),
                ("a.md", format!("Words and\n{}\n", phrase.to_uppercase())),
                ("a.rs", format!("    /// Words {phrase}.\n")),
                ("a.rs", format!("//! Words\n//! {}.\n", phrase.replace(' ', "\n//! "))),
                ("a.rs", format!("/* {phrase} */")),
                ("a.rs", format!("const A: &str = \"{phrase}\";")),
                ("a.rs", format!("const A: &str = r#\"{phrase}\"#;")),
            ] {
                let found = find(path, &text);
                assert!(found.iter().any(|hit| hit.banned.phrase == phrase), "{path}: {text}");
            }
        }
    }

    #[test]
    fn listed_number_must_match_the_hits() {
        let hits = hits_of(&[("a.md", "It can not. She can not.")]);
        assert_eq!(judge(&hits, &list(&[("a.md", 2)])), Vec::<String>::new());
        assert!(judge(&hits, &list(&[("a.md", 1)]))[0].contains("at most 1 allowed"));
        assert!(judge(&hits, &list(&[("a.md", 3)]))[0].contains("lists 3"));
        assert!(judge(&Hits::new(), &list(&[("gone.md", 1)]))[0].contains("lists 1"));
    }

    #[test]
    fn update_lowers_numbers_and_never_raises_them() {
        let hits = hits_of(&[
            ("fewer.md", "It can not."),
            ("grown.md", "It can not. She can not."),
            ("new.md", "It can not."),
        ]);
        let before = list(&[("clean.md", 1), ("fewer.md", 3), ("grown.md", 1)]);
        assert_eq!(lowered(&hits, &before), list(&[("fewer.md", 1), ("grown.md", 1)]));
    }

    #[test]
    fn written_list_is_parsed() {
        let text = format!("{HEADER}   3 docs/a b.md\n1024 src/lib.rs\n");
        let wanted = list(&[("docs/a b.md", 3), ("src/lib.rs", 1024)]);
        assert_eq!(read_list(&text).unwrap(), wanted);
        assert!(read_list("three a.md\n").is_err());
    }

    #[test]
    fn only_exempt_paths_are_skipped() {
        assert!(is_exempt("docs/style.md"));
        assert!(!is_exempt("crates/portcullis-issuer/src/lib.rs"));
        assert!(!is_exempt("docs/adr/README.md"));
    }
}
