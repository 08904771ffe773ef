//! Benchmarks of validation, compared with the bare signature check and with similar libraries (the
//! peers).

mod figures;
mod gateways;
mod goals;
mod page;
mod patterns;
mod plot;
mod profile;
mod results;
mod revocation;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;

use crate::install;
use crate::postgres::Server;
use crate::run::{Failure, cargo, output, program, root, tools_dir};
use figures::Figures;
use results::Results;

/// A part of the benchmarks that can be run separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Cold and warm tokens, compared with the bare check and jsonwebtoken
    Validator,
    /// Many tokens, two threads, a flood of new tokens, and alternative caches
    Cache,
    /// Each adapter, compared with the same service without it
    Adapters,
    /// Validation while the key set is replaced continuously
    Refresh,
    /// Whole services over loopback HTTP: CPU time per request
    Service,
    /// A flood of tokens with random `kid`s
    Flood,
    /// Time until services reject a token after logout, and the cost of status lists of a million sessions
    Revocation,
    /// Each pattern: added latency, time for which an ended session is still accepted, and refreshes
    Patterns,
    /// The same service with each peer (built first, which takes minutes)
    Peers,
    /// One app unprotected, with portcullis, behind Envoy, and written with Spring: requests per second and core
    Gateways,
    /// A cache hit, compared with Node's fast-jwt
    Node,
    /// Number of instructions by library or part of the code, counted with valgrind
    Profile,
}

/// `cargo xtask bench`: runs the benchmarks, and writes `benches/RESULTS.md` and its plots.
///
/// The page is written after each part. It keeps the figures of the parts that this run does not measure, with
/// the date and the machine of their measurement.
pub(crate) fn bench(rounds: usize, only: &[Part]) -> Result<(), Failure> {
    let parts = if only.is_empty() { Part::value_variants() } else { only };
    let mut failed = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let begun = Instant::now();
        println!("[{} of {}] {}", number + 1, parts.len(), part.name());
        // The other parts run even if this one fails.
        match part.measure(rounds).and_then(|text| part.store(&text)) {
            Ok(()) => println!("  took {} s", begun.elapsed().as_secs()),
            Err(failure) => failed.push(format!("{}: {failure}", part.name())),
        }
    }
    println!("written: benches/RESULTS.md and benches/plots");
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(failed.join("; "))) }
}

impl Part {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Replaces the part's figures in the page and its plots.
    fn store(self, measured: &str) -> Result<(), Failure> {
        let figures = Figures::parse(measured)?;
        let folder = root().join("benches");
        let file = folder.join("RESULTS.md");
        let old = fs::read_to_string(&file)
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", file.display())))?;
        let part = page::part(&self.name(), &figures)?;
        println!("{}", part.goals());
        write(file, &Results::parse(&old)?.with(part).to_string())?;
        for (name, svg) in plot::plots(&figures) {
            write(folder.join("plots").join(format!("{name}.svg")), &svg)?;
        }
        Ok(())
    }

    fn measure(self, rounds: usize) -> Result<String, Failure> {
        let rounds = format!("rounds={rounds}");
        match self {
            Self::Flood => {
                output(&mut cargo(&["bench", "-p", "portcullis-benches", "--bench", "flood"]))
            }
            Self::Revocation => {
                let bench = ["bench", "-p", "portcullis-benches", "--bench", "revocation", "--"];
                output(cargo(&bench).arg(&rounds))
            }
            Self::Patterns => {
                let postgres = Server::start(&install::postgres()?)?;
                let bench = ["bench", "-p", "portcullis-benches", "--bench", "patterns", "--"];
                output(cargo(&bench).arg(&rounds).env("PORTCULLIS_POSTGRES", &postgres.url))
            }
            Self::Peers => measure_peers(&rounds),
            Self::Gateways => gateways::measure(&rounds),
            Self::Node => measure_node(),
            Self::Profile => profile::profile(),
            Self::Service => results(&[&rounds, "part=service"]),
            Self::Cache | Self::Refresh => results(&[&rounds, &format!("part={}", self.name())]),
            Self::Validator | Self::Adapters => {
                let part = format!("part={}", self.name());
                let counted = output(counting(&mut results_command()).args(["--", &part]))?;
                Ok(counted + &results(&[&rounds, &part])?)
            }
        }
    }
}

/// Makes the command count allocations instead of measuring times, since counting takes time.
fn counting(command: &mut std::process::Command) -> &mut std::process::Command {
    command.args(["--features", "allocations"])
}

fn results_command() -> std::process::Command {
    cargo(&["bench", "--package", "portcullis-benches", "--bench", "results"])
}

fn results(arguments: &[&str]) -> Result<String, Failure> {
    output(results_command().arg("--").args(arguments))
}

fn measure_peers(rounds: &str) -> Result<String, Failure> {
    let manifest = "benches/peers/Cargo.toml";
    let peers = || {
        let mut run = cargo(&["run", "--release", "--locked", "--manifest-path", manifest]);
        // The peers have a separate target directory, since their dependencies differ.
        run.env("CARGO_TARGET_DIR", tools_dir().join("peers"));
        run
    };
    let counted = output(counting(&mut peers()))?;
    Ok(counted + &output(peers().args(["--", rounds]))?)
}

/// Measures Portcullis and fast-jwt alternately, since they cannot run in one program.
fn measure_node() -> Result<String, Failure> {
    let node = install::for_node_benchmark()?;
    let mut text = String::new();
    for _ in 0..5 {
        text += &results(&["rounds=7", "part=hit"])?;
        text += &output(program(&node).args(["benches/peers/node/fast-jwt.mjs", "7"]))?;
    }
    Ok(text)
}

fn write(path: PathBuf, text: &str) -> Result<(), Failure> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all);
    written
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}
