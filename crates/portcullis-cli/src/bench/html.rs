//! `--html`: the report as one self-contained page.

use super::report::{Quantiles, Report, Spread};
use super::text::{time, times};
use super::validate::{BARE, COLD, PEER, WARM};
use crate::document::{self, escape, prose};
use crate::plot::bars::{Bar, bars};
use crate::plot::{Axis, Line, plot};
use crate::units::number;

/// The cases and their titles, in the order in which the page lists them. A case's colour depends on its
/// position here.
const CASES: [(&str, &str); 4] =
    [(BARE, "bare check"), (COLD, "new token"), (WARM, "cache hit"), (PEER, "jsonwebtoken")];

pub(super) fn page(report: &Report) -> String {
    let mut body = "<h1>The cost of local validation</h1>\n".to_owned();
    let machine = &report.machine;
    body += &format!(
        "<p>{}, {} cores, {}. Times depend on this machine; compare the ratios.</p>\n",
        escape(&machine.cpu),
        machine.cores,
        escape(&machine.system)
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
        "<p>{} interleaved rounds. Both parts of a ratio are from the same round; the range beside it holds \
         80 % of the rounds. The time of a single run includes {} for reading the clock.</p>\n\
         <p>{}</p>\n",
        report.rounds,
        time(report.clock_nanos),
        prose(&report.provenance())
    );
    document::page("portcullis bench", &body, &[])
}

/// Renders the number of cores that the request rate of --rps needs.
fn cores(report: &Report) -> String {
    let Some(rps) = report.cores.first().map(|cores| cores.rps) else { return String::new() };
    let rows: Vec<_> = report
        .cores
        .iter()
        .map(|cores| {
            let theirs = cores.jsonwebtoken.map(|cores| format!("{} cores", number(cores)));
            vec![
                cores.algorithm.clone(),
                format!("{} cores", number(cores.cold)),
                format!("{} cores", number(cores.warm)),
                theirs.unwrap_or_default(),
            ]
        })
        .collect();
    let columns = ["algorithm", "if every token is new", "if none is", "jsonwebtoken"];
    format!("<p>{rps} requests/s need:</p>\n{}", document::table(&columns, &rows))
}

fn plots(report: &Report) -> Vec<(&'static str, String)> {
    let mut plots = vec![("Time of a validation, by algorithm", costs(report))];
    if let Some(validation) = report.validations.last() {
        let lines: Vec<_> = CASES
            .iter()
            .filter_map(|(name, shown)| {
                let single = &validation.case(name)?.single;
                let name = (*shown).to_owned();
                Some(Line { name, points: quantiles(single) })
            })
            .collect();
        plots.push(("The slowest validations", over_quantiles("validations", &lines)));
    }
    if report.threads.len() > 2 {
        plots.push(("Threads", threads(report)));
    }
    if report.distinct.len() > 1 {
        let points = report.distinct.iter().map(|at| (at.tokens as f64, at.nanos.median / 1e3));
        let line = Line { name: "cache hit".to_owned(), points: points.collect() };
        let marks = report.distinct.iter().map(|at| (at.tokens as f64, at.tokens.to_string()));
        let x = Axis {
            name: "distinct tokens in turn",
            marks: marks.collect(),
            log: true,
            show: number,
        };
        let most = line.points.iter().map(|point| point.1).fold(0.0, f64::max);
        let svg =
            plot("time by number of tokens", &x, &Axis::linear("microseconds", most), &[line]);
        plots.push(("Distinct tokens", svg));
    }
    if let Some(rotation) = &report.rotation {
        let line = Line { name: "slowest".to_owned(), points: rotation.slowest.clone() };
        let all = |at: fn(&(f64, f64)) -> f64| line.points.iter().map(at);
        let x = Axis::linear("seconds since the rotation", all(|at| at.0).fold(0.01, f64::max));
        // The first request waits for the issuer and takes many times as long as any other, so the
        // scale is logarithmic.
        let least = all(|at| at.1).fold(f64::INFINITY, f64::min);
        let marks = decades(least, all(|at| at.1).fold(0.01, f64::max));
        let y = Axis { name: "milliseconds", marks, log: true, show: number };
        plots.push(("Key rotation", plot("the slowest request by time", &x, &y, &[line])));
    }
    if let Some(http) = &report.http {
        let line = |name: &str, of| Line { name: name.to_owned(), points: quantiles(of) };
        let lines = [line("without the layer", &http.without), line("with the layer", &http.with)];
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
            let text = format!("{} · {}", time(case.nanos.median), number(ratio));
            all.push(Bar {
                group: if kind == 0 { validation.algorithm.clone() } else { String::new() },
                name: (*shown).to_owned(),
                value: case.nanos.median,
                text,
                kind,
            });
        }
    }
    let bars = bars("time of a validation by algorithm", &all);
    format!("<p>Beside each time is its ratio to the bare signature check.</p>\n{bars}")
}

