//! The report as one page that needs nothing else.

use super::report::{Quantiles, Report};
use super::text::{time, times};
use super::validate::{BARE, COLD, PEER, WARM};
use crate::plot::{self, Axis, Bar, Line, bars, escape, plot};

/// In the order of the page, which is that of the colours.
const CASES: [(&str, &str); 4] =
    [(BARE, "bare check"), (COLD, "a new token"), (WARM, "seen before"), (PEER, "jsonwebtoken")];

pub(super) fn page(report: &Report) -> String {
    let mut body = "<h1>What does local validation cost here?</h1>\n".to_owned();
    let machine = &report.machine;
    body += &format!(
        "<p>{}, {} cores, {}; portcullis {}. Times belong to this machine; read the ratios.</p>\n",
        escape(&machine.cpu),
        machine.cores,
        escape(&machine.system),
        escape(&machine.portcullis)
    );
    for warning in report.warnings() {
        body += &format!("<p class=\"lead\">{}</p>\n", escape(&warning));
    }
    body += &cores(report);
    for (title, svg) in plots(report) {
        body += &format!("<h2>{title}</h2>\n{svg}");
    }
    body += &tables(report);
    body += &format!(
        "<p>{} rounds, interleaved. A ratio is of the same round, and eight rounds of ten lie between \
         the two beside it. Single runs have the reading of the clock in them, {:.0} ns.</p>\n",
        report.rounds, report.clock_nanos
    );
    plot::page("portcullis bench", &body)
}

/// What the asked rate takes, which is what most people want to know.
fn cores(report: &Report) -> String {
    let Some(rps) = report.cores.first().map(|cores| cores.rps) else { return String::new() };
    let mut table = format!(
        "<table>\n<tr><th>{rps} requests/s take</th><th>if every token is new</th><th>if each was seen \
         before</th><th>jsonwebtoken</th></tr>\n"
    );
    for cores in &report.cores {
        let theirs = cores.jsonwebtoken.map_or(String::new(), |cores| format!("{cores:.2} cores"));
        table += &format!(
            "<tr><td>{}</td><td><b>{:.2} cores</b></td><td>{:.3} cores</td><td>{theirs}</td></tr>\n",
            escape(&cores.algorithm),
            cores.cold,
            cores.warm
        );
    }
    table + "</table>\n"
}

fn plots(report: &Report) -> Vec<(&'static str, String)> {
    let mut plots = vec![("A validation, by algorithm", costs(report))];
    if let Some(validation) = report.validations.last() {
        let lines: Vec<_> = CASES
            .iter()
            .filter_map(|(name, shown)| {
                let single = &validation.case(name)?.single;
                let name = (*shown).to_owned();
                Some(Line { name, points: quantiles(single) })
            })
            .collect();
        plots.push(("How slow the slowest are", over_quantiles("validations", &lines)));
    }
    if report.threads.len() > 2 {
        plots.push(("More threads", threads(report)));
    }
    if report.distinct.len() > 1 {
        let points = report.distinct.iter().map(|at| (at.tokens as f64, at.nanos.median / 1e3));
        let line = Line { name: "seen before".to_owned(), points: points.collect() };
        let marks = report.distinct.iter().map(|at| (at.tokens as f64, at.tokens.to_string()));
        let x = Axis { name: "tokens that come by turns", marks: marks.collect(), log: true };
        let most = line.points.iter().map(|point| point.1).fold(0.0, f64::max);
        let svg =
            plot("time by number of tokens", &x, &Axis::linear("microseconds", most), &[line]);
        plots.push(("More tokens", svg));
    }
    if let Some(rotation) = &report.rotation {
        let line = Line { name: "slowest".to_owned(), points: rotation.slowest.clone() };
        let most = |at: fn(&(f64, f64)) -> f64| line.points.iter().map(at).fold(0.01, f64::max);
        let x = Axis::linear("seconds since the rotation", most(|point| point.0));
        let y = Axis::linear("milliseconds", most(|point| point.1));
        plots.push(("A key is rotated", plot("the slowest request by time", &x, &y, &[line])));
    }
    if let Some(http) = &report.http {
        let line = |name: &str, of| Line { name: name.to_owned(), points: quantiles(of) };
        let lines = [line("without the layer", &http.without), line("with it", &http.with)];
        plots.push(("Over HTTP", over_quantiles("requests", &lines)));
    }
    plots
}

