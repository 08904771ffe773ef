//! Copies the pages into the book, and makes their links work there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path};

use super::summary::Summary;
use super::{api, copy, markdown, read, write};
use crate::run::{Failure, output, program, root};

const GUIDE: &str = "crates/portcullis/src/guide/";
/// Kinds of files that pages show.
const PICTURES: [&str; 2] = ["png", "svg"];

/// The pages of the book.
pub(super) struct Pages<'s> {
    summary: &'s Summary,
    /// The folder of rustdoc's pages.
    doc: &'s Path,
    /// The place of each page in the book, by its path in the repository.
    places: BTreeMap<&'s str, String>,
}

/// Returns the place in the book of a page at this path in the repository.
pub(super) fn place(path: &str) -> String {
    if let Some(chapter) = path.strip_prefix(GUIDE) {
        return format!("guide/{chapter}");
    }
    match path.strip_prefix("docs/") {
        Some(page) => page.to_owned(),
        None => format!("project/{}", path.rsplit('/').next().unwrap_or(path).to_lowercase()),
    }
}

/// Returns the place in the site of a file of the repository that is not a page.
pub(super) fn source_page(path: &str) -> String {
    if root().join(path).is_dir() {
        format!("source/{path}/index.txt")
    } else {
        // mdbook would take `README.md.txt` for a page.
        format!("source/{}.txt", path.trim_end_matches(".md"))
    }
}

/// Returns the text of a file, or the names of a folder's files.
pub(super) fn source_text(path: &str) -> Result<String, Failure> {
    if root().join(path).is_dir() {
        let files = output(program("git").args(["ls-files", path]))?;
        return Ok(format!("The files of this folder in the repository:\n\n{files}"));
    }
    read(path)
}

impl<'s> Pages<'s> {
    pub(super) fn new(summary: &'s Summary, doc: &'s Path) -> Self {
        let places = summary.pages().map(|page| (page.path.as_str(), place(&page.path))).collect();
        Self { summary, doc, places }
    }

    /// Writes the book's sources into `work`. Returns the files of the repository that pages link to.
    pub(super) fn write(&self, work: &Path) -> Result<BTreeSet<String>, Failure> {
        for stale in ["src", "site", "theme"] {
            // The folder may not exist yet.
            _ = fs::remove_dir_all(work.join(stale));
        }
        let source = work.join("src");
        let mut linked = Linked::default();
        for (path, place) in &self.places {
            write(&source.join(place), &self.rewritten(path, &read(path)?, &mut linked))?;
        }
        if !linked.wrong.is_empty() {
            return Err(Failure::new(linked.wrong.join("\n")));
        }
        for picture in &linked.pictures {
            copy(&root().join(picture), &source.join(picture_place(picture)))?;
        }
        let mut contents = self.summary.text.clone();
        for range in markdown::targets(&contents).into_iter().rev() {
            let path = joined("docs", &contents[range.clone()]);
            contents.replace_range(range, &place(&path));
        }
        write(&source.join("SUMMARY.md"), &contents)?;
        copy(&root().join("docs/theme"), &work.join("theme"))?;
        copy(&root().join("docs/book.toml"), &work.join("book.toml"))?;
        Ok(linked.sources)
    }

    fn rewritten(&self, path: &str, text: &str, linked: &mut Linked) -> String {
        let mut rewritten = text.to_owned();
        for range in markdown::targets(text).into_iter().rev() {
            let target = &text[range.clone()];
            match self.resolve(path, target) {
                Some(Found::Unchanged) => {}
                Some(Found::Page(place)) => rewritten.replace_range(range, &place),
                Some(Found::Source(file)) => {
                    let to = source_page(&file);
                    rewritten.replace_range(range, &relative(&place(path), &to));
                    linked.sources.insert(file);
                }
                Some(Found::Picture(file)) => {
                    let to = picture_place(&file);
                    rewritten.replace_range(range, &relative(&place(path), &to));
                    linked.pictures.insert(file);
                }
                None => linked.wrong.push(format!("{path}: the link to `{target}` leads nowhere")),
            }
        }
        rewritten
    }

