//! The README and the tables of `docs/reference`, held against the code.

use portcullis::config::Setting;

const README: &str = include_str!("../../README.md");
const SETTINGS: &str = include_str!("../../docs/reference/settings.md");
const ISSUER_SETTINGS: &str = include_str!("../../docs/reference/issuer-settings.md");
const MEASUREMENTS: &str = include_str!("../../docs/reference/measurements.md");

/// The row of a table that begins with `cell`, or has it second.
fn row(page: &'static str, cell: &str) -> &'static str {
    let quoted = format!("| `{cell}` |");
    page.lines().find(|line| line.contains(&quoted)).unwrap_or_else(|| {
        unreachable!("there is no row for `{cell}`");
    })
}

/// A first page that nobody reads to its end is no first page.
#[test]
fn readme_keeps_its_word_budget_and_shows_code_early() {
    let (before_code, _) = README.split_once("```").unwrap();
    assert!(before_code.split_whitespace().count() < 120);
    assert!(README.split_whitespace().count() <= 1200);
    let text = README.split("```").step_by(2).flat_map(str::lines);
    let prose = text.filter(|line| !line.starts_with('|')).flat_map(str::split_whitespace);
    assert!(prose.count() <= 700);
}

/// Each file that the README or a page of the reference links to is there.
#[test]
fn links_of_the_readme_and_the_reference_lead_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs/reference", "docs/migrating"] {
        pages.extend(root.join(folder).read_dir().unwrap().map(|entry| entry.unwrap().path()));
    }
    let mut links = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let file = page.parent().unwrap().join(target);
            assert!(file.exists(), "{}: {target}", page.display());
            links += 1;
        }
    }
    assert!(links > 60, "{links}");
}

#[test]
fn each_setting_of_the_app_has_a_row_with_its_default() {
    for setting in Setting::ALL {
        let row = row(SETTINGS, setting.variable);
        assert!(row.contains(setting.method), "{row}");
        let default = setting.default;
        if default.chars().all(|character| character.is_ascii_digit()) {
            assert!(row.contains(&format!("| {default} |")), "{row} should say {default}");
        }
    }
    let rows = SETTINGS.lines().filter(|line| line.contains("| `PORTCULLIS_"));
    assert_eq!(rows.count(), Setting::ALL.len(), "a row for a setting that is not there");
}

#[test]
fn each_setting_of_the_issuer_has_a_row_with_its_default() {
    for setting in portcullis_issuer::SETTINGS {
        let row = row(ISSUER_SETTINGS, setting.name);
        let default = row.split('|').nth(2).unwrap();
        assert!(default.contains(setting.default), "{row} should say {}", setting.default);
    }
    let rows = ISSUER_SETTINGS.lines().filter(|line| line.starts_with("| `IDENTSPHERE_"));
    assert_eq!(rows.count(), portcullis_issuer::SETTINGS.len());
}

/// The reference has some rows of the results' first table, and none that says something else.
#[test]
fn each_figure_of_the_reference_stands_in_the_results() {
    const RESULTS: &str = include_str!("../../benches/RESULTS.md");
    let measured =
        MEASUREMENTS.split("\n## ").find(|chapter| chapter.starts_with("Validation")).unwrap();
    let table = measured.lines().skip_while(|line| *line != "| what | measured |").skip(2);
    let mut rows = 0;
    for row in table.take_while(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [what, figure] = cells[..] else { unreachable!("{row}") };
        let result = RESULTS
            .lines()
            .find(|line| line.starts_with(&format!("| {what} |")))
            .unwrap_or_else(|| unreachable!("the results have no `{what}`"));
        assert_eq!(result.split('|').nth(3).map(str::trim), Some(figure), "{what}");
        rows += 1;
    }
    assert!(rows > 10, "{rows}");
}

/// Two more tables are the results' own, row by row.
#[test]
fn the_tables_of_patterns_and_of_revocation_are_those_of_the_results() {
    const RESULTS: &str = include_str!("../../benches/RESULTS.md");
    for head in ["| pattern | adds", "| a route asks for |"] {
        let table = |text: &'static str| -> Vec<&str> {
            let rows = text.lines().skip_while(|line| !line.starts_with(head));
            rows.take_while(|line| line.starts_with('|')).collect()
        };
        let (shown, measured) = (table(MEASUREMENTS), table(RESULTS));
        assert!(measured.len() > 4, "{head}: {measured:?}");
        assert_eq!(shown, measured);
    }
}

