//! The report in words and columns.

use std::fmt;

use super::report::{Http, Quantiles, Report, Rotation, Spread};
use super::validate::{BARE, COLD};
use crate::units::number;

/// Eight rounds of ten of one and the same work are within so much on a machine with nothing else to do.
const STEADY: f64 = 1.15;

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
                "\n{}, a token of {} bytes, {} rounds\n  {:<22} {:>25} {:>25} {:>8} {:>29}",
                validation.algorithm,
                validation.token_bytes,
                validation.rounds,
                "",
                "of the bare check",
                "of jsonwebtoken",
                "allocs",
                "time here"
            )?;
            for case in &validation.cases {
                let spread = |spread: Option<Spread>| spread.map_or("".to_owned(), ratio);
                writeln!(
                    f,
                    "  {:<22} {:>25} {:>25} {:>8.1} {:>29}",
                    case.name,
                    spread(case.to_bare),
                    spread(case.to_jsonwebtoken),
                    case.allocations,
                    times(case.nanos),
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
            let nanos = times(distinct.nanos);
            writeln!(f, "  {:>8} {nanos:>29}{again}", distinct.tokens)?;
        }
        if let Some(rotation) = &self.rotation {
            rotation.fmt(f)?;
        }
        if let Some(http) = &self.http {
            http.fmt(f)?;
        }
        write!(
            f,
            "\nEvery case has its turn in every round. A ratio is of the same round, so that what disturbs \
             the machine is in both: compare ratios. (from to) holds eight rounds of ten. Times belong to \
             this machine as it was just now. Single runs have the reading of the clock in them: {:.0} ns.",
            self.clock_nanos
        )
    }
}

impl Report {
    /// What makes figures worth less than they look.
    pub(super) fn warnings(&self) -> Vec<String> {
        let warnings = [
            (!self.machine.optimised, "NOT OPTIMISED: a debug build; its figures say nothing"),
            (self.interrupted, "interrupted: what was measured until then"),
            (self.expired, "the token has expired, and is judged as at the time it was issued"),
        ];
        let warnings = warnings.into_iter().filter(|(holds, _)| *holds);
        warnings.map(|(_, warning)| warning.to_owned()).chain(self.noise()).collect()
    }

    /// What the machine was too busy for. The bare check is in every validation, so that a validation
    /// without it in less time says how far the measuring itself is off.
    fn noise(&self) -> Vec<String> {
        let mut noise = Vec::new();
        for validation in &self.validations {
            let algorithm = &validation.algorithm;
            let bare = validation.case(BARE).map(|case| case.nanos);
            if let Some(bare) = bare.filter(|bare| bare.p90 > STEADY * bare.p10) {
                noise.push(format!(
                    "NOISY: the bare check of {algorithm} alone took {} to {}; read its ratios, not its times",
                    time(bare.p10),
                    time(bare.p90)
                ));
            }
            let cold = validation.case(COLD).and_then(|case| case.to_bare);
            if let Some(cold) = cold.filter(|cold| cold.p10 < 1.0) {
                noise.push(format!(
                    "TOO NOISY for what {algorithm} costs beside the bare check, which a cold validation \
                     contains: {} of it. Have the machine idle, or take more --rounds",
                    ratio(cold)
                ));
            }
        }
        noise
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

pub(super) fn ratio(spread: Spread) -> String {
    let Spread { median, p10, p90 } = spread;
    // Of a small one two decimals say nothing.
    if median < 0.1 {
        return format!("{} ({} {})", number(median), number(p10), number(p90));
    }
    format!("{median:.3} ({p10:.2} {p90:.2})")
}

pub(super) fn times(spread: Spread) -> String {
    format!("{} ({} {})", time(spread.median), time(spread.p10), time(spread.p90))
}

pub(super) fn time(nanos: f64) -> String {
    match nanos.abs() {
        ns if ns < 1e3 => format!("{nanos:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", nanos / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", nanos / 1e6),
        _ => format!("{:.2} s", nanos / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::{Case, Machine, Validation};
    use super::*;

    fn report(bare: [f64; 3], cold: [f64; 3]) -> Report {
        let spread = |[p10, median, p90]: [f64; 3]| Spread { median, p10, p90 };
        let single = Quantiles { p50: 1, p90: 1, p99: 1, p999: 1, max: 1, count: 1 };
        let case = |name: &str, nanos, to_bare| Case {
            name: name.to_owned(),
            nanos: spread(nanos),
            to_bare: Some(spread(to_bare)),
            to_jsonwebtoken: None,
            allocations: 0.0,
            single,
        };
        let cases = vec![case(BARE, bare, [1.0; 3]), case(COLD, bare, cold)];
        Report {
            machine: Machine { optimised: true, ..Machine::this() },
            generated: true,
            expired: false,
            rounds: 31,
            interrupted: false,
            clock_nanos: 20.0,
            validations: vec![Validation {
                algorithm: "ES256".to_owned(),
                token_bytes: 700,
                rounds: 31,
                cases,
            }],
            cores: Vec::new(),
            threads: Vec::new(),
            distinct: Vec::new(),
            rotation: None,
            http: None,
        }
    }

    #[test]
    fn a_machine_that_is_too_noisy_for_a_claim_is_said_to_be() {
        let said = |bare, cold| report(bare, cold).warnings().join("\n");
        assert_eq!(said([19e3, 20e3, 21e3], [1.05, 1.1, 1.2]), "");
        let noisy = said([60e3, 70e3, 90e3], [1.05, 1.1, 1.2]);
        assert!(noisy.contains("NOISY") && noisy.contains("60.0 µs to 90.0 µs"), "{noisy}");
        // A cold validation that takes less than the check in it.
        let below = said([19e3, 20e3, 21e3], [0.96, 1.02, 1.2]);
        assert!(below.contains("TOO NOISY") && below.contains("1.020 (0.96 1.20)"), "{below}");
    }

    #[test]
    fn small_ratios_have_their_digits() {
        let spread = Spread { median: 0.002_884, p10: 0.002_85, p90: 0.002_95 };
        assert_eq!(ratio(spread), "0.00288 (0.00285 0.00295)");
    }

    /// Ratios come first, and no time stands without its spread.
    #[test]
    fn every_time_has_its_spread_beside_it() {
        let text = report([19e3, 20e3, 21e3], [1.05, 1.1, 1.2]).to_string();
        let row = text.lines().find(|line| line.starts_with("  cold")).unwrap();
        let (ratio, time) = (row.find("1.100 (1.05 1.20)"), row.find("20.0 µs (19.0 µs 21.0 µs)"));
        assert!(ratio.unwrap() < time.unwrap(), "{row}");
    }
}