/// Plots the speed-up by number of threads, and the ideal speed-up. Rates are not plotted, because
/// those of the two cases differ too much for one axis.
fn threads(report: &Report) -> String {
    let rates = |case: &str| -> Vec<(f64, f64)> {
        let all = report.threads.iter().filter(|at| at.case == case);
        all.map(|at| (at.threads as f64, at.per_second.median)).collect()
    };
    let cases = [(COLD, "new tokens"), (WARM, "cache hits")];
    let mut lines: Vec<_> = cases
        .iter()
        .filter_map(|(case, name)| {
            let rates = rates(case);
            let (threads, first) = *rates.first()?;
            let points = rates.iter().map(|(at, rate)| (*at, rate / first * threads)).collect();
            Some(Line { name: (*name).to_owned(), points })
        })
        .collect();
    let Some(counts) = lines.first().map(|line| line.points.clone()) else { return String::new() };
    let ideal = counts.iter().map(|point| (point.0, point.0)).collect();
    lines.push(Line { name: "ideal".to_owned(), points: ideal });
    let marks = counts.iter().map(|point| (point.0, number(point.0))).collect();
    let x = Axis { name: "threads", marks, log: false, show: number };
    let most = lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(1.0, f64::max);
    let y = Axis::linear("speed-up over one thread", most);
    let [new, seen] = cases.map(|(case, _)| rates(case));
    let rows: Vec<_> = new
        .iter()
        .zip(&seen)
        .map(|(new, seen)| {
            let threads = if new.0 == 1.0 { "1 thread" } else { &format!("{} threads", new.0) };
            vec![threads.to_owned(), number(new.1), number(seen.1)]
        })
        .collect();
    let columns = ["threads", "validations/s of new tokens", "validations/s of cache hits"];
    plot("speed-up by number of threads", &x, &y, &lines) + &document::table(&columns, &rows)
}

/// Plots times by quantile, on an x axis that gives the high quantiles more space.
fn over_quantiles(what: &str, lines: &[Line]) -> String {
    let marks = [(2.0, "50 %"), (10.0, "90 %"), (100.0, "99 %"), (1000.0, "99.9 %")];
    let marks = marks.map(|(at, name)| (at, name.to_owned())).to_vec();
    let x = Axis { name: "quantile", marks, log: true, show: number };
    let times = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
    let marks = decades(times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    let y = Axis { name: "microseconds", marks, log: true, show: number };
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
    let columns =
        ["case", "to the bare check", "to jsonwebtoken", "allocations", "time", "p99", "p99.9"];
    let ratio = |spread: Option<Spread>| spread.map_or(String::new(), super::text::ratio);
    for validation in &report.validations {
        let rows: Vec<_> = validation
            .cases
            .iter()
            .map(|case| {
                vec![
                    case.name.clone(),
                    ratio(case.to_bare),
                    ratio(case.to_jsonwebtoken),
                    number(case.allocations),
                    times(case.nanos),
                    time(case.single.p99 as f64),
                    time(case.single.p999 as f64),
                ]
            })
            .collect();
        html += &format!(
            "<h3>{}, a token of {} bytes</h3>\n{}",
            escape(&validation.algorithm),
            validation.token_bytes,
            document::table(&columns, &rows)
        );
    }
    if let Some(rotation) = &report.rotation {
        html += &format!(
            "<p>From the rotation on: p99.9 {}, maximum {}; before it p99.9 {}. Rejected: {}. JWKS latency: {} \
             ms.</p>\n",
            time(rotation.through.p999 as f64),
            time(rotation.through.max as f64),
            time(rotation.before.p999 as f64),
            rotation.refused,
            rotation.jwks_latency_millis
        );
    }
    html
}