/// What the tool takes an issuer's work and a validation to cost is what was measured, give or take
/// what one run differs from the next by.
#[test]
fn what_tune_assumes_of_costs_is_what_the_results_say() {
    const RESULTS: &str = include_str!("../../benches/RESULTS.md");
    const COSTS: &str = include_str!("../../crates/portcullis-cli/src/tune/costs.rs");
    let number_before = |line: &str, words: &str| -> f64 {
        let (before, _) = line.split_once(words).unwrap();
        before.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let line = |start: &str| RESULTS.lines().find(|line| line.starts_with(start)).unwrap();
    let assumed = |name: &str| -> f64 {
        let (_, value) = COSTS.split_once(&format!("const {name}: f64 = ")).unwrap();
        value.split(';').next().unwrap().parse().unwrap()
    };
    let validation = |algorithm: &str, case: &str| {
        let (_, rows) = RESULTS.split_once(&format!("## validator {algorithm}")).unwrap();
        let row = rows.lines().find(|line| line.starts_with(&format!("| {case} |"))).unwrap();
        let time = row.split('|').nth(2).unwrap().trim();
        let (number, unit) = time.split_once(' ').unwrap();
        number.parse::<f64>().unwrap() * if unit == "ns" { 1e-3 } else { 1.0 }
    };
    // Two runs of as many logouts: one with a question for each request, one with none. The first
    // has questions of its own beside those of others, so that this is the most it can be.
    let (live, pushed) = (line("live: 1000 logouts"), line("status list, pushed: 1000 logouts"));
    let cores = |line| number_before(line, " % of a core") / 100.0;
    let secs = number_before(live, " s, known");
    let asked = number_before(live, " requests of others");
    let lookup = (cores(live) - cores(pushed)) * secs / asked * 1e6;
    for (name, measured) in [
        ("REFRESH", number_before(line("SQLite: "), " µs of its processor time")),
        ("FETCH", number_before(line("1000 services that ask"), " µs for each")),
        ("LOOKUP", lookup),
        ("VERIFY", validation("ES256", "cold")),
        ("HIT", validation("ES256", "warm")),
        ("VERIFY_RS256", validation("RS256", "cold")),
    ] {
        let off = assumed(name) / measured - 1.0;
        assert!(off.abs() < 0.1, "{name}: {} for {measured}", assumed(name));
    }
}

/// What an alarm asks for and nobody exports would never ring.
#[test]
fn every_metric_of_the_rules_and_the_dashboard_is_exported() {
    const RULES: &str = include_str!("../../monitoring/prometheus-rules.yml");
    const DASHBOARD: &str = include_str!("../../monitoring/grafana-dashboard.json");
    const BY_SERVICES: &str = include_str!("../../crates/portcullis/src/metrics.rs");
    const BY_THE_ISSUER: &str = include_str!("../../crates/portcullis-issuer/src/metrics.rs");
    serde_json::from_str::<serde_json::Value>(DASHBOARD).unwrap();
    let mut names = 0;
    for text in [RULES, DASHBOARD] {
        let part = |character: char| !character.is_ascii_lowercase() && character != '_';
        for name in text.split(part).filter(|name| name.starts_with("portcullis_")) {
            // Of a histogram, Prometheus has more than one series.
            let name =
                ["_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
            let is_recorded = RULES.contains(&format!("- record: job_rule:{name}:"));
            let quoted = format!("\"{name}\"");
            let is_exported = [BY_SERVICES, BY_THE_ISSUER].iter().any(|it| it.contains(&quoted));
            assert!(is_recorded || is_exported, "{name}");
            names += 1;
        }
    }
    assert!(names > 10);
}

/// One text, not two: what the chapter shows is what the tests run.
#[test]
fn the_chapter_on_other_languages_shows_the_programs_as_they_are() {
    const CHAPTER: &str = include_str!("../../crates/portcullis/src/guide/other_languages.md");
    const REQUIREMENTS: &str = include_str!("../../docs/other-languages/python/requirements.txt");
    const PACKAGE: &str = include_str!("../../docs/other-languages/node/package.json");
    for program in [
        include_str!("../../docs/other-languages/python/with_pyjwt.py"),
        include_str!("../../docs/other-languages/python/with_joserfc.py"),
        include_str!("../../docs/other-languages/node/with-jose.mjs"),
        include_str!("../../docs/other-languages/node/get-token.mjs"),
        include_str!("../../docs/other-languages/node/make-keys.mjs"),
        include_str!("../../docs/other-languages/ruby/with_jwt.rb"),
    ] {
        assert!(CHAPTER.contains(&format!("\n{program}```\n")), "not as it is shown:\n{program}");
    }
    let python =
        |name: &str| REQUIREMENTS.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let package: serde_json::Value = serde_json::from_str(PACKAGE).unwrap();
    for (name, version) in [
        ("PyJWT", python("PyJWT==")),
        ("joserfc", python("joserfc==")),
        ("jose", package["dependencies"]["jose"].as_str().unwrap()),
    ] {
        assert!(CHAPTER.contains(&format!("| {name} | {version} |")), "{name} is {version}");
    }
}
