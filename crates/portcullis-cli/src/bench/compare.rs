//! `--compare`: two reports side by side. Times differ between machines; ratios should not.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::report::{Machine, Report, Spread, Validation};
use super::text::{ratio, time};
use crate::exit::Failure;
use crate::units::number;

#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    a: Machine,
    b: Machine,
    rows: Vec<Row>,
}

/// A case that both reports contain.
#[derive(Debug, Serialize)]
struct Row {
    algorithm: String,
    case: String,
    nanos: [f64; 2],
    /// The time in report B, divided by the time in report A.
    b_to_a: f64,
    to_bare: Option<[Spread; 2]>,
    /// Whether the ratios differ by more than those of two runs of the same binary do.
    differs: bool,
    allocations: [f64; 2],
}

impl Comparison {
    pub(super) fn read(files: &[impl AsRef<Path>]) -> Result<Self, Failure> {
        let reports: Result<Vec<_>, _> =
            files.iter().map(|file| Report::read("--compare", file.as_ref())).collect();
        let [a, b] = <[Report; 2]>::try_from(reports?)
            .map_err(|_| Failure::wrong("--compare needs two files"))?;
        let other = |of: &Validation| {
            b.validations.iter().find(|validation| validation.algorithm == of.algorithm)
        };
        let both =
            a.validations.iter().filter_map(|validation| Some((validation, other(validation)?)));
        let rows: Vec<_> = both.flat_map(|(a, b)| rows(a, b)).collect();
        if rows.is_empty() {
            return Err(Failure::wrong("--compare: the reports have no algorithm in common"));
        }
        Ok(Self { a: a.machine, b: b.machine, rows })
    }
}

fn rows(a: &Validation, b: &Validation) -> Vec<Row> {
    let both = a.cases.iter().filter_map(|case| Some((case, b.case(&case.name)?)));
    let row = |(x, y): (&super::report::Case, &super::report::Case)| Row {
        algorithm: a.algorithm.clone(),
        case: x.name.clone(),
        nanos: [x.nanos.median, y.nanos.median],
        b_to_a: y.nanos.median / x.nanos.median,
        to_bare: x.to_bare.zip(y.to_bare).map(|(x, y)| [x, y]),
        differs: x.to_bare.zip(y.to_bare).is_some_and(|(x, y)| differ(x, y)),
        allocations: [x.allocations, y.allocations],
    };
    both.map(row).collect()
}

/// The maximum ratio between the medians of two runs of the same binary on one machine. It holds even if
/// the spread within each run is narrow.
const RUNS: f64 = 1.05;

fn differ(a: Spread, b: Spread) -> bool {
    let (less, more) = if a.median < b.median { (a, b) } else { (b, a) };
    less.p90 < more.p10 && more.median > RUNS * less.median
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, machine) in [("A", &self.a), ("B", &self.b)] {
            let Machine { cpu, cores, system, portcullis, .. } = machine;
            writeln!(f, "{name}: {cpu}, {cores} cores, {system}, portcullis {portcullis}")?;
        }
        write!(
            f,
            "\n{:<8} {:<22} {:>25} {:>25} {:<8} {:>15} {:>10} {:>10} {:>6}",
            "", "", "A/bare check", "B/bare check", "", "allocations", "time A", "time B", "B/A"
        )?;
        for row in &self.rows {
            let [a, b] = row.nanos.map(time);
            let [p, q] = row.to_bare.map_or([const { String::new() }; 2], |both| both.map(ratio));
            let verdict = if row.differs { "differ" } else { "" };
            let [x, y] = row.allocations.map(number);
            write!(
                f,
                "\n{:<8} {:<22} {p:>25} {q:>25} {verdict:<8} {x:>7} {y:>7} {a:>10} {b:>10} {:>6}",
                row.algorithm,
                row.case,
                number(row.b_to_a)
            )?;
        }
        write!(
            f,
            "\n\nCompare ratios: both parts of a ratio are from the same round. `differ`: the ranges of 80 % of \
             the rounds do not overlap, and the medians are more than 5 % apart. Two runs of one \
             binary differ by less. Times depend on the machine and its load."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_of_one_binary_do_not_differ() {
        let spread = |p10, median, p90| Spread { median, p10, p90 };
        for (a, b, expected) in [
            // Two consecutive runs on one machine: the spread within each run is narrow, and the
            // medians are 2 % apart.
            (spread(2.20, 2.221, 2.23), spread(2.24, 2.266, 2.50), false),
            (spread(1.0, 1.1, 1.2), spread(1.15, 1.3, 1.5), false),
            (spread(1.0, 1.1, 1.2), spread(1.25, 1.3, 1.5), true),
        ] {
            assert_eq!((differ(a, b), differ(b, a)), (expected, expected), "{a:?} {b:?}");
        }
    }
}
