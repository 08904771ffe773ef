//! Renders the table of the revocation requirements.

use std::fmt::Write as _;

use super::figures::{Case, Figures};
use super::page::shown;

/// The groups under which the benchmarks report the figures.
const KNOWN: &str = "revocation, until known";
const WARM: &str = "revocation, warm RS256";

const HEAD: &str = "\
| requirement of the route | revocation known within | measured: p50 | p99 | cost of a warm request | load on the issuer per service | while the issuer is unavailable |
|---|---|---|---|---|---|---|
";

/// Returns the bound and the measurement of each requirement as a Markdown table; empty if nothing was measured.
pub(crate) fn table(figures: &Figures) -> String {
    let part = |name: &str, percent: usize| -> Option<String> {
        Some(shown(figures.case(KNOWN, name)?.quantile(percent)?))
    };
    let row = |name: &str, what: &str, bound: &str, cost: &str, issuer: &str, away: &str| {
        let (half, most) = (part(name, 50)?, part(name, 99)?);
        Some(format!("| {what} | {bound} | {half} | {most} | {cost} | {issuer} | {away} |\n"))
    };
    let checked = figures.combined(
        [(WARM, "and by a status list"), (WARM, "by the token alone")],
        |[with, without]| with / without,
    );
    let Some(checked) = checked else { return String::new() };
    let checked = format!("× {:.2}", checked.median);
    let rows = [
        row(
            "status list, asked for",
            "`status_list(10 s)`, server without long polling, TTL 5 s",
            "10.1 s",
            &checked,
            "a request every 5 s",
            "rejects after 10 s",
        ),
        row(
            "status list, pushed",
            "`status_list(10 s)`, server with long polling",
            "10.1 s, if all pushes are lost",
            &checked,
            "one open request at a time, up to 3 s each",
            "rejects after 10 s",
        ),
        row(
            "live",
            "`live()`",
            "the next request",
            "one round trip to the issuer",
            "a request for each request",
            "rejects at once",
        ),
    ];
    let mut text = HEAD.to_owned();
    let _ = writeln!(
        text,
        "| `expiry()`, tokens for 900 s | 920 s | any time until then | | × 1.00 | none | accepts |"
    );
    for row in rows.into_iter().flatten() {
        text.push_str(&row);
    }
    text
}

impl Case {
    /// Returns the percentile of the rounds.
    pub(crate) fn quantile(&self, percent: usize) -> Option<f64> {
        let mut values = self.rounds.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len().checked_sub(1)? * percent / 100).copied()
    }
}
