//! The table of what a route can ask for.

use std::fmt::Write as _;

use super::figures::{Case, Figures};
use super::page::shown;

/// The groups of the figures.
const KNOWN: &str = "revocation, until known";
const WARM: &str = "revocation, warm RS256";

const HEAD: &str = "\
| a route asks for | a revocation is known within | measured: p50 | p99 | cost of a warm request | at the issuer, for each service | while the issuer is away |
|---|---|---|---|---|---|---|
";

/// What is promised and measured of each, in Markdown; empty where nothing was measured.
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
            "`status_list(10 s)`, a server that does not wait, TTL 5 s",
            "10.1 s",
            &checked,
            "a question every 5 s",
            "refuses after 10 s",
        ),
        row(
            "status list, pushed",
            "`status_list(10 s)`, a server that waits",
            "10.1 s, if all pushes are lost",
            &checked,
            "a question held open, 3 s each",
            "refuses after 10 s",
        ),
        row(
            "live",
            "`live()`",
            "the next request",
            "a question and its answer",
            "a question for each request",
            "refuses at once",
        ),
    ];
    let mut text = HEAD.to_owned();
    let _ = writeln!(
        text,
        "| `expiry()`, tokens for 900 s | 920 s | any time until then | | × 1.00 | nothing | goes on |"
    );
    for row in rows.into_iter().flatten() {
        text.push_str(&row);
    }
    text
}

impl Case {
    /// So many of a hundred are not above it.
    pub(crate) fn quantile(&self, percent: usize) -> Option<f64> {
        let mut values = self.rounds.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len().checked_sub(1)? * percent / 100).copied()
    }
}
