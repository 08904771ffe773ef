//! An issuer on this machine: installed and run as on its page, then run for the rows.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::failure::{Failure, Outcome};
use crate::issuers::{Facts, Start};
use crate::page::Page;
use crate::process::Script;

/// The maximum duration of an installation: Hydra and Dex are compiled.
const INSTALLED_WITHIN: Duration = Duration::from_secs(1800);

/// The maximum duration of the other steps of a page.
const PAGE_WITHIN: Duration = Duration::from_secs(300);

/// The maximum time for which a killed issuer may still listen.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

/// Installs the issuer as on its page, and runs the page's other steps.
pub(crate) async fn page(facts: &Facts, folder: &Path, tools: &Path) -> Outcome<()> {
    let page = Page::read(facts.page)?;
    install(&page.get, &page.get, folder).await?;
    not_there(facts).await?;
    let path = format!("export PATH='{}':\"$PATH\"", tools.display());
    let steps = format!("{path}\n{}\n{}\n", page.start, page.ask);
    // Background processes of the script end with it.
    let log = folder.join("page.log");
    let run = timeout(PAGE_WITHIN, Script::run(&steps, folder, &log)).await;
    run.map_err(|_| Failure::new(format!("not finished within {PAGE_WITHIN:?}")))?
}

/// Runs the script in the folder, which is emptied first unless the script ran there before for the
/// same `key`.
async fn install(script: &str, key: &str, folder: &Path) -> Outcome<()> {
    let stamp = folder.join(".installed-from");
    if std::fs::read_to_string(&stamp).is_ok_and(|before| before == key) {
        return Ok(());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    let log = folder.join("install.log");
    let run = timeout(INSTALLED_WITHIN, Script::run(script, folder, &log)).await;
    run.map_err(|_| Failure::new(format!("not installed within {INSTALLED_WITHIN:?}")))??;
    Ok(std::fs::write(stamp, key)?)
}

/// Checks that no server listens on the issuer's port, because it would be mistaken for the issuer.
/// A killed issuer may take a moment to end.
async fn not_there(facts: &Facts) -> Outcome<()> {
    let client = crate::http::client()?;
    let begin = Instant::now();
    while begin.elapsed() < ENDED_WITHIN {
        let answer = client.get(facts.ready).timeout(Duration::from_secs(2)).send().await;
        if answer.is_err_and(|error| error.is_connect()) {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(Failure::new(format!("something else listens where {} should", facts.ready)))
}

/// The issuer that the rows are tested against.
pub(crate) struct Running(Script);

impl Running {
    pub(crate) async fn start(facts: &Facts, folder: &Path) -> Outcome<Self> {
        not_there(facts).await?;
        let log = folder.join("issuer.log");
        let (script, folder) = match facts.start {
            Start::Page(replaced) => {
                let start = Page::read(facts.page)?.start;
                let replace = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
                let start = replaced.iter().fold(start, replace);
                (format!("{start}\nwait\n"), folder.to_owned())
            }
            Start::Own { folder: name, build, start } => {
                (start.to_owned(), own_project(name, build, folder).await?)
            }
        };
        let mut script = Script::start(&script, &folder, &log)?;
        script.ready(facts.ready, facts.ready_within).await?;
        Ok(Self(script))
    }

    pub(crate) async fn kill(self) -> Outcome<()> {
        self.0.kill().await
    }
}

/// Copies a project of the repository and builds it, again if it has changed; returns its folder.
async fn own_project(name: &str, build: &str, folder: &Path) -> Outcome<PathBuf> {
    let source = format!("{}/../interop/third_party/{name}", env!("CARGO_MANIFEST_DIR"));
    let project = folder.join("own");
    let copied = format!("cp -r '{source}/.' .\nrm -rf node_modules target\n{build}\n");
    install(&copied, &text_of(Path::new(&source))?, &project).await?;
    Ok(project)
}

/// The text of all files in a folder, in order of their names, without `node_modules` and `target`.
fn text_of(folder: &Path) -> Outcome<String> {
    let mut all = String::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            if name != "node_modules" && name != "target" {
                all.push_str(&text_of(&entry.path())?);
            }
        } else {
            all.push_str(&std::fs::read_to_string(entry.path())?);
        }
    }
    Ok(all)
}
