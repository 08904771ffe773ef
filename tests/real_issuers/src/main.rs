//! Tests the product against real issuers. `cargo xtask interop` builds and runs this program:
//!
//! ```text
//! real-issuers --folder target/interop --results FILE --date DATE ISSUER...
//! ```
//!
//! Each issuer is installed and started in its own folder, issues tokens, rotates its key, is
//! killed and is started again, while four instances of the product validate its tokens. The
//! program is not a Cargo test, because it needs a JDK, Maven, Go, Node and several minutes.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program prints")]

mod failure;
mod http;
mod instances;
mod issuers;
mod load;
mod logouts;
mod page;
mod process;
mod results;
mod rows;
mod running;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use failure::{Failure, Outcome};
use results::Report;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Default)]
struct Arguments {
    folder: PathBuf,
    results: PathBuf,
    /// The folder with the `portcullis` program, which the pages call.
    tools: PathBuf,
    date: String,
    issuers: Vec<String>,
}

fn arguments() -> Outcome<Arguments> {
    let mut found = Arguments::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value =
            || arguments.next().ok_or_else(|| Failure::new(format!("{argument} needs a value")));
        match &*argument {
            "--folder" => found.folder = value()?.into(),
            "--results" => found.results = value()?.into(),
            "--tools" => found.tools = value()?.into(),
            "--date" => found.date = value()?,
            _ => found.issuers.push(argument),
        }
    }
    Ok(found)
}

async fn report(name: &str, folder: &Path, tools: &Path) -> Outcome<Report> {
    Ok(match name {
        "keycloak" => rows::run(issuers::Keycloak, folder, tools).await,
        "oidc-provider" => rows::run(issuers::OidcProvider::default(), folder, tools).await,
        "spring" => rows::run(issuers::Spring, folder, tools).await,
        "hydra" => rows::run(issuers::Hydra, folder, tools).await,
        "dex" => rows::run(issuers::Dex, folder, tools).await,
        "glewlwyd" => {
            let issuer = issuers::Glewlwyd { folder: folder.join("glewlwyd") };
            rows::run(issuer, folder, tools).await
        }
        unknown => return Err(Failure::new(format!("no issuer {unknown:?}"))),
    })
}

/// Runs the rows of each issuer, and returns the number of rows that failed.
async fn run(arguments: &Arguments) -> Outcome<usize> {
    let mut failures = 0;
    for name in &arguments.issuers {
        let report = report(name, &arguments.folder, &arguments.tools).await?;
        failures += report.failures();
        // The results are written after each issuer, so that an interruption loses the results of
        // only one.
        results::write(&arguments.results, &[report], &arguments.date)?;
    }
    Ok(failures)
}

/// Waits for Ctrl-C, or for a plain `kill`.
async fn interrupted() -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome,
        _ = terminated.recv() => Ok(()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match arguments() {
        Ok(arguments) => tokio::select! {
            outcome = run(&arguments) => outcome,
            // The running tasks are dropped, and the issuer with them.
            _ = interrupted() => Err(Failure::new("interrupted")),
        },
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            eprintln!("error: {failures} rows failed");
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
