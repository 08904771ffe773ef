//! Runs the servers that users choose instead of a library, and renders their tables.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::figures::Figures;
use super::page::shown;
use crate::install;
use crate::run::{Failure, cargo, output, program, root, run, version};

/// The groups of the figures, and what the first column's heading says of the tokens.
const GROUPS: [(&str, &str); 2] = [
    ("gateways, one token", "one token in all requests"),
    ("gateways, many tokens", "each token new to its cache"),
];

const SPRING: &str = "benches/benches/gateways/spring";

/// Measures the servers. Without Java and Maven, Spring's row says that it was not measured.
pub(crate) fn measure(rounds: &str) -> Result<String, Failure> {
    if version("taskset").is_none() || version("setpriv").is_none() {
        return Err(Failure::new("`taskset` or `setpriv` is missing: install Debian's util-linux"));
    }
    let mut bench = cargo(&["bench", "-p", "portcullis-benches", "--bench", "gateways", "--"]);
    bench.arg(rounds).env("PORTCULLIS_ENVOY", install::envoy()?);
    if let Some(jar) = spring()? {
        bench.env("PORTCULLIS_SPRING", jar);
    }
    output(&mut bench)
}

fn spring() -> Result<Option<PathBuf>, Failure> {
    if version("java").is_none() || version("mvn").is_none() {
        return Ok(None);
    }
    let folder = root().join(SPRING);
    run(program("mvn").current_dir(&folder).args(["-q", "-B", "package"]))?;
    Ok(Some(folder.join("target/fine.jar")))
}

/// Returns a table for one token and one for many, with the notes below each.
pub(crate) fn tables(figures: &Figures) -> String {
    GROUPS
        .iter()
        .map(|(group, tokens)| table(figures, group, tokens))
        .collect::<Vec<_>>()
        .join("\n")
}

fn table(figures: &Figures, group: &str, tokens: &str) -> String {
    let [time, half, most] = ["time", "p50", "p99"].map(|what| format!("{group}: {what}"));
    let mut text = format!("| {tokens} | requests/s | 8 of 10 | / unprotected | p50 | p99 |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    let first = figures.of(&time).next().map(|case| case.name.as_str());
    for case in figures.of(&time) {
        let name = case.name.as_str();
        let median = |group: &str| Some(shown(figures.case(group, name)?.spread()?.median));
        let ratio = first.and_then(|first| {
            figures.combined([(&time, first), (&time, name)], |[first, this]| first / this)
        });
        let measured = case.spread().zip(ratio).zip(median(&half)).zip(median(&most));
        let _ = match measured {
            Some((((spread, ratio), half), most)) => writeln!(
                text,
                "| {name} | {} | {} – {} | {:.3} | {half} | {most} |",
                rate(spread.median),
                // The longest time is the lowest rate.
                rate(spread.high),
                rate(spread.low),
                ratio.median,
            ),
            None => writeln!(text, "| {name} | not measured: no `java` or no `mvn` | | | | |"),
        };
    }
    for note in figures.notes(group) {
        let _ = write!(text, "\n{note}\n");
    }
    text
}

/// The number of requests in a second, of which each takes this many nanoseconds, with three
/// significant digits.
fn rate(nanos: f64) -> String {
    let rate = 1e9 / nanos;
    let unit = 10_f64.powf(rate.log10().floor() - 2.0).max(1.0);
    let digits = format!("{:.0}", (rate / unit).round() * unit);
    match digits.len().checked_sub(3).filter(|at| *at > 0) {
        Some(at) => format!("{},{}", &digits[..at], &digits[at..]),
        None => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits() {
        for (nanos, shown) in [
            (8_012.0, "125,000"),
            (10_526.3, "95,000"),
            (152_905.2, "6,540"),
            (434_000.0, "2,300"),
            (2e6, "500"),
            (1e9, "1"),
        ] {
            assert_eq!(rate(nanos), shown);
        }
    }

    #[test]
    fn table_has_each_server_and_says_which_was_not_measured() {
        let text = "gateways, one token: time\tunprotected\t\t8000 10000 12000\n\
                    gateways, one token: time\twarm\t\t16000 20000 24000\n\
                    gateways, one token: time\tSpring\t\t\n\
                    gateways, one token: p50\tunprotected\t\t100000\n\
                    gateways, one token: p50\twarm\t\t200000\n\
                    gateways, one token: p99\tunprotected\t\t300000\n\
                    gateways, one token: p99\twarm\t\t400000\n\
                    note\tgateways, one token\tSo many connections.\n";
        let tables = tables(&Figures::parse(text).unwrap());
        let (one, _) = tables.split_once("| each token new to its cache").unwrap();
        assert_eq!(
            one,
            "| one token in all requests | requests/s | 8 of 10 | / unprotected | p50 | p99 |\n\
             |---|---|---|---|---|---|\n\
             | unprotected | 100,000 | 100,000 – 125,000 | 1.000 | 100.00 µs | 300.00 µs |\n\
             | warm | 50,000 | 50,000 – 62,500 | 0.500 | 200.00 µs | 400.00 µs |\n\
             | Spring | not measured: no `java` or no `mvn` | | | | |\n\
             \n\
             So many connections.\n\n",
        );
    }
}
