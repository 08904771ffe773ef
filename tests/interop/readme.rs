//! Compares the README and the tables of `docs/reference` with the code.

use portcullis::config::Setting;

const README: &str = include_str!("../../README.md");
const SETTINGS: &str = include_str!("../../docs/reference/settings.md");
const ISSUER_SETTINGS: &str = include_str!("../../docs/reference/issuer-settings.md");
const MEASUREMENTS: &str = include_str!("../../docs/reference/measurements.md");

/// The table row with `cell` in its first or second column.
fn row(page: &'static str, cell: &str) -> &'static str {
    let quoted = format!("| `{cell}` |");
    page.lines().find(|line| line.contains(&quoted)).unwrap_or_else(|| {
        unreachable!("there is no row for `{cell}`");
    })
}

/// A first page must be short enough to be read to its end.
#[test]
fn readme_keeps_its_word_budget_and_shows_code_early() {
    let (before_code, _) = README.split_once("```").unwrap();
    assert!(before_code.split_whitespace().count() < 120);
    assert!(README.split_whitespace().count() <= 1200);
    let text = README.split("```").step_by(2).flat_map(str::lines);
    let prose = text.filter(|line| !line.starts_with('|')).flat_map(str::split_whitespace);
    assert!(prose.count() <= 700);
}

/// Each file that the README or a page of the documentation links to exists.
#[test]
fn readme_and_documentation_links_resolve() {
    /// Made by `cargo xtask docs`, which checks links to them.
    const REPORTS: &str = "../reports/";
    fn collect(folder: &std::path::Path, pages: &mut Vec<std::path::PathBuf>) {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "node_modules") {
                collect(&path, pages);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.push(path);
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = ["README.md", "SECURITY.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
        .map(|page| root.join(page))
        .to_vec();
    for folder in ["docs", "deploy", "crates/portcullis/src/guide"] {
        collect(&root.join(folder), &mut pages);
    }
    let mut links = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#', ' ']).next().unwrap();
            // Rustdoc checks the links of the guide to items.
            let is_checked_elsewhere = ["crate::", REPORTS, "mailto:"];
            let is_checked_elsewhere =
                is_checked_elsewhere.iter().any(|start| target.starts_with(start));
            // A link has a path; the text in brackets of code has none.
            let is_path = target.contains(['/', '.']) && !target.contains(['`', '"', '<', '$']);
            if !is_path || is_checked_elsewhere || target.contains("://") {
                continue;
            }
            let file = page.parent().unwrap().join(target);
            assert!(file.exists(), "{}: {target}", page.display());
            links += 1;
        }
    }
    assert!(links > 400, "{links}");
}

#[test]
fn every_setting_has_a_row_with_its_default() {
    for setting in Setting::ALL {
        let row = row(SETTINGS, setting.variable);
        assert!(row.contains(setting.method), "{row}");
        let default = setting.default;
        if default.chars().all(|character| character.is_ascii_digit()) {
            assert!(row.contains(&format!("| {default} |")), "{row} should say {default}");
        }
    }
    let rows = SETTINGS.lines().filter(|line| line.contains("| `PORTCULLIS_"));
    assert_eq!(rows.count(), Setting::ALL.len(), "a row for an unknown setting");
}

/// The settings file of the page has keys that exist, and values of their types.
#[test]
fn each_settings_file_that_is_shown_can_be_used() {
    let (_, shown) = ISSUER_SETTINGS.split_once("\n```toml\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("issuer.toml");
    std::fs::write(&file, shown).unwrap();
    let sources = portcullis_issuer::SettingSources::from_lookup(Some(&file), |_| None).unwrap();
    assert_eq!(sources.config().unwrap().audiences.len(), 2);
    // Some keys have values that not every user may read. The page names the suffix of each such
    // key.
    let secrets = portcullis_issuer::SETTINGS.iter().filter(|setting| setting.is_secret());
    for key in secrets.map(portcullis_issuer::Setting::key) {
        let (_, end) = key.rsplit_once('_').unwrap();
        assert!(ISSUER_SETTINGS.contains(&format!("`_{end}`")), "{key}");
    }
}

#[test]
fn every_issuer_setting_has_a_row_with_its_default() {
    for setting in portcullis_issuer::SETTINGS {
        let row = row(ISSUER_SETTINGS, setting.name);
        let default = row.split('|').nth(2).unwrap();
        assert!(default.contains(setting.default), "{row} should say {}", setting.default);
    }
    let rows = ISSUER_SETTINGS.lines().filter(|line| line.starts_with("| `IDENTSPHERE_"));
    assert_eq!(rows.count(), portcullis_issuer::SETTINGS.len());
}

/// The reference contains some rows of the results' first table, and no other figures.
#[test]
fn every_figure_in_the_reference_is_in_the_results() {
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

/// Two more tables are copies of the results, row by row.
#[test]
fn pattern_and_revocation_tables_match_the_results() {
    const RESULTS: &str = include_str!("../../benches/RESULTS.md");
    for head in ["| pattern | adds", "| requirement of the route |"] {
        let table = |text: &'static str| -> Vec<&str> {
            let rows = text.lines().skip_while(|line| !line.starts_with(head));
            rows.take_while(|line| line.starts_with('|')).collect()
        };
        let (shown, measured) = (table(MEASUREMENTS), table(RESULTS));
        assert!(measured.len() > 4, "{head}: {measured:?}");
        assert_eq!(shown, measured);
    }
}

/// The costs that `tune` assumes for an issuer and a validation are the measured ones, within the
/// variation between runs.
#[test]
fn tune_costs_match_the_results() {
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
    // Two runs with equally many logouts: one with an introspection for each request, one without.
    // The run with introspection also sends its own requests besides those of other callers, so the
    // difference is an upper bound.
    let (live, pushed) = (line("live: 1000 logouts"), line("status list, pushed: 1000 logouts"));
    let cores = |line| number_before(line, " % of a core") / 100.0;
    let grouped = "| SQLite | with group commit |";
    let refresh = MEASUREMENTS.lines().find(|line| line.starts_with(grouped)).unwrap();
    let refresh = number_before(refresh, " µs |");
    let secs = number_before(live, " s, known");
    let asked = number_before(live, " requests of others");
    let lookup = (cores(live) - cores(pushed)) * secs / asked * 1e6;
    for (name, measured) in [
        ("REFRESH", refresh),
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

/// An alarm on a metric that is not exported would never fire.
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
            // A Prometheus histogram has more than one series.
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

/// The chapter contains the programs that the tests run.
#[test]
fn other_languages_chapter_contains_the_tested_programs() {
    const CHAPTER: &str = include_str!("../../crates/portcullis/src/guide/other_languages.md");
    const REQUIREMENTS: &str = include_str!("../../docs/other-languages/python/requirements.txt");
    const PACKAGE: &str = include_str!("../../docs/other-languages/node/package.json");
    const MODULES: &str = include_str!("../../docs/other-languages/go/go.mod");
    const POM: &str = include_str!("../../docs/other-languages/java/pom.xml");
    for program in [
        include_str!("../../docs/other-languages/python/with_pyjwt.py"),
        include_str!("../../docs/other-languages/python/with_joserfc.py"),
        include_str!("../../docs/other-languages/node/with-jose.mjs"),
        include_str!("../../docs/other-languages/node/get-token.mjs"),
        include_str!("../../docs/other-languages/node/make-keys.mjs"),
        include_str!("../../docs/other-languages/ruby/with_jwt.rb"),
        include_str!("../../docs/other-languages/go/golang-jwt/main.go"),
        include_str!("../../docs/other-languages/go/jwx/main.go"),
        include_str!("../../docs/other-languages/go/go-oidc/main.go"),
        include_str!("../../docs/other-languages/java/src/main/java/example/Orders.java"),
    ] {
        assert!(
            CHAPTER.contains(&format!("\n{program}```\n")),
            "the chapter does not contain:\n{program}"
        );
    }
    let module = |name: &str| {
        MODULES
            .split_once(name)
            .and_then(|(_, rest)| rest.trim().split(['\n', ' ']).next())
            .unwrap()
    };
    let [golang_jwt, keyfunc, jwx, go_oidc] =
        ["golang-jwt/jwt/v5 v", "keyfunc/v3 v", "lestrrat-go/jwx/v3 v", "go-oidc/v3 v"].map(module);
    let (_, spring) = POM.split_once("starter-parent</artifactId>\n    <version>").unwrap();
    let python =
        |name: &str| REQUIREMENTS.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let package: serde_json::Value = serde_json::from_str(PACKAGE).unwrap();
    for (name, version) in [
        ("PyJWT", python("PyJWT==")),
        ("joserfc", python("joserfc==")),
        ("jose", package["dependencies"]["jose"].as_str().unwrap()),
        ("golang-jwt, with keyfunc", &format!("{golang_jwt}, {keyfunc}")),
        ("jwx", jwx),
        ("go-oidc", go_oidc),
        ("Spring Boot's resource server", spring.split('<').next().unwrap()),
    ] {
        assert!(CHAPTER.contains(&format!("| {name} | {version} |")), "{name} is {version}");
    }
}
