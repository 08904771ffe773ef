//! The command line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what the commands are for")]

mod audit;
mod clients;
mod clock;
mod config;
mod keys;
mod metrics;
mod restored;
mod serve;
mod sessions;
mod time;
mod users;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use portcullis_issuer::{
    CONFIG_VARIABLE, Issuer, IssuerConfig, SETTINGS, SettingSources, warn_of_ignored_variables,
};

/// The log of `serve`. The core logs the settings of the verifier of the issuer's own routes, which
/// look like the issuer's settings.
const SERVE_LOG: &str = "info,sqlx=warn,webauthn_rs=off,webauthn_rs_core=off,portcullis=warn,portcullis::refused=info,\
     portcullis_issuer=info";

type Outcome = Result<(), Box<dyn Error>>;

/// The Portcullis issuer: users log in, and any service validates their tokens locally.
///
/// The first start creates the database, a key file beside it (keep a copy: without it the signing
/// key cannot be decrypted) and a signing key. Then add a user:
///
///   portcullis-issuer users add alice --role clerk --scope orders:read
///   portcullis-issuer
///
/// A copy of the database is useless without the key file. Copy the database with SQLite, also
/// while the issuer runs, since a plain copy of the file may lack the last writes:
///
///   sqlite3 identsphere.db ".backup copy.db"
#[derive(Debug, Parser)]
#[command(version, after_help = settings_help(), verbatim_doc_comment)]
pub(crate) struct Cli {
    /// A settings file (TOML); environment variables take precedence over it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the issuer over HTTP (the default without a command)
    Serve,
    /// Manage the users
    #[command(subcommand)]
    Users(users::Users),
    /// List or end sessions
    #[command(subcommand)]
    Sessions(sessions::Sessions),
    /// Manage the machine clients, which get tokens in their own name
    #[command(subcommand)]
    Clients(clients::Clients),
    /// Print the audit log, one line of JSON per event, oldest first
    Audit {
        /// Begin after the event with this serial number
        #[arg(long, value_name = "SERIAL", default_value_t = 0)]
        after: i64,
    },
    /// Manage the signing keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Confirm that the machine's clock is correct
    #[command(subcommand)]
    Clock(clock::Clock),
    /// After restoring a database from a backup: make it safe before the issuer serves from it
    ///
    /// Withdraws all keys, ends all sessions and starts new status lists: a backup has keys that
    /// were withdrawn later and sessions that ended later. Users must log in again.
    Restored {
        /// Confirm: no issuer process runs on this database
        #[arg(long, required = true)]
        stopped: bool,
    },
    /// Check or print the settings
    #[command(subcommand)]
    Config(config::Config),
}

impl Cli {
    /// Returns the log filter that is used if `RUST_LOG` is not set. A command that ends at once
    /// prints its result itself, so it logs only warnings.
    pub(crate) fn default_log_filter(&self) -> &'static str {
        if self.serves() { SERVE_LOG } else { "warn" }
    }

    fn serves(&self) -> bool {
        matches!(self.command, None | Some(Command::Serve))
    }
}

pub(crate) async fn run(cli: Cli) -> Result<ExitCode, Box<dyn Error>> {
    let sources = SettingSources::from_env(cli.config.as_deref())?;
    let command = match cli.command.unwrap_or(Command::Serve) {
        Command::Config(command) => return config::run(command, &sources),
        other => other,
    };
    warn_of_ignored_variables();
    act(command, sources.config()?).await.map(|()| ExitCode::SUCCESS)
}

async fn act(command: Command, config: IssuerConfig) -> Outcome {
    match command {
        Command::Serve => serve::serve(config).await,
        Command::Users(command) => users::run(command, config).await,
        Command::Sessions(command) => sessions::run(command, config).await,
        Command::Clients(command) => clients::run(command, config).await,
        Command::Audit { after } => audit::run(after, config).await,
        Command::Keys(command) => keys::run(command, config).await,
        Command::Clock(command) => clock::run(command, config).await,
        Command::Restored { stopped: _ } => restored::run(config).await,
        // These commands need no valid settings, and ran before the settings were checked.
        Command::Config(_) => Ok(()),
    }
}

/// Prints an error and its causes to standard error.
pub(crate) fn complain(error: &dyn Error) {
    eprintln!("portcullis-issuer: {}", explanation(error));
}

/// Returns an error and its causes. Omits a cause whose text the previous line already contains.
fn explanation(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut lines = told.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !told.contains(&why) {
            lines += &format!("\n  because: {why}");
            told = why;
        }
        cause = error.source();
    }
    lines
}

/// Opens the issuer, does the work, and closes the database even if the work failed.
async fn with_issuer(config: IssuerConfig, work: impl AsyncFnOnce(&Issuer) -> Outcome) -> Outcome {
    let issuer = Issuer::open(config).await?;
    let outcome = work(&issuer).await;
    issuer.close().await;
    outcome
}

/// Returns an error if there is no database, for commands that need an existing one.
fn require_database(config: &IssuerConfig) -> Outcome {
    if config.database_url.is_some() || config.database.exists() {
        return Ok(());
    }
    let path = absolute(&config.database);
    Err(format!(
        "there is no database {}. Set IDENTSPHERE_DATABASE to the database that your issuer uses, \
         or start the issuer once",
        path.display()
    )
    .into())
}

/// Returns the name of the database, for messages.
fn database(config: &IssuerConfig) -> String {
    match &config.database_url {
        Some(url) => url.to_string(),
        None => absolute(&config.database).display().to_string(),
    }
}

/// Returns the number of sessions, for messages.
fn sessions_in_words(number: u64) -> String {
    match number {
        1 => "1 session".to_owned(),
        number => format!("{number} sessions"),
    }
}

/// Returns the absolute path, for messages that are read in another working directory.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn settings_help() -> String {
    let mut help = format!(
        "Settings are environment variables, or keys of the TOML file that --config or \
         {CONFIG_VARIABLE} names: the key of IDENTSPHERE_ACCESS_EXPIRY_SECS is \
         access_expiry_secs.\n"
    );
    for setting in SETTINGS {
        let default = match setting.default {
            "" => "not set".to_owned(),
            value => format!("default {value}"),
        };
        help += &format!("\n  {} ({default})\n      {}.\n", setting.name, setting.meaning);
    }
    help + "\n  RUST_LOG (default info for `serve`, otherwise warn)\n      Filter of the log on \
            standard error."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Because {
        text: &'static str,
        source: Option<Box<Because>>,
    }

    #[test]
    fn cause_in_the_previous_line_is_not_repeated() {
        let chain = ["no store: disk full", "disk full", "code 13"];
        let error = chain
            .into_iter()
            .rev()
            .fold(None, |source, text| Some(Box::new(Because { text, source })));
        assert_eq!(explanation(&*error.unwrap()), "no store: disk full\n  because: code 13");
    }
}
