//! Checks the table in [ARCHITECTURE.md](../../../ARCHITECTURE.md) of the packages that the product builds on.

use std::fs;

use crate::run::{Failure, cargo, output, root};

const PAGE: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Direct dependencies";

/// Unpublished packages, for which dev-dependencies count.
const UNPUBLISHED: [&str; 2] = ["portcullis-benches", "portcullis-security"];

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row<'p> {
    package: &'p str,
    /// The workspace crate that depends on the package.
    by: &'p str,
    role: &'p str,
    /// The test that shows the role, and its file.
    test: &'p str,
    file: &'p str,
}

/// Prints the table, and fails for each wrong row.
pub(crate) fn check() -> Result<(), Failure> {
    let page = read(PAGE)?;
    let mut wrong = Vec::new();
    for row in rows(&page).map_err(Failure::new)? {
        let Row { package, by, role, test, file } = row;
        println!("{package:<14} {by:<18} {role}");
        if !direct_dependencies(by)?.iter().any(|name| name == package) {
            wrong.push(format!("{by} does not depend on {package} ({role})"));
        }
        if !has_test(&read(file).unwrap_or_default(), test) {
            wrong.push(format!("{file} has no test `{test}`, which shows the role of {package}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("\n"))) }
}

/// Parses the table below the heading: package, crate, role, and a link to the test.
fn rows(page: &str) -> Result<Vec<Row<'_>>, String> {
    let lines = page.lines().skip_while(|line| *line != HEADING);
    let table = lines.skip_while(|line| !line.starts_with('|')).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    let rows: Vec<Row<'_>> = rows
        .map(|line| row(line).ok_or_else(|| format!("{PAGE}: cannot parse the row {line}")))
        .collect::<Result<_, _>>()?;
    if rows.is_empty() { Err(format!("{PAGE}: no table below `{HEADING}`")) } else { Ok(rows) }
}

fn row(line: &str) -> Option<Row<'_>> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let ["", package, by, role, link, ""] = cells[..] else { return None };
    let (test, file) = link.strip_prefix("[`")?.strip_suffix(')')?.split_once("`](")?;
    Some(Row { package, by, role, test, file })
}

fn has_test(source: &str, test: &str) -> bool {
    source.contains(&format!("fn {test}("))
}

fn direct_dependencies(package: &str) -> Result<Vec<String>, Failure> {
    let edges = if UNPUBLISHED.contains(&package) { "normal,dev" } else { "normal" };
    let tree = output(&mut cargo(&[
        "tree",
        "--package",
        package,
        "--edges",
        edges,
        "--depth",
        "1",
        "--prefix",
        "none",
        "--all-features",
    ]))?;
    Ok(names(&tree).map(str::to_owned).collect())
}

/// Returns the names in a tree of depth 1, without the root.
fn names(tree: &str) -> impl Iterator<Item = &str> {
    tree.lines().skip(1).filter_map(|line| line.split_whitespace().next())
}

fn read(file: &str) -> Result<String, Failure> {
    fs::read_to_string(root().join(file)).map_err(|error| Failure::new(format!("{file}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_not_its_own_dependency() {
        let tree = "hyper v0.1.0 (/src)\nbytes v1.12.2\nhttp v1.5.0 (*)\n";
        assert_eq!(names(tree).collect::<Vec<_>>(), ["bytes", "http"]);
    }

    #[test]
    fn table_below_the_heading_is_parsed() {
        let table = "| package | crate | role | test |\n|---|---|---|---|\n";
        let row = "| http | portcullis | requests | [`reads`](src/a.rs) |\n";
        let page = format!("| other | table |\n\n{HEADING}\n\nWords.\n\n{table}{row}\n| no |\n");
        let wanted = Row {
            package: "http",
            by: "portcullis",
            role: "requests",
            test: "reads",
            file: "src/a.rs",
        };
        assert_eq!(rows(&page), Ok(vec![wanted]));
        assert!(rows(&page.replace("[`reads`]", "reads")).is_err());
        assert!(rows(&page.replace(row, "")).is_err());
        assert!(rows(&page.replace(HEADING, "## Other")).is_err());
    }

    #[test]
    fn test_is_found_by_its_full_name() {
        assert!(has_test("async fn token_is_read() {", "token_is_read"));
        assert!(!has_test("fn token_is_read_twice() {", "token_is_read"));
        assert!(!has_test("// token_is_read", "token_is_read"));
    }
}
