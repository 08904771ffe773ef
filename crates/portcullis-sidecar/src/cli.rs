//! The command line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what the commands are for")]

mod admin;
mod serve;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use portcullis_sidecar::{Config, Sidecar};

type Outcome = Result<(), Box<dyn Error>>;

/// Validates tokens for an app in any language: as a reverse proxy in front of the app, or for a
/// proxy that you already run.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
SIGHUP reads the settings file again. If it is invalid, the previous settings remain.

  RUST_LOG (default info, and warn for `config check`)
      Filter of the log on standard error."
)]
pub(crate) struct Cli {
    /// The settings file (TOML)
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_SIDECAR_CONFIG", required = false)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default without a command)
    Serve,
    /// Check a settings file
    #[command(subcommand)]
    Config(Settings),
}

#[derive(Debug, Subcommand)]
enum Settings {
    /// Check a settings file, without fetching keys or opening a socket
    ///
    /// Exit code 0: the settings are right. 1: a setting is wrong, and standard error has the line
    /// and the reason. 2: the command line is wrong. The servers and files that the settings name
    /// are not checked.
    Check {
        /// The settings file (TOML)
        file: PathBuf,
    },
}

impl Cli {
    /// Returns the log filter that is used if `RUST_LOG` is not set.
    pub(crate) fn default_log_filter(&self) -> &'static str {
        match self.command {
            None | Some(Command::Serve) => "info",
            Some(Command::Config(_)) => "off",
        }
    }
}

pub(crate) async fn run(cli: Cli) -> Outcome {
    match cli.command.unwrap_or(Command::Serve) {
        Command::Config(Settings::Check { file }) => {
            Sidecar::check(&Config::read(&file)?).await?;
            println!("the settings in {} are right", file.display());
            Ok(())
        }
        Command::Serve => {
            let file = cli.config.ok_or(
                "there is no settings file; name it with --config or PORTCULLIS_SIDECAR_CONFIG",
            )?;
            serve::serve(&file).await
        }
    }
}

/// Prints an error and its causes to standard error.
pub(crate) fn complain(error: &dyn Error) {
    eprintln!("portcullis-sidecar: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
