//! The report, as --json writes it and --compare and --from read it. Times are in nanoseconds.

use std::path::Path;
use std::{fmt, fs, thread};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::exit::Failure;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    /// The command line, without tokens. Empty in reports of earlier versions.
    #[serde(default)]
    pub(super) command: String,
    /// Whether the tokens were generated.
    pub(super) generated: bool,
    /// Whether the given token has expired. It is then validated as of the time of its issue.
    pub(super) expired: bool,
    pub(super) rounds: u64,
    /// Whether Ctrl-C ended the run, so that parts are missing or have fewer rounds.
    pub(super) interrupted: bool,
    /// The time of a clock reading, which the time of every single run includes.
    pub(super) clock_nanos: f64,
    pub(super) validations: Vec<Validation>,
    pub(super) cores: Vec<Cores>,
    pub(super) threads: Vec<Threads>,
    pub(super) distinct: Vec<Distinct>,
    pub(super) rotation: Option<Rotation>,
    pub(super) http: Option<Http>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) system: String,
    pub(super) portcullis: String,
    /// False for a debug build, whose figures are meaningless.
    pub(super) optimised: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Validation {
    pub(super) algorithm: String,
    pub(super) token_bytes: usize,
    /// The number of measured rounds, which is lower if the run was interrupted.
    #[serde(default)]
    pub(super) rounds: usize,
    pub(super) cases: Vec<Case>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) nanos: Spread,
    pub(super) to_bare: Option<Spread>,
    pub(super) to_jsonwebtoken: Option<Spread>,
    pub(super) allocations: f64,
    /// The times of single runs, including the clock reading.
    pub(super) single: Quantiles,
}

/// A distribution over the rounds, of which 80 % lie between p10 and p90.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) p10: f64,
    pub(super) p90: f64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Quantiles {
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) p999: u64,
    pub(super) max: u64,
    pub(super) count: u64,
}

/// The number of cores that `rps` requests per second need, by case.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cores {
    pub(super) algorithm: String,
    pub(super) rps: u64,
    pub(super) cold: f64,
    pub(super) warm: f64,
    pub(super) jsonwebtoken: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Threads {
    pub(super) case: String,
    pub(super) threads: usize,
    pub(super) per_second: Spread,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Distinct {
    pub(super) tokens: usize,
    pub(super) nanos: Spread,
    /// The number of allocations per validation, which is above zero if the cache evicted tokens.
    pub(super) allocations: f64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rotation {
    pub(super) rps: u64,
    pub(super) jwks_latency_millis: u64,
    pub(super) before: Quantiles,
    pub(super) through: Quantiles,
    pub(super) refused: u64,
    pub(super) fetches: usize,
    /// The slowest request in each 50 ms after the rotation: the seconds since the rotation, and
    /// the duration of the request in milliseconds.
    pub(super) slowest: Vec<(f64, f64)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Http {
    pub(super) with: Quantiles,
    pub(super) without: Quantiles,
    /// The time that the layer adds: the difference of the two medians of each round.
    pub(super) added: Spread,
}

impl Report {
    /// Reads a report that --json wrote.
    pub(super) fn read(option: &str, file: &Path) -> Result<Self, Failure> {
        let wrong = |error: &dyn fmt::Display| {
            Failure::wrong(format!("{option}: {}: {error}", file.display()))
        };
        let text = fs::read_to_string(file).map_err(|error| wrong(&error))?;
        serde_json::from_str(&text)
            .map_err(|error| wrong(&format!("not a report of `bench --json`: {error}")))
    }
}

impl Spread {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().saturating_sub(1) as f64;
        let at = |share: f64| values.get((last * share).round() as usize).copied();
        let at = |share| at(share).unwrap_or_default();
        Self { median: at(0.5), p10: at(0.1), p90: at(0.9) }
    }
}

impl From<&Histogram<u64>> for Quantiles {
    fn from(histogram: &Histogram<u64>) -> Self {
        let max = histogram.max();
        // The histogram returns the upper bound of a bucket, which may be above the maximum.
        let at = |quantile| histogram.value_at_quantile(quantile).min(max);
        let (p50, p90, p99, p999) = (at(0.5), at(0.9), at(0.99), at(0.999));
        Self { p50, p90, p99, p999, max, count: histogram.len() }
    }
}

impl Machine {
    pub(super) fn this() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            cpu: model.map_or("unknown", |(_, name)| name).to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            portcullis: env!("CARGO_PKG_VERSION").to_owned(),
            optimised: !cfg!(debug_assertions),
        }
    }
}

impl Validation {
    pub(super) fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }
}

impl Cores {
    pub(super) fn of(validation: &Validation, rps: u64) -> Option<Self> {
        use super::validate::{COLD, PEER, WARM};
        let cores = |name: &str| Some(validation.case(name)?.nanos.median * rps as f64 / 1e9);
        Some(Self {
            algorithm: validation.algorithm.clone(),
            rps,
            cold: cores(COLD)?,
            warm: cores(WARM)?,
            jsonwebtoken: cores(PEER),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_rise_and_are_at_most_the_maximum() {
        for values in [&[1_u64][..], &[999_983], &[7, 1_000_003, 40_000_000_001], &[3; 100]] {
            let mut histogram = crate::bench::measure::histogram();
            values.iter().for_each(|value| histogram.saturating_record(*value));
            let Quantiles { p50, p90, p99, p999, max, .. } = (&histogram).into();
            assert!(p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= max, "{values:?}");
        }
        let spread = Spread::of([3.0, 1.0, 2.0].into_iter());
        assert!(spread.p10 <= spread.median && spread.median <= spread.p90);
    }
}
