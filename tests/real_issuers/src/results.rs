//! The table in `RESULTS.md`.

use std::fmt::Write as _;
use std::path::Path;

use crate::failure::{Failure, Outcome};

#[derive(Debug, Clone)]
pub(crate) struct Row {
    name: &'static str,
    outcome: Result<String, String>,
}

impl Row {
    pub(crate) fn of(name: &'static str, outcome: Outcome<String>) -> Self {
        Self { name, outcome: outcome.map_err(|failure| failure.to_string()) }
    }

    pub(crate) fn failed(name: &'static str, why: Failure) -> Self {
        Self::of(name, Err(why))
    }

    fn words(&self) -> String {
        let (verdict, words) = match &self.outcome {
            Ok(words) => ("held", words),
            Err(why) => ("**FAILED**", why),
        };
        format!("{verdict}: {}", words.replace(['\n', '|'], " "))
    }
}

/// The rows of one issuer. Each row is printed when it is added.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    title: String,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        let title = format!("{name} {version}");
        println!("{title}");
        Self { title, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: Row) {
        println!("  {}: {}", row.name, row.words());
        self.rows.push(row);
    }

    pub(crate) fn failures(&self) -> usize {
        self.rows.iter().filter(|row| row.outcome.is_err()).count()
    }

    fn section(&self, date: &str) -> String {
        let mut text = format!("## {}\n\n{date}\n\n| row | |\n|---|---|\n", self.title);
        for row in &self.rows {
            let _ = writeln!(text, "| {} | {} |", row.name, row.words());
        }
        text
    }
}

const HEAD: &str = "# Real issuers\n\nThe results of `cargo xtask interop`: each issuer runs with its default settings, and \
                    four services (axum, actix-web, hyper and tower) validate its tokens. A row begins with \
                    `held` if every check in it passed. The tests with the proxies nginx, Caddy and Envoy are \
                    in `tests/interop/proxies`; `cargo xtask test` runs them.\n";

/// Puts the reports into the table, replacing older ones of the same issuers.
pub(crate) fn write(path: &Path, reports: &[Report], date: &str) -> Outcome<()> {
    let before = std::fs::read_to_string(path).unwrap_or_default();
    Ok(std::fs::write(path, merged(&before, reports, date))?)
}

fn merged(before: &str, reports: &[Report], date: &str) -> String {
    let issuer = |title: &str| title.rsplit_once(" ").map(|(name, _)| name.to_owned());
    let mut sections: Vec<(String, String)> = before
        .split("\n## ")
        .skip(1)
        .map(|section| {
            let title = section.lines().next().unwrap_or_default().to_owned();
            (title, format!("## {}\n", section.trim_end()))
        })
        .collect();
    for report in reports {
        let section = report.section(date);
        let same = |(title, _): &&mut (String, String)| issuer(title) == issuer(&report.title);
        match sections.iter_mut().find(same) {
            Some(found) => *found = (report.title.clone(), section),
            None => sections.push((report.title.clone(), section)),
        }
    }
    let sections = sections.into_iter().map(|(_, section)| format!("\n{section}"));
    std::iter::once(HEAD.to_owned()).chain(sections).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(title: &str, words: &str) -> Report {
        let rows = vec![Row { name: "discovery", outcome: Ok(words.to_owned()) }];
        Report { title: title.to_owned(), rows }
    }

    #[test]
    fn report_replaces_only_the_older_report_of_its_issuer() {
        let first = merged("", &[report("A 1", "one"), report("B 1", "two")], "then");
        let second = merged(&first, &[report("A 2", "three")], "now");
        assert_eq!(
            second,
            format!(
                "{HEAD}\n{}\n{}",
                report("A 2", "three").section("now"),
                report("B 1", "two").section("then")
            )
        );
        assert_eq!(merged(&second, &[report("A 2", "three")], "now"), second);
    }

    #[test]
    fn failed_row_has_the_reason_in_one_cell() {
        let row = Row::failed("outage", Failure::new("a|b\nc"));
        assert_eq!(row.words(), "**FAILED**: a b c");
    }
}
