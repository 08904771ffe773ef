//! The table of contents, `docs/SUMMARY.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::pages::joined;
use super::{markdown, read};
use crate::run::{Failure, output, program};

const FILE: &str = "docs/SUMMARY.md";
/// The folders whose Markdown files are pages, and the pages at the root.
const PAGES: [&str; 7] = [
    "docs/*.md",
    "crates/portcullis/src/guide/*.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CODE_OF_CONDUCT.md",
    "CHANGELOG.md",
];

/// The table of contents: parts with pages.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) text: String,
    parts: Vec<(String, Vec<Page>)>,
}

/// A page: its title in the table, and its path in the repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) path: String,
}

impl Summary {
    /// Reads the table, and fails if it does not list every page exactly once.
    pub(super) fn read() -> Result<Self, Failure> {
        let summary = Self::parse(read(FILE)?);
        let tracked =
            output(program("git").args(["ls-files", "-co", "--exclude-standard"]).args(PAGES))?;
        let pages: Vec<&str> = tracked.lines().filter(|path| *path != FILE).collect();
        let wrong = summary.faults(&pages);
        if wrong.is_empty() { Ok(summary) } else { Err(Failure::new(wrong.join("\n"))) }
    }

    fn parse(text: String) -> Self {
        let mut parts: Vec<(String, Vec<Page>)> = vec![(String::new(), Vec::new())];
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("# ").filter(|name| *name != "Summary") {
                parts.push((name.to_owned(), Vec::new()));
            }
            let page = markdown::targets(line).first().map(|target| Page {
                title: title(line).to_owned(),
                path: joined("docs", &line[target.clone()]),
            });
            if let Some((_, pages)) = parts.last_mut() {
                pages.extend(page);
            }
        }
        parts.retain(|(_, pages)| !pages.is_empty());
        Self { text, parts }
    }

    /// Returns all pages, in order.
    pub(super) fn pages(&self) -> impl Iterator<Item = &Page> {
        self.parts.iter().flat_map(|(_, pages)| pages)
    }

    /// Returns the pages that are missing, unknown or listed twice.
    fn faults(&self, pages: &[&str]) -> Vec<String> {
        let mut listed = BTreeSet::new();
        let mut wrong = Vec::new();
        for Page { path, .. } in self.pages() {
            if !listed.insert(path.as_str()) {
                wrong.push(format!("{FILE} lists {path} twice"));
            }
            if !pages.contains(&path.as_str()) {
                wrong.push(format!("{FILE} lists {path}, which is no page"));
            }
        }
        let missing = pages.iter().filter(|page| !listed.contains(*page));
        wrong.extend(missing.map(|page| format!("{page} is not in {FILE}")));
        wrong
    }

    /// Returns `llms.txt`: a line for each page with its title, place and first sentence.
    pub(super) fn llms(&self) -> Result<String, Failure> {
        let mut text = String::from(
            "# Portcullis\n\n> JWT validation for Rust web services: locally, against the keys that the issuer \
             publishes (JWKS).\n",
        );
        for (name, pages) in &self.parts {
            if !name.is_empty() {
                _ = write!(text, "\n## {name}\n");
            }
            text.push('\n');
            for page in pages {
                let place = super::site::page_of(&page.path);
                let about = first_sentence(&read(&page.path)?);
                _ = writeln!(text, "- [{}]({place}): {about}", page.title);
            }
        }
        Ok(text)
    }
}

fn title(line: &str) -> &str {
    let (_, title) = line.split_once('[').unwrap_or_default();
    title.rsplit_once("](").map_or(title, |(title, _)| title)
}

/// Returns the first sentence of a page's first paragraph, without links.
fn first_sentence(page: &str) -> String {
    let mut inside = false;
    let lines = page.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        inside ^= is_fence;
        !inside && !is_fence
    });
    let is_prose =
        |line: &&str| line.starts_with(|c: char| c.is_alphanumeric() || "`[*".contains(c));
    let paragraph: Vec<&str> =
        lines.skip_while(|line| !is_prose(line)).take_while(|line| !line.is_empty()).collect();
    let mut text = paragraph.join(" ");
    while let Some(target) = markdown::targets(&text).first().cloned() {
        text.replace_range(target.start - 2..target.end + 1, "");
    }
    let text: String = text.chars().filter(|c| !"[]*".contains(*c)).collect();
    match text.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_contents_lists_every_page_once() {
        let summary = Summary::read().unwrap_or_else(|failure| unreachable!("{failure}"));
        assert!(summary.pages().count() > 100);
    }

    #[test]
    fn missing_unknown_and_repeated_pages_are_reported() {
        let text = "# Summary\n\n[Home](README.md)\n\n# How-to\n\n- [A](a.md)\n  - [B](../B.md)\n- [A](a.md)\n";
        let summary = Summary::parse(text.to_owned());
        let paths: Vec<_> = summary.pages().map(|page| page.path.as_str()).collect();
        assert_eq!(paths, ["docs/README.md", "docs/a.md", "B.md", "docs/a.md"]);
        let wrong = summary.faults(&["docs/README.md", "docs/a.md", "docs/c.md"]);
        let expected = [
            "docs/SUMMARY.md lists B.md, which is no page",
            "docs/SUMMARY.md lists docs/a.md twice",
            "docs/c.md is not in docs/SUMMARY.md",
        ];
        assert_eq!(wrong, expected);
    }

    #[test]
    fn first_sentence_is_plain_text() {
        let page =
            "# Title\n\n```toml\na = 1\n```\n\nThe [guide](a.md) is\n**short**. More.\n\nEnd.\n";
        assert_eq!(first_sentence(page), "The guide is short.");
    }
}
