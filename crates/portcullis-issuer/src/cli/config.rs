//! `config`: checks and prints the settings.

use std::error::Error;
use std::process::ExitCode;

use clap::Subcommand;
use portcullis_issuer::{SettingSources, ignored_variables};

/// The exit code if the settings are valid, but a variable that looks like a setting has no effect.
const SOMETHING_IS_IGNORED: u8 = 3;

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Check the settings, without opening a database or a socket
    ///
    /// Exit code 0: the settings are right. 1: a setting is wrong, and standard error has the reason.
    /// The files, folders and servers that the settings name are not checked. 2: the command line is wrong. 3: the settings are right, but a variable that begins
    /// with IDENTSPHERE_ is not a setting and has no effect.
    Check,
    /// Print each setting, its value and where it comes from; secrets are not shown
    ///
    /// Prints three columns, separated by tabs. The last column is `variable`, `default`, or the
    /// file and the line. The values are not checked: `config check` does that.
    Show {
        /// Print a settings file instead. A setting that is not set is a comment with its default
        #[arg(long)]
        toml: bool,
    },
}

pub(super) fn run(command: Config, sources: &SettingSources) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Config::Check => check(sources),
        Config::Show { toml: true } => {
            print!("{}", sources.to_toml()?);
            Ok(ExitCode::SUCCESS)
        }
        Config::Show { toml: false } => {
            for one in sources.effective() {
                let shown = one.shown.as_deref().unwrap_or("(not set)");
                println!("{}\t{}\t{}", one.setting.name, shown.escape_debug(), one.origin);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(sources: &SettingSources) -> Result<ExitCode, Box<dyn Error>> {
    let config = sources.config()?;
    println!("the settings of {} are right", config.issuer);
    let ignored = ignored_variables();
    for (name, nearest) in &ignored {
        let nearest = nearest.map(|nearest| format!("; {nearest} is one")).unwrap_or_default();
        eprintln!("portcullis-issuer: {name} is not a setting and has no effect{nearest}");
    }
    let code = if ignored.is_empty() { 0 } else { SOMETHING_IS_IGNORED };
    Ok(ExitCode::from(code))
}
