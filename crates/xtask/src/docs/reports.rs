//! The reports of the command `portcullis` that are pages of the site.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::create_parent;
use crate::run::{Failure, cargo, program, run, target_dir};

/// A page that the command wrote.
pub(super) struct Report {
    /// Its file name in the site's folder `reports`.
    pub(super) name: String,
    pub(super) html: String,
}

/// The page that links to the report.
const TUNE: (&str, &str) = ("tune.html", "../how-to/tuning-page.html");
const BENCH: (&str, &str) = ("bench.html", "../how-to/bench-report.html");

/// Runs the command for each report. A benchmark takes minutes, so an existing report is used again unless
/// `measure` is set.
pub(super) fn make(folder: &Path, measure: bool) -> Result<Vec<Report>, Failure> {
    let build =
        ["build", "--profile", "dist", "--package", "portcullis-cli", "--features", "bench"];
    run(&mut cargo(&build))?;
    let command = target_dir().join("dist/portcullis");
    create_parent(&folder.join(TUNE.0))?;
    // The reports contain their command line, which must not name a folder of this machine.
    let here = || {
        let mut command = program(&command);
        command.current_dir(folder);
        command
    };
    let tune = ["tune", "--access-expiry", "900", "--vs-access-expiry", "60", "--page", TUNE.0];
    run(here().args(tune).stdout(Stdio::null()))?;
    if measure || !folder.join(BENCH.0).exists() {
        run(here().args(["bench", "--html", BENCH.0]).stdout(Stdio::null()))?;
    }
    [TUNE, BENCH].into_iter().map(|(name, back)| report(&folder.join(name), name, back)).collect()
}

/// Reads a report, and adds a link to the site's page about it.
fn report(file: &Path, name: &str, back: &str) -> Result<Report, Failure> {
    let html = fs::read_to_string(file)
        .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let html = with_link(&html, back).ok_or_else(|| {
        Failure::new(format!("{name}: there is no `<main>` to put the link into"))
    })?;
    Ok(Report { name: name.to_owned(), html })
}

fn with_link(html: &str, back: &str) -> Option<String> {
    let (before, after) = html.split_once("<main>\n")?;
    // A page within the site's frame has the site's navigation.
    let link = format!(
        "<nav id=\"site\"><a href=\"{back}\">Portcullis documentation</a></nav>\n\
         <style>#site a {{ color: var(--line-0) }}</style>\n\
         <script>if (self !== top) document.getElementById('site').hidden = true;</script>\n"
    );
    Some(format!("{before}<main>\n{link}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_to_the_site_is_the_first_element() {
        let html = with_link("<style></style>\n<main>\n<h1>A</h1></main>", "../a.html").unwrap();
        assert!(html.contains("<main>\n<nav id=\"site\"><a href=\"../a.html\">"), "{html}");
        assert_eq!(with_link("<p>", "../a.html"), None);
    }
}