    /// Finds the target of a link in the page at `path`. `None` if it leads nowhere.
    fn resolve(&self, path: &str, target: &str) -> Option<Found> {
        let others = ["#", "http://", "https://", "mailto:", "<"];
        if others.iter().any(|prefix| target.starts_with(prefix)) {
            return Some(Found::Unchanged);
        }
        let here = place(path);
        // mdbook's name for the page of a folder.
        let page = |place: &str| place.replace("README.md", "index.md");
        let to = |place: &str, anchor: &str| Found::Page(relative(&here, &page(place)) + anchor);
        let (file, anchor) = target.split_at(target.find('#').unwrap_or(target.len()));
        if let Some(chapter) = file.strip_prefix("crate::guide::") {
            let page = format!("{GUIDE}{chapter}.md");
            return self.places.get(page.as_str()).map(|place| to(place, anchor));
        }
        if file.starts_with("crate::") {
            return api::page(self.doc, file).map(|page| to(&format!("api/{page}"), ""));
        }
        let (folder, _) = path.rsplit_once('/').unwrap_or_default();
        let file = joined(folder, file);
        // A made page of the site, such as a report: `site::check` checks that it exists.
        if let Some(made) = file.strip_prefix("docs/")
            && (made.starts_with("reports/") || made.starts_with("api/"))
        {
            return Some(to(made, anchor));
        }
        if file == "README.md" {
            return Some(to("README.md", anchor));
        }
        if let Some(place) = self.places.get(file.as_str()) {
            return Some(to(place, anchor));
        }
        if let Some(place) = self.places.get(format!("{file}/README.md").as_str()) {
            return Some(to(place, anchor));
        }
        if let Some(name) = file.strip_prefix("crates/")
            && let name = name.trim_end_matches("/README.md")
            && super::DOCUMENTED.contains(&name)
        {
            return Some(to(&format!("api/{}/index.html", name.replace('-', "_")), ""));
        }
        let is_picture = PICTURES.iter().any(|kind| file.ends_with(&format!(".{kind}")));
        if is_picture && root().join(&file).exists() {
            return Some(Found::Picture(file));
        }
        let readme = format!("{file}/README.md");
        [readme, file]
            .into_iter()
            .find(|file| root().join(file).exists())
            .map(|file| Found::Source(file.trim_end_matches('/').to_owned()))
    }
}

/// The target of a link.
enum Found {
    /// Outside the repository, or on the same page.
    Unchanged,
    /// A page, by the new target.
    Page(String),
    /// A picture of the repository.
    Picture(String),
    /// Another file of the repository.
    Source(String),
}

/// The files that pages link to besides pages.
#[derive(Default)]
struct Linked {
    sources: BTreeSet<String>,
    pictures: BTreeSet<String>,
    /// Links that lead nowhere.
    wrong: Vec<String>,
}

/// Returns the place of a picture in the book.
fn picture_place(path: &str) -> String {
    path.strip_prefix("docs/").map_or_else(|| format!("pictures/{path}"), str::to_owned)
}

/// Joins a folder of the repository and a relative path.
pub(super) fn joined(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in Path::new(relative).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::Normal(name) => parts.extend(name.to_str()),
            _ => {}
        }
    }
    parts.join("/")
}

/// Returns the relative path from one page of the book to another.
fn relative(from: &str, to: &str) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (from.split('/').collect(), to.split('/').collect());
    let folders = from.len() - 1;
    let shared = from.iter().zip(&to).take(folders.min(to.len() - 1)).take_while(|(a, b)| a == b);
    let shared = shared.count();
    let up = std::iter::repeat_n("..", folders - shared);
    up.chain(to.into_iter().skip(shared)).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_to_the_page() {
        assert_eq!(relative("reference/settings.md", "guide/add_it.md"), "../guide/add_it.md");
        assert_eq!(relative("reference/settings.md", "reference/refusals.md"), "refusals.md");
        assert_eq!(relative("README.md", "reference/settings.md"), "reference/settings.md");
        assert_eq!(relative("a/b/c.md", "a/d.md"), "../d.md");
        assert_eq!(joined("docs/reference", "../../SECURITY.md"), "SECURITY.md");
        assert_eq!(joined("", "docs/./a.md"), "docs/a.md");
    }

    #[test]
    fn each_kind_of_link_is_resolved_and_a_dead_link_is_reported() {
        let summary = Summary::read().unwrap();
        let pages = Pages::new(&summary, Path::new("there is no rustdoc here"));
        let resolve = |target: &str| match pages.resolve("docs/reference/settings.md", target) {
            Some(Found::Page(place)) => place,
            Some(Found::Source(file) | Found::Picture(file)) => format!("file {file}"),
            Some(Found::Unchanged) => "unchanged".to_owned(),
            None => "nowhere".to_owned(),
        };
        for (target, expected) in [
            ("https://example.com/a.md", "unchanged"),
            ("#anchor", "unchanged"),
            ("../../crates/portcullis/src/guide/add_it.md#logs", "../guide/add_it.md#logs"),
            ("../../SECURITY.md#promises", "../project/security.md#promises"),
            ("refusals.md", "refusals.md"),
            ("../migrating", "../migrating/index.md"),
            ("../../crates/portcullis-axum", "../api/portcullis_axum/index.html"),
            ("../../examples/axum", "file examples/axum/README.md"),
            ("../../crates/xtask/src/main.rs", "file crates/xtask/src/main.rs"),
            ("../bench.png", "file docs/bench.png"),
            ("../reports/tune.html", "../reports/tune.html"),
            ("crate::guide::streams#renewal", "../guide/streams.md#renewal"),
            ("crate::guide::no_such_chapter", "nowhere"),
            ("crate::NoSuchItem", "nowhere"),
            ("no-such-page.md", "nowhere"),
        ] {
            assert_eq!(resolve(target), expected, "{target}");
        }
    }
}
