//! `portcullis`: validates tokens and signatures as a service with the crate `portcullis` does.

#[cfg(feature = "bench")]
mod bench;
mod check;
mod cli;
mod document;
mod exit;
mod inspect;
mod jwks;
mod jws;
mod lines;
mod output;
mod plot;
mod tune;
mod units;

use std::process::ExitCode;

use crate::cli::Command;

fn main() -> ExitCode {
    let outcome = match cli::parse() {
        #[cfg(feature = "bench")]
        Ok(Command::Bench(arguments)) => bench::run(&arguments),
        #[cfg(not(feature = "bench"))]
        Ok(Command::Bench { .. }) => Err(exit::Failure::wrong(cli::WITHOUT_BENCH)),
        Ok(Command::Check(arguments)) => check::run(&arguments),
        Ok(Command::Inspect(arguments)) => inspect::run(&arguments),
        Ok(Command::Jwks(arguments)) => jwks::run(&arguments),
        Ok(Command::Jws) => jws::run(),
        Ok(Command::Completions { shell }) => output::bytes(&cli::completions(shell)),
        Ok(Command::Tune(arguments)) => tune::run(&arguments),
        Err(exit) => Ok(exit),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::complain(&format!("portcullis: {failure}"));
            failure.exit().into()
        }
    }
}