fn costs(report: &Report) -> String {
    let mut all = Vec::new();
    for validation in &report.validations {
        for (kind, (name, shown)) in CASES.iter().enumerate() {
            let Some(case) = validation.case(name) else { continue };
            let ratio = case.to_bare.map_or(0.0, |to| to.median);
            all.push(Bar {
                group: if kind == 0 { validation.algorithm.clone() } else { String::new() },
                name: (*shown).to_owned(),
                value: case.nanos.median,
                text: format!("{} · {ratio:.2}", time(case.nanos.median)),
                kind,
            });
        }
    }
    let bars = bars("time of a validation by algorithm", &all);
    format!(
        "<p>Beside each time: how many times the bare check of the signature it is.</p>\n{bars}"
    )
}

fn threads(report: &Report) -> String {
    let most = report.threads.iter().map(|at| at.per_second.median).fold(0.0, f64::max);
    let line = |(case, name): (&str, &str)| Line {
        name: name.to_owned(),
        points: report
            .threads
            .iter()
            .filter(|at| at.case == case)
            .map(|at| (at.threads as f64, at.per_second.median / 1e3))
            .collect(),
    };
    let lines = [(COLD, "new tokens"), (WARM, "seen before")].map(line);
    let numbers = report.threads.iter().filter(|at| at.case == COLD);
    let marks = numbers.map(|at| (at.threads as f64, at.threads.to_string())).collect();
    let x = Axis { name: "threads", marks, log: false };
    let least = report.threads.iter().map(|at| at.per_second.median).fold(most, f64::min);
    let rates = decades(least / 1e3, most / 1e3);
    let y = Axis { name: "thousand validations a second", marks: rates, log: true };
    plot("validations a second by threads", &x, &y, &lines)
}

/// The rarer, the further to the right.
fn over_quantiles(what: &str, lines: &[Line]) -> String {
    let marks = [(2.0, "50 %"), (10.0, "90 %"), (100.0, "99 %"), (1000.0, "99.9 %")];
    let marks = marks.map(|(at, name)| (at, name.to_owned())).to_vec();
    let x = Axis { name: "so many are faster", marks, log: true };
    let times = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
    let marks = decades(times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    let y = Axis { name: "microseconds", marks, log: true };
    plot(&format!("the time of {what} by quantile"), &x, &y, lines)
}

fn quantiles(of: &Quantiles) -> Vec<(f64, f64)> {
    [(2.0, of.p50), (10.0, of.p90), (100.0, of.p99), (1000.0, of.p999)]
        .map(|(at, nanos)| (at, nanos as f64 / 1e3))
        .to_vec()
}

fn decades(least: f64, most: f64) -> Vec<(f64, String)> {
    let power = |value: f64| value.max(1e-3).log10();
    let (from, to) = (power(least).floor() as i32, power(most).ceil() as i32);
    (from..=to.max(from + 1))
        .map(|power| 10.0_f64.powi(power))
        .map(|value| (value, value.to_string()))
        .collect()
}

fn tables(report: &Report) -> String {
    let mut html = String::from("<h2>Figures</h2>\n");
    for validation in &report.validations {
        html += &format!(
            "<h3>{}, a token of {} bytes</h3>\n<table><tr><th></th><th>of the bare \
             check</th><th>of jsonwebtoken</th><th>allocations</th><th>time here</th><th>p99</th><th>p99.9</th></tr>\n",
            escape(&validation.algorithm),
            validation.token_bytes
        );
        for case in &validation.cases {
            let ratio = |spread: Option<super::report::Spread>| {
                spread.map_or(String::new(), super::text::ratio)
            };
            html += &format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.1}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                escape(&case.name),
                ratio(case.to_bare),
                ratio(case.to_jsonwebtoken),
                case.allocations,
                times(case.nanos),
                time(case.single.p99 as f64),
                time(case.single.p999 as f64)
            );
        }
        html += "</table>\n";
    }
    if let Some(rotation) = &report.rotation {
        html += &format!(
            "<p>Through the rotation: p99.9 {}, the slowest {}; before it p99.9 {}. Refused: {}. The \
             issuer answered after {} ms.</p>\n",
            time(rotation.through.p999 as f64),
            time(rotation.through.max as f64),
            time(rotation.before.p999 as f64),
            rotation.refused,
            rotation.jwks_latency_millis
        );
    }
    html
}
