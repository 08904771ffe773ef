//! `--csv`: one line for each figure.

use super::report::{Quantiles, Report, Spread};

pub(super) fn csv(report: &Report) -> String {
    let mut lines = Csv("group,case,figure,value\n".to_owned());
    for validation in &report.validations {
        let group = format!("validation {}", validation.algorithm);
        for case in &validation.cases {
            lines.spread(&group, &case.name, "ns", case.nanos);
            for (figure, spread) in
                [("to_bare", case.to_bare), ("to_jsonwebtoken", case.to_jsonwebtoken)]
            {
                spread.into_iter().for_each(|to| lines.spread(&group, &case.name, figure, to));
            }
            lines.line(&group, &case.name, "allocations", case.allocations);
            lines.quantiles(&group, &case.name, &case.single);
        }
    }
    for cores in &report.cores {
        let group = format!("cores at {} rps", cores.rps);
        let algorithm = &cores.algorithm;
        lines.line(&group, algorithm, "cold", cores.cold);
        lines.line(&group, algorithm, "warm", cores.warm);
        cores.jsonwebtoken.into_iter().for_each(|theirs| {
            lines.line(&group, algorithm, "jsonwebtoken", theirs);
        });
    }
    for threads in &report.threads {
        let case = format!("{} threads", threads.threads);
        lines.spread(&format!("threads {}", threads.case), &case, "per_second", threads.per_second);
    }
    for distinct in &report.distinct {
        lines.spread("distinct tokens", &distinct.tokens.to_string(), "ns", distinct.nanos);
    }
    if let Some(rotation) = &report.rotation {
        lines.quantiles("rotation", "before", &rotation.before);
        lines.quantiles("rotation", "through", &rotation.through);
        lines.line("rotation", "through", "refused", rotation.refused as f64);
    }
    if let Some(http) = &report.http {
        lines.quantiles("http", "with", &http.with);
        lines.quantiles("http", "without", &http.without);
        lines.spread("http", "added", "ns", http.added);
    }
    lines.0
}

struct Csv(String);

impl Csv {
    /// Only `case` may contain a comma; no name contains a quote.
    fn line(&mut self, group: &str, case: &str, figure: &str, value: f64) {
        self.0 += &format!("{group},\"{case}\",{figure},{value}\n");
    }

    fn spread(&mut self, group: &str, case: &str, figure: &str, spread: Spread) {
        self.line(group, case, figure, spread.median);
        self.line(group, case, &format!("{figure}_p10"), spread.p10);
        self.line(group, case, &format!("{figure}_p90"), spread.p90);
    }

    fn quantiles(&mut self, group: &str, case: &str, quantiles: &Quantiles) {
        let Quantiles { p50, p90, p99, p999, max, .. } = *quantiles;
        for (figure, nanos) in
            [("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p999), ("max", max)]
        {
            self.line(group, case, &format!("single_ns_{figure}"), nanos as f64);
        }
    }
}
