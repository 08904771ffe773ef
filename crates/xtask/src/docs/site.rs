//! Checks the HTML of the site: links, anchors, and the table of contents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::pages::joined;
use super::summary::Summary;
use super::{entries, pages};
use crate::run::Failure;

/// The numbers of checked pages and links.
pub(super) struct Checked {
    pub(super) pages: usize,
    pub(super) links: usize,
}

/// Pages of the site that are not in the table of contents: the table itself, and the page for unknown addresses.
const OTHERS: [&str; 2] = ["404.html", "toc.html"];

/// Returns the page of the site that is made from this file of the repository.
pub(super) fn page_of(path: &str) -> String {
    let place = pages::place(path);
    let html = format!("{}.html", place.trim_end_matches(".md"));
    match html.strip_suffix("README.html") {
        Some(folder) => format!("{folder}index.html"),
        None => html,
    }
}

/// Checks every link of the pages, and that each page is in the table of contents or linked.
pub(super) fn check(site: &Path, summary: &Summary) -> Result<Checked, Failure> {
    let mut found = BTreeMap::new();
    collect(site, "", &mut found)?;
    let (mut wrong, mut linked, mut links) = (Vec::new(), BTreeSet::new(), 0);
    let pages: Vec<(&String, &String)> =
        found.iter().filter(|(page, _)| !OTHERS.contains(&page.as_str())).collect();
    for (page, html) in &pages {
        if html.contains("[<code>") {
            wrong.push(format!("{page}: a link of rustdoc without a target"));
        }
        for target in targets(html) {
            links += 1;
            match dead(site, &found, page, &target) {
                Ok(file) => _ = linked.insert(file),
                Err(why) => wrong.push(format!("{page}: `{target}`: {why}")),
            }
        }
    }
    let listed: BTreeSet<String> = summary.pages().map(|page| page_of(&page.path)).collect();
    for page in &listed {
        if !found.contains_key(page) {
            wrong.push(format!("{page} is in the table of contents, but was not built"));
        }
    }
    for (page, _) in &pages {
        if !listed.contains(*page) && !linked.contains(*page) {
            wrong.push(format!("{page} is neither in the table of contents nor linked"));
        }
    }
    if wrong.is_empty() {
        Ok(Checked { pages: pages.len(), links })
    } else {
        Err(Failure::new(wrong.join("\n")))
    }
}

/// Reads the HTML of all pages except rustdoc's, which checks its links itself.
fn collect(
    folder: &Path,
    prefix: &str,
    found: &mut BTreeMap<String, String>,
) -> Result<(), Failure> {
    for entry in entries(folder)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.is_dir() {
            if path != "api" {
                collect(&entry, &format!("{path}/"), found)?;
            }
        } else if name.ends_with(".html") {
            let html = fs::read_to_string(&entry)
                .map_err(|error| Failure::new(format!("{path}: {error}")))?;
            found.insert(path, html);
        }
    }
    Ok(())
}

/// Returns the values of all `href` and `src` attributes, without character references.
fn targets(html: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for attribute in [" href=\"", " src=\""] {
        let values = html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
        targets.extend(values.map(|value| value.replace("&amp;", "&")));
    }
    targets
}

/// Returns the file that a link leads to, or why it leads nowhere.
fn dead(
    site: &Path,
    found: &BTreeMap<String, String>,
    page: &str,
    target: &str,
) -> Result<String, String> {
    if target.contains("://") || target.starts_with("mailto:") || target.starts_with("data:") {
        return Ok(String::new());
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let (folder, _) = page.rsplit_once('/').unwrap_or_default();
    let mut file = if path.is_empty() { page.to_owned() } else { joined(folder, path) };
    if site.join(&file).is_dir() {
        file = format!("{file}/index.html").trim_start_matches('/').to_owned();
    }
    if !site.join(&file).exists() {
        return Err(format!("{file} does not exist"));
    }
    if !anchor.is_empty() && file.ends_with(".html") {
        let read;
        let html = match found.get(&file) {
            Some(html) => html,
            None => {
                read = fs::read_to_string(site.join(&file)).map_err(|error| error.to_string())?;
                &read
            }
        };
        if !html.contains(&format!("id=\"{anchor}\"")) {
            return Err(format!("{file} has no element with the id `{anchor}`"));
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_links_and_anchors_are_found() {
        let site = std::env::temp_dir().join(format!("xtask-docs-site-{}", std::process::id()));
        fs::create_dir_all(site.join("a")).unwrap();
        let html = "<h1 id=\"top\">A</h1><a href=\"../b.html#end\">b</a><img src=\"c.svg\">";
        fs::write(site.join("a/index.html"), html).unwrap();
        fs::write(site.join("b.html"), "<p id=\"end\">").unwrap();
        let mut found = BTreeMap::new();
        collect(&site, "", &mut found).unwrap();
        assert_eq!(targets(html), ["../b.html#end", "c.svg"]);
        let dead = |target| dead(&site, &found, "a/index.html", target);
        for alive in ["../b.html#end", "#top", "https://example.com", "../a/", "../a/#top"] {
            dead(alive).unwrap();
        }
        for gone in ["c.svg", "../b.html#top", "#end", "../a/b.html"] {
            dead(gone).unwrap_err();
        }
        fs::remove_dir_all(site).unwrap();
    }

    #[test]
    fn page_has_the_address_that_mdbook_gives_it() {
        assert_eq!(page_of("docs/README.md"), "index.html");
        assert_eq!(page_of("docs/adr/README.md"), "adr/index.html");
        assert_eq!(page_of("crates/portcullis/src/guide/add_it.md"), "guide/add_it.html");
        assert_eq!(page_of("SECURITY.md"), "project/security.html");
    }
}
