//! The README's tables, held against the code.

use tollgate::Setting;

const README: &str = include_str!("../../README.md");

/// The row of a table that begins with `cell`, or has it second.
fn row(cell: &str) -> &'static str {
    let quoted = format!("| `{cell}` |");
    README.lines().find(|line| line.contains(&quoted)).unwrap_or_else(|| {
        unreachable!("the README has no row for `{cell}`");
    })
}

#[test]
fn every_setting_of_the_app_stands_in_the_readme_with_its_default() {
    for setting in Setting::ALL {
        let row = row(setting.variable);
        assert!(row.contains(setting.method), "{row}");
        let default = setting.default;
        if default.chars().all(|character| character.is_ascii_digit()) {
            assert!(row.contains(&format!("| {default} |")), "{row} should say {default}");
        }
    }
    let rows = README.lines().filter(|line| line.contains("| `TOLLGATE_"));
    assert_eq!(rows.count(), Setting::ALL.len(), "a row for a setting that is not there");
}

#[test]
fn every_setting_of_the_issuer_stands_in_the_readme_with_its_default() {
    for setting in tollgate_issuer::SETTINGS {
        let row = row(setting.name);
        let default = row.split('|').nth(2).unwrap();
        assert!(default.contains(setting.default), "{row} should say {}", setting.default);
    }
    let rows = README.lines().filter(|line| line.starts_with("| `IDENTSPHERE_"));
    assert_eq!(rows.count(), tollgate_issuer::SETTINGS.len());
}
