//! Renders the table of the patterns.

use super::figures::Figures;
use super::page::shown;

const HALF: &str = "patterns, p50";
const MOST: &str = "patterns, p99";
const LAG: &str = "patterns, lag";
const WITHOUT: &str = "no protection";

const HEAD: &str = "\
| pattern | adds to a request: p50 | p99 | an ended session is accepted for |
|---|---|---|---|
";

/// Returns the added latency and the revocation lag of each measured pattern, as a Markdown table.
pub(crate) fn table(figures: &Figures) -> String {
    let mut text = HEAD.to_owned();
    for case in figures.of(HALF).filter(|case| case.name != WITHOUT) {
        let added = |group: &str| {
            let cases = [(group, case.name.as_str()), (group, WITHOUT)];
            Some(shown(figures.combined(cases, |[with, without]| with - without)?.median.max(0.0)))
        };
        let (Some(half), Some(most)) = (added(HALF), added(MOST)) else { continue };
        let lag = match figures.case(LAG, &case.name).and_then(|lag| lag.quantile(100)) {
            // The first request after the acknowledgement of the logout was rejected.
            Some(lag) if lag < 1e6 => "no request".to_owned(),
            Some(lag) => format!("at most {}", shown(lag)),
            None => "920 s: 900 s tokens, twice 10 s leeway".to_owned(),
        };
        text += &format!("| {} | {half} | {most} | {lag} |\n", case.name);
    }
    text
}
