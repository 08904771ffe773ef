//! The report in words and columns.

use std::fmt;

use super::report::{Http, Quantiles, Report, Rotation, Spread};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(f, "{}, {} cores, {}", machine.cpu, machine.cores, machine.system)?;
        for warning in self.warnings() {
            writeln!(f, "{warning}")?;
        }
        for validation in &self.validations {
            writeln!(
                f,
                "\n{}, a token of {} bytes\n  {:<22} {:>10} {:>21} {:>15} {:>8}",
                validation.algorithm,
                validation.token_bytes,
                "",
                "time",
                "of the bare check",
                "jsonwebtoken",
                "allocs"
            )?;
            for case in &validation.cases {
                let spread = |spread: Option<Spread>| spread.map_or("".to_owned(), ratio);
                writeln!(
                    f,
                    "  {:<22} {:>10} {:>21} {:>15} {:>8.1}",
                    case.name,
                    time(case.nanos.median),
                    spread(case.to_bare),
                    case.to_jsonwebtoken.map_or(String::new(), |to| format!("{:.2}", to.median)),
                    case.allocations,
                )?;
            }
            writeln!(f, "  single runs{QUANTILES}")?;
            for case in &validation.cases {
                writeln!(f, "  {:<22} {}", case.name, quantiles(&case.single))?;
            }
        }
        for cores in &self.cores {
            let theirs = cores
                .jsonwebtoken
                .map_or(String::new(), |cores| format!("; jsonwebtoken {cores:.2}"));
            let rps = cores.rps;
            writeln!(
                f,
                "\n{rps} requests/s with {} take {:.2} cores if every token is new, {:.3} if none is{theirs}",
                cores.algorithm, cores.cold, cores.warm
            )?;
        }
        if !self.threads.is_empty() {
            writeln!(f, "\nvalidations/s by threads")?;
        }
        for threads in &self.threads {
            let Spread { median, p10, p90 } = threads.per_second;
            let (case, threads) = (&threads.case, threads.threads);
            writeln!(f, "  {case:<6} {threads:>4} {median:>12.0}  ({p10:.0} to {p90:.0})")?;
        }
        if !self.distinct.is_empty() {
            writeln!(f, "\na warm validation by tokens that come by turns")?;
        }
        for distinct in &self.distinct {
            let again = if distinct.allocations > 0.0 { "  some are verified again" } else { "" };
            let nanos = time(distinct.nanos.median);
            writeln!(f, "  {:>8} {nanos:>10}{again}", distinct.tokens)?;
        }
        if let Some(rotation) = &self.rotation {
            rotation.fmt(f)?;
        }
        if let Some(http) = &self.http {
            http.fmt(f)?;
        }
        write!(
            f,
            "\n{} rounds, interleaved; a ratio is of the same round, and (from to) holds eight rounds of \
             ten. Single runs have the reading of the clock in them: {:.0} ns.",
            self.rounds, self.clock_nanos
        )
    }
}

impl Report {
    /// What makes figures worth less than they look.
    pub(super) fn warnings(&self) -> Vec<&'static str> {
        let warnings = [
            (!self.machine.optimised, "NOT OPTIMISED: a debug build; its figures say nothing"),
            (self.interrupted, "interrupted: what was measured until then"),
            (self.expired, "the token has expired, and is judged as at the time it was issued"),
        ];
        warnings.into_iter().filter_map(|(holds, warning)| holds.then_some(warning)).collect()
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\na key that signs as soon as it is published; {} requests/s, the issuer answers after {} ms\n\
             {:13}{QUANTILES}\n  {:<22} {}\n  {:<22} {}\n  refused: {}; fetches of the keys: {}",
            self.rps,
            self.jwks_latency_millis,
            "",
            "before",
            quantiles(&self.before),
            "from then on",
            quantiles(&self.through),
            self.refused,
            self.fetches
        )
    }
}

impl fmt::Display for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nover HTTP\n{:13}{QUANTILES}\n  {:<22} {}\n  {:<22} {}\n  added: {} ({} to {})",
            "",
            "without the layer",
            quantiles(&self.without),
            "with it",
            quantiles(&self.with),
            time(self.added.median),
            time(self.added.p10),
            time(self.added.p90)
        )
    }
}

const QUANTILES: &str = "                    p50        p90        p99      p99.9        max";

fn quantiles(quantiles: &Quantiles) -> String {
    let Quantiles { p50, p90, p99, p999, max, .. } = *quantiles;
    [p50, p90, p99, p999, max].map(|nanos| format!("{:>10}", time(nanos as f64))).join(" ")
}

fn ratio(spread: Spread) -> String {
    format!("{:.3} ({:.2} {:.2})", spread.median, spread.p10, spread.p90)
}

pub(super) fn time(nanos: f64) -> String {
    match nanos.abs() {
        ns if ns < 1e3 => format!("{nanos:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", nanos / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", nanos / 1e6),
        _ => format!("{:.2} s", nanos / 1e9),
    }
}
