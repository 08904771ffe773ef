//! The options of `portcullis bench`.

use std::path::PathBuf;
use std::thread;

use clap::Args;
use portcullis::{Algorithm, Profile};

use crate::exit::Failure;
use crate::units;

/// The options of `bench`: the tokens to measure with, and the measurements to make. Without a
/// token, keys and tokens are generated.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Token to measure with; `-` for one per line on standard input. Its keys come from --jwks or its
    /// issuer. [default: generated keys and tokens]
    #[arg(value_name = "TOKEN")]
    pub(super) tokens: Vec<String>,

    /// JWKS of the token: an https URL, an http URL on this machine, or a file. [default: discovered at
    /// its issuer]
    #[arg(long, value_name = "URL|FILE", requires = "tokens", help_heading = "Your token")]
    pub(super) jwks: Option<String>,

    /// Expected `iss`. [default: that of the token]
    #[arg(long, value_name = "URL", requires = "tokens", help_heading = "Your token")]
    pub(super) issuer: Option<String>,

    /// Expected `aud`. [default: the token's first audience]
    #[arg(long, value_name = "NAME", requires = "tokens", help_heading = "Your token")]
    pub(super) audience: Option<String>,

    /// Profile of the token, as in `check`.
    #[arg(long, value_name = "NAME", default_value = "jwt", help_heading = "Your token")]
    pub(super) profile: Profile,

    /// Algorithm of generated tokens; may be repeated. [default: RS256, PS256, ES256, EdDSA]
    #[arg(long, value_name = "NAME", conflicts_with = "tokens")]
    pub(super) alg: Vec<Algorithm>,

    /// Number of interleaved rounds: more rounds narrow the spread.
    #[arg(long, value_name = "NUMBER", default_value_t = 31, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) rounds: u64,

    /// Maximum number of threads. [default: number of cores]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,

    /// Maximum number of distinct tokens in the cache measurement, which validates them in turn.
    #[arg(long, value_name = "NUMBER", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) distinct: u64,

    /// Request rate, per second, for which the report states the number of cores needed.
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(super) rps: u64,

    /// Requests per second during the key rotation.
    #[arg(long, value_name = "NUMBER", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(100..=50_000), help_heading = "Key rotation")]
    pub(super) rotation_rps: u64,

    /// Duration of the rotation test: half before the rotation, half after it. 0 skips the test.
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = units::seconds_within::<0, 600>, help_heading = "Key rotation")]
    pub(super) rotation_secs: u64,

    /// Latency that is added to each fetch of the issuer's JWKS.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 20, value_parser = units::latency, help_heading = "Key rotation")]
    pub(super) jwks_latency: u64,

    /// URL of a protected route of your service. The token is sent there.
    #[arg(
        long,
        value_name = "URL",
        requires = "tokens",
        requires = "without_layer",
        help_heading = "Over HTTP"
    )]
    pub(super) with_layer: Option<String>,

    /// URL of an unprotected route of the same service, for comparison. The token is sent there as well.
    #[arg(long, value_name = "URL", requires = "with_layer", help_heading = "Over HTTP")]
    pub(super) without_layer: Option<String>,

    /// Number of requests to each of the two URLs.
    #[arg(long, value_name = "NUMBER", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(10..=10_000_000), help_heading = "Over HTTP")]
    pub(super) http_requests: u64,

    /// Compare two reports written with --json: of two machines, versions or runs.
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["tokens", "html", "csv"], help_heading = "Compare")]
    pub(super) compare: Vec<PathBuf>,

    /// Show a report written with --json instead of measuring, to draw the plots on another host.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tokens", "compare"], help_heading = "Compare")]
    pub(super) from: Option<PathBuf>,

    /// Write the report as a self-contained HTML page with plots.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) html: Option<PathBuf>,

    /// Write a CSV file with a line for each figure.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) csv: Option<PathBuf>,

    /// Write one JSON object, for --compare and --from.
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
}

impl BenchArguments {
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        if self.alg.is_empty() {
            return vec![Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Ed25519];
        }
        self.alg.clone()
    }

    /// Returns the numbers of threads to measure: 1, 2, 4, … and the maximum.
    pub(super) fn threads(&self) -> Vec<usize> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let most = self.threads.map_or_else(cores, |threads| threads as usize);
        steps(most, 2)
    }

    /// Returns the numbers of distinct tokens to measure: 1, 4, 16, … and the maximum.
    pub(super) fn distinct(&self) -> Vec<usize> {
        steps(self.distinct as usize, 4)
    }

    /// Checks that each algorithm is asymmetric, which clap cannot check.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.alg.iter().find(|algorithm| !Algorithm::ALL.contains(algorithm)) {
            Some(algorithm) => Err(Failure::wrong(format!(
                "--alg is {algorithm}; it must be asymmetric, such as ES256"
            ))),
            None => Ok(()),
        }
    }
}

fn steps(most: usize, factor: usize) -> Vec<usize> {
    let below = std::iter::successors(Some(1_usize), |step| step.checked_mul(factor));
    below.take_while(|step| *step < most).chain([most]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_end_with_the_maximum() {
        for (most, factor, expected) in
            [(1, 2, &[1][..]), (2, 2, &[1, 2]), (6, 2, &[1, 2, 4, 6]), (16, 4, &[1, 4, 16])]
        {
            assert_eq!(steps(most, factor), expected);
        }
    }
}
