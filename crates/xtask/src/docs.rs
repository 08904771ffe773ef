//! `cargo xtask docs`: builds the documentation site, and checks it.
//!
//! The sources stay where tests and rustdoc read them: the guide's chapters in the core, the other pages in
//! `docs` and at the root. `docs/SUMMARY.md` lists every page once. This task copies the pages into
//! `target/docs/src`, resolves their links, and runs mdbook there.

mod api;
mod markdown;
mod pages;
mod reports;
mod site;
mod summary;
mod tutorial;

use std::fs;
use std::path::{Path, PathBuf};

use crate::install;
use crate::run::{Failure, cargo, program, root, run, target_dir};
use pages::Pages;
use summary::Summary;

/// The crates whose API pages are part of the site.
const DOCUMENTED: [&str; 6] = [
    "portcullis",
    "portcullis-axum",
    "portcullis-actix",
    "portcullis-tower",
    "portcullis-hyper",
    "portcullis-testing",
];

/// The features of these crates that pages refer to.
const FEATURES: &str =
    "portcullis/streams,portcullis/test-util,portcullis-axum/ws,portcullis-actix/ws";

/// The packages whose doc tests are the samples of the pages: the guide, and the pages in `docs`.
const SAMPLES: [&str; 2] = ["portcullis", "portcullis-interop"];

/// The parts of the task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// Runs the samples and the tutorials.
    pub(crate) samples: bool,
    /// Measures the benchmark report again, even if one exists.
    pub(crate) measure: bool,
}

/// Builds the site into `target/docs/site`.
pub(crate) fn docs(parts: Parts) -> Result<(), Failure> {
    let summary = Summary::read()?;
    let mdbook = install::mdbook()?;
    let doc = rustdoc()?;
    let work = target_dir().join("docs");
    let pages = Pages::new(&summary, &doc);
    let sources = pages.write(&work)?;
    let reports = reports::make(&work.join("reports"), parts.measure)?;
    let site = work.join("site");
    run(program(mdbook).args(["build", "--dest-dir"]).arg(&site).arg(&work))?;

    copy_api(&doc, &site.join("api"))?;
    for source in &sources {
        write(&site.join(pages::source_page(source)), &pages::source_text(source)?)?;
    }
    for report in &reports {
        write(&site.join("reports").join(&report.name), &report.html)?;
    }
    write(&site.join("llms.txt"), &summary.llms()?)?;
    let checked = site::check(&site, &summary)?;
    println!(
        "{} pages, {} links: {}",
        checked.pages,
        checked.links,
        site.join("index.html").display()
    );
    if parts.samples {
        let mut tests = cargo(&["test", "--doc"]);
        for package in SAMPLES {
            tests.args(["--package", package]);
        }
        run(&mut tests)?;
        tutorial::run_all(&work.join("tutorial"))?;
    }
    Ok(())
}

/// Builds the API pages, and returns their folder.
fn rustdoc() -> Result<PathBuf, Failure> {
    let mut doc = cargo(&["doc", "--no-deps", "--features", FEATURES]);
    for package in DOCUMENTED {
        doc.args(["--package", package]);
    }
    run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(target_dir().join("doc"))
}

/// Copies the API pages of the documented crates. Rustdoc's index may name other crates that were documented
/// in the same target folder; a fresh clone has none.
fn copy_api(doc: &Path, api: &Path) -> Result<(), Failure> {
    for entry in entries(doc)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_crate = entry.join("index.html").exists();
        let is_wanted = DOCUMENTED.iter().any(|package| package.replace('-', "_") == name);
        if !is_crate || is_wanted {
            // The pages with source code are larger than all others together.
            if name != "src" {
                copy(&entry, &api.join(name))?;
            }
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    if from.is_dir() {
        return entries(from)?
            .iter()
            .try_for_each(|entry| copy(entry, &to.join(entry.file_name().unwrap_or_default())));
    }
    create_parent(to)?;
    fs::copy(from, to).map(drop).map_err(|error| Failure::new(format!("{}: {error}", to.display())))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failure = |error| Failure::new(format!("{}: {error}", folder.display()));
    let entries = fs::read_dir(folder).map_err(failure)?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(failure))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// Reads a file of the repository.
fn read(path: &str) -> Result<String, Failure> {
    fs::read_to_string(root().join(path)).map_err(|error| Failure::new(format!("{path}: {error}")))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    create_parent(path)?;
    fs::write(path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn create_parent(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent)
        .map_err(|error| Failure::new(format!("{}: {error}", parent.display())))
}
