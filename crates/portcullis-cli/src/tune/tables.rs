//! The tables of a report, which the text, the memo and the HTML page share.

use super::report::Report;
use super::tiers;
use crate::document;
use crate::units::{duration, number, percent};

#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Report {
    /// The guarantees that a route can require. `*` marks closed forms without a simulation. `!` marks
    /// a number of cores that the issuer does not have.
    pub(super) fn guarantees_table(&self) -> Table {
        let mut columns =
            vec!["guarantee", "lag bound", "median lag", "issuer requests/s", "issuer cores"];
        columns.extend(self.recorded.is_some().then_some("cores in the busiest minute"));
        columns.extend(["locked out", "in a partition"]);
        let row = |of: &super::mechanisms::Mechanism| {
            let mark = if of.only_modelled { " *" } else { "" };
            let mut row = vec![
                format!("{}{mark}", of.name),
                duration(of.lag_bound),
                duration(of.usual_lag),
                number(of.issuer_requests),
                self.loaded(of.issuer_cores),
            ];
            row.extend(of.busiest_cores.map(|most| self.loaded(most)));
            row.extend([of.locked_out, of.in_partition].map(percent));
            row
        };
        Table { columns, rows: self.mechanisms.iter().map(row).collect() }
    }

    /// The best settings of the sweep: no other setting has a lower bound with as few cores.
    pub(super) fn front_table(&self) -> Table {
        let columns = vec![
            "expiry",
            "TTL",
            "session lag",
            "key lag",
            "refreshes/s",
            "fetches/s",
            "issuer cores",
            "locked out",
        ];
        let row = |of: &super::sweep::Point| {
            vec![
                duration(of.access_expiry),
                duration(of.jwks_ttl),
                duration(of.lag_bound),
                duration(of.key_lag_bound),
                number(of.refreshes),
                number(of.fetches),
                self.loaded(of.issuer_cores),
                percent(of.locked_out),
            ]
        };
        let rows = self.sweep.iter().filter(|point| point.on_front).map(row).collect();
        Table { columns, rows }
    }

    pub(super) fn tiers_table(&self) -> Table {
        let has = self.settings.first().map_or(f64::INFINITY, |of| of.scenario.issuer_cores);
        tiers::table(&self.tiers, has)
    }

    fn loaded(&self, cores: f64) -> String {
        let has = self.settings.first().map_or(f64::INFINITY, |of| of.scenario.issuer_cores);
        loaded(cores, has)
    }
}

/// The number of cores, marked with `!` if the issuer has fewer.
pub(super) fn loaded(cores: f64, has: f64) -> String {
    format!("{}{}", number(cores), if cores > has { " !" } else { "" })
}

impl Table {
    pub(super) fn new(columns: Vec<&'static str>, rows: Vec<Vec<String>>) -> Self {
        Self { columns, rows }
    }

    /// The table as text in aligned columns. The first column is aligned to the left.
    pub(super) fn text(&self) -> String {
        let cells = |at: usize| self.rows.iter().filter_map(move |row| row.get(at));
        let head = |at: usize| self.columns.get(at).copied().unwrap_or_default();
        let width = |at: usize| {
            let longest = cells(at).map(|cell| cell.chars().count()).max().unwrap_or_default();
            longest.max(head(at).chars().count())
        };
        let widths: Vec<_> = (0..self.columns.len()).map(width).collect();
        let heads = (0..self.columns.len()).map(|at| head(at).to_owned()).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| match at {
                0 => format!("  {cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            });
            cells.collect::<String>() + "\n"
        };
        std::iter::once(&heads).chain(&self.rows).map(line).collect()
    }

    pub(super) fn markdown(&self) -> String {
        let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let heads: Vec<_> = self.columns.iter().map(|&column| column.to_owned()).collect();
        let rule = format!("|{}\n", "---|".repeat(self.columns.len()));
        row(&heads) + &rule + &self.rows.iter().map(|cells| row(cells)).collect::<String>()
    }

    pub(super) fn html(&self) -> String {
        document::table(&self.columns, &self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_text_are_as_wide_as_their_longest_cell() {
        let rows =
            [["a long name *", "1 µs"], ["b", "10 min"]].map(|row| row.map(str::to_owned).to_vec());
        let table = Table { columns: vec!["name", "lag"], rows: rows.to_vec() };
        let expected =
            "  name              lag\n  a long name *    1 µs\n  b              10 min\n";
        assert_eq!(table.text(), expected);
        assert_eq!(table.markdown().lines().nth(2), Some("| a long name * | 1 µs |"));
    }
}
