//! The project's own chores, run as `cargo xtask <chore>`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod bench;
mod boundary;
mod ci;
mod install;
mod run;
mod stands_on;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tollgate's own chores.
///
/// `cargo test --workspace` needs Rust alone, and names the tests that it left out. The chores
/// below run those too, against real components, and install what they need.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Install what the tests need, then run every one of them
    ///
    /// Runs the ignored tests too: those that start a third-party issuer and real servers. What is
    /// missing is installed first (see `cargo xtask install --help`); what is there is left alone.
    /// Ends with an error if any test fails.
    Test,

    /// Install what the tests need, and run nothing
    ///
    /// On a bare Debian machine that is a C compiler and npm (with apt-get, through sudo when you
    /// are not root), Node 20 or newer (into `target/tools`, unless there is one) and the npm
    /// packages of the third-party issuer (into `tests/third_party/*/node_modules`).
    /// Each step says what it does and why; nothing is installed twice.
    Install,

    /// Everything that a change must pass: what `.ci/run` runs
    ///
    /// Formatting, clippy and rustdoc without a warning, the boundaries between the crates, the
    /// licences and sources of every dependency (cargo-deny, built into `target/tools` if it is
    /// missing), the same as `cargo xtask test`, and the quickstart's tour. Goes on after a failure, so that one run
    /// shows them all, and ends with the time that each step took.
    Ci,

    /// Measure, and write benches/RESULTS.md with its plots
    ///
    /// Against the bare signature check, jsonwebtoken, each adapter's service without it, and the
    /// peers (in benches/peers, a workspace of its own). All cases of a table take turns within one
    /// run, so that the ratios hold on a busy machine too; a quiet one gives narrower ones. Takes
    /// some ten minutes after the first build.
    Bench {
        /// How many rounds each case is measured in
        #[arg(long, default_value_t = 31)]
        rounds: usize,
        /// Leave the peers out, which take long to build
        #[arg(long)]
        without_peers: bool,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().chore {
        Chore::Test => test::test(),
        Chore::Install => install::for_tests().map(drop),
        Chore::Ci => ci::ci(),
        Chore::Bench { rounds, without_peers } => bench::bench(rounds, !without_peers),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
