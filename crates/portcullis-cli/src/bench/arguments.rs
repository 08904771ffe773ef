//! The options of `portcullis bench`.

use std::path::PathBuf;
use std::thread;

use clap::Args;
use portcullis::{Algorithm, Profile};

use crate::exit::Failure;
use crate::units;

/// What is measured, and with what. Without a token, tokens are generated.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// A token of yours; `-` for a line each on standard input. Its keys come from --jwks, or from
    /// its issuer. Without one, keys and tokens are generated.
    #[arg(value_name = "TOKEN")]
    pub(super) tokens: Vec<String>,

    /// Where your token's keys are: an https URL, an http one on this machine, or a file. [default:
    /// discovered below its issuer]
    #[arg(long, value_name = "URL|FILE", requires = "tokens", help_heading = "Your token")]
    pub(super) jwks: Option<String>,

    /// What `iss` must say. [default: what it says]
    #[arg(long, value_name = "URL", requires = "tokens", help_heading = "Your token")]
    pub(super) issuer: Option<String>,

    /// What `aud` must hold. [default: what it holds]
    #[arg(long, value_name = "NAME", requires = "tokens", help_heading = "Your token")]
    pub(super) audience: Option<String>,

    /// The kind of token, as in `check`.
    #[arg(long, value_name = "NAME", default_value = "jwt", help_heading = "Your token")]
    pub(super) profile: Profile,

    /// The algorithm of generated tokens; repeat it for several. [default: RS256, PS256, ES256, EdDSA]
    #[arg(long, value_name = "NAME", conflicts_with = "tokens")]
    pub(super) alg: Vec<Algorithm>,

    /// Rounds in which everything is measured, interleaved: more of them narrow the spread.
    #[arg(long, value_name = "NUMBER", default_value_t = 31, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) rounds: u64,

    /// Measure with up to so many threads. [default: as many as there are cores]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,

    /// Measure with up to so many distinct tokens, each of which comes again.
    #[arg(long, value_name = "NUMBER", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) distinct: u64,

    /// How many cores so many requests a second take for validation.
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(super) rps: u64,

    /// Requests a second while a key is rotated.
    #[arg(long, value_name = "NUMBER", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(100..=50_000), help_heading = "Key rotation")]
    pub(super) rotation_rps: u64,

    /// For how long, half of it before the rotation; 0 leaves it out.
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = units::seconds_within::<0, 600>, help_heading = "Key rotation")]
    pub(super) rotation_secs: u64,

    /// How long the issuer takes to answer with its keys.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 20, value_parser = units::latency, help_heading = "Key rotation")]
    pub(super) jwks_latency: u64,

    /// A URL of your service that is protected, to which your token is sent.
    #[arg(
        long,
        value_name = "URL",
        requires = "tokens",
        requires = "without_layer",
        help_heading = "Over HTTP"
    )]
    pub(super) with_layer: Option<String>,

    /// A URL of the same service that is not, for comparison. The token is sent there, too.
    #[arg(long, value_name = "URL", requires = "with_layer", help_heading = "Over HTTP")]
    pub(super) without_layer: Option<String>,

    /// Requests to each of the two.
    #[arg(long, value_name = "NUMBER", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(10..=10_000_000), help_heading = "Over HTTP")]
    pub(super) http_requests: u64,

    /// Compare two reports that --json wrote, of two machines or of two versions.
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["tokens", "html", "csv"], help_heading = "Compare")]
    pub(super) compare: Vec<PathBuf>,

    /// Measure nothing, and show a report that --json wrote: on a host without a browser, say.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tokens", "compare"], help_heading = "Compare")]
    pub(super) from: Option<PathBuf>,

    /// Write an HTML page with plots, which needs nothing else.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) html: Option<PathBuf>,

    /// Write every figure in a line of its own.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) csv: Option<PathBuf>,

    /// One JSON object, which --compare reads.
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

    /// 1, 2, 4, … and the most.
    pub(super) fn threads(&self) -> Vec<usize> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let most = self.threads.map_or_else(cores, |threads| threads as usize);
        steps(most, 2)
    }

    /// 1, 4, 16, … and the most.
    pub(super) fn distinct(&self) -> Vec<usize> {
        steps(self.distinct as usize, 4)
    }

    /// What no option can see of itself.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.alg.iter().find(|algorithm| !Algorithm::ALL.contains(algorithm)) {
            Some(algorithm) => Err(Failure::wrong(format!("--alg is {algorithm}: not asymmetric"))),
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
    fn steps_end_with_the_most() {
        for (most, factor, expected) in
            [(1, 2, &[1][..]), (2, 2, &[1, 2]), (6, 2, &[1, 2, 4, 6]), (16, 4, &[1, 4, 16])]
        {
            assert_eq!(steps(most, factor), expected);
        }
    }
}
