//! Compares pages of the documentation with the code: log events, rules of refusals, metrics, profiles, defaults.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use portcullis::Profile;
use portcullis::config::{AccessTokenMark, Setting};

const LOG_EVENTS: &str = include_str!("../../docs/reference/log-events.md");
const METRICS: &str = include_str!("../../docs/reference/metrics.md");
const PROFILES: &str = include_str!("../../docs/reference/profiles.md");
const DEFAULTS: &str = include_str!("../../docs/reference/defaults.md");
const TROUBLESHOOTING: &str = include_str!("../../docs/how-to/troubleshoot-401.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The core's sources without their tests.
fn sources() -> Vec<String> {
    fn collect(folder: &Path, texts: &mut Vec<String>) {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "tests" && name != "testing" {
                collect(&path, texts);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).unwrap();
                texts.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
            }
        }
    }
    let mut texts = Vec::new();
    collect(&root().join("crates/portcullis/src"), &mut texts);
    texts
}

/// The string literals of a text, with line continuations joined.
fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '/' if characters.peek() == Some(&'/') => {
                characters.by_ref().find(|character| *character == '\n');
            }
            // A character literal with a quotation mark.
            '\'' if characters.peek() == Some(&'"') => _ = characters.next(),
            '"' => {
                let mut literal = String::new();
                while let Some(character) = characters.next().filter(|character| *character != '"')
                {
                    if character != '\\' {
                        literal.push(character);
                    } else if let Some(escaped) = characters.next() {
                        if escaped == '\n' {
                            while characters.next_if(|c| c.is_whitespace()).is_some() {}
                        } else {
                            literal.push(escaped);
                        }
                    }
                }
                found.push(literal);
            }
            _ => {}
        }
    }
    found
}

/// The text up to the parenthesis that closes the macro call.
fn call(text: &str) -> &str {
    let (mut depth, mut in_text, mut escaped) = (1, false, false);
    let end = text.find(|character| {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    &text[..end.unwrap()]
}

/// The core's log events: message, and levels with target.
fn events() -> BTreeMap<String, BTreeSet<(String, String)>> {
    let mut events = BTreeMap::<_, BTreeSet<_>>::new();
    for source in sources() {
        for level in ["error", "warn", "info", "debug"] {
            for rest in source.split(&format!("tracing::{level}!(")).skip(1) {
                let literals = literals(call(rest));
                let (target, message) = (literals.first().unwrap(), literals.last().unwrap());
                // Logout tokens and security event tokens have the same events.
                let message = message.replace("{kind}", "logout token");
                events.entry(message).or_default().insert((level.to_owned(), target.clone()));
            }
        }
    }
    events
}

/// The rows of all tables of a page, as cells without the code's backticks.
fn rows(page: &str) -> impl Iterator<Item = Vec<String>> {
    page.lines().filter(|line| line.starts_with("| `")).map(|line| {
        line.trim_matches('|')
            .split('|')
            .map(|cell| {
                let cell = cell.trim();
                let code = cell.strip_prefix("`` ").and_then(|cell| cell.strip_suffix(" ``"));
                code.unwrap_or_else(|| cell.trim_matches('`')).to_owned()
            })
            .collect()
    })
}

#[test]
fn page_of_log_events_has_every_event_of_the_core() {
    let events = events();
    assert!(events.len() > 30, "{events:?}");
    let mut listed = BTreeSet::new();
    for row in rows(LOG_EVENTS).filter(|row| row.len() == 4) {
        let [message, levels, target, _] = &row[..] else { unreachable!() };
        let in_code = events.get(message).unwrap_or_else(|| unreachable!("no event `{message}`"));
        let listed_events =
            levels.split(", ").map(|level| (level.to_owned(), target.clone())).collect();
        assert_eq!(in_code, &listed_events, "{message}");
        assert!(listed.insert(message.clone()), "{message} is listed twice");
    }
    let missing: Vec<_> = events.keys().filter(|message| !listed.contains(*message)).collect();
    assert!(missing.is_empty(), "not on the page: {missing:#?}");
}

/// Whether `text` is the template, in which `{…}` stands for any text. The page may replace text with `…`.
fn is_like(text: &str, template: &str) -> bool {
    let mut rest = template;
    let mut pattern = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        pattern.push_str(before);
        pattern.push('…');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    pattern.push_str(rest);
    matches(text, &pattern)
}

/// The number of characters of a template outside braces.
fn fixed(template: &str) -> usize {
    let parts =
        template.split('{').enumerate().map(|(at, part)| match (at, part.split_once('}')) {
            (0, _) | (_, None) => part,
            (_, Some((_, after))) => after,
        });
    parts.map(str::len).sum()
}

/// Whether two texts, in both of which `…` matches anything, can be the same.
fn matches(a: &str, b: &str) -> bool {
    match (a.chars().next(), b.chars().next()) {
        (None, None) => true,
        (Some('…'), _) => {
            let rest = &a['…'.len_utf8()..];
            (0..=b.len()).filter(|at| b.is_char_boundary(*at)).any(|at| matches(rest, &b[at..]))
        }
        (_, Some('…')) => matches(b, a),
        (Some(first), Some(second)) => {
            first == second && matches(&a[first.len_utf8()..], &b[second.len_utf8()..])
        }
        _ => false,
    }
}

#[test]
fn templates_match_their_texts_only() {
    assert!(is_like("the token expired 60 s ago (`exp`)", "the token expired {} ago (`exp`)"));
    assert!(is_like("`nbf` is … in the future", "`nbf` is {} in the future"));
    assert!(is_like("send a token; …", "send a token; or two"));
    assert!(!is_like("the token expired 60 s ago", "the token expired {} ago (`exp`)"));
    assert!(!is_like("send a token", "send a token; or two"));
    assert_eq!(fixed("{a}: {b:?}!"), 3);
}

/// Each quoted reason and remedy is a text of the code.
#[test]
fn each_quoted_log_line_is_in_the_code() {
    let in_code: Vec<String> = sources()
        .iter()
        .flat_map(|source| literals(source))
        // A template such as `{a}: {b}` would match any text.
        .filter(|template| fixed(template) >= 10)
        .collect();
    let is_in_code = |text: &str| in_code.iter().any(|template| is_like(text, template));
    let mut quoted = 0;
    for line in TROUBLESHOOTING.lines().filter_map(|line| line.strip_prefix("reason=")) {
        let (reason, remedy) = line.split_once(" remedy=").unwrap_or((line, ""));
        let remedy = remedy.trim_matches('"');
        for text in [reason, remedy].into_iter().filter(|text| !text.is_empty()) {
            assert!(is_in_code(text), "the code has no text like `{text}`");
            quoted += 1;
        }
    }
    for row in rows(TROUBLESHOOTING).filter(|row| row.len() == 3 && !row[1].is_empty()) {
        for text in row[1].split("`, `") {
            assert!(is_in_code(text), "the code has no text like `{text}`");
            quoted += 1;
        }
    }
    assert!(quoted > 50, "{quoted}");
}

/// Every rule that the code can write is explained.
#[test]
fn each_rule_of_a_refusal_is_explained() {
    let mut rules = BTreeSet::new();
    for source in sources() {
        for function in source.split("fn rule(").skip(1) {
            let body = function.split("\n    }\n").next().unwrap();
            rules.extend(literals(body));
        }
    }
    assert!(rules.len() > 40, "{rules:?}");
    for rule in rules {
        let is_explained = TROUBLESHOOTING.lines().any(|line| {
            let is_place = line.starts_with("### ") || line.starts_with("| `");
            is_place && line.split('|').nth(1).unwrap_or(line).contains(&format!("`{rule}`"))
        });
        let is_mentioned = TROUBLESHOOTING.contains(&format!("With `{rule}`, "));
        assert!(is_explained || is_mentioned, "`{rule}` is not explained");
    }
}

#[test]
fn page_of_metrics_has_every_metric_with_its_type_and_labels() {
    const BY_SERVICES: &str = include_str!("../../crates/portcullis/src/metrics.rs");
    const BY_THE_ISSUER: &str = include_str!("../../crates/portcullis-issuer/src/metrics.rs");
    let mut in_code = BTreeMap::new();
    for source in [BY_SERVICES, BY_THE_ISSUER] {
        for kind in ["counter", "gauge", "histogram"] {
            for rest in source.split(&format!("{kind}!(")).skip(1) {
                let call = call(rest);
                let name = literals(call).remove(0);
                let mut parts: Vec<_> = call.split("\" => ").collect();
                parts.pop();
                let labels: BTreeSet<String> =
                    parts.iter().map(|part| part.rsplit('"').next().unwrap().to_owned()).collect();
                in_code.insert(name, (kind, labels));
            }
        }
    }
    assert!(in_code.len() > 30, "{in_code:?}");
    let mut listed = BTreeMap::new();
    for row in rows(METRICS).filter(|row| row.len() == 4) {
        let [name, kind, labels, _] = &row[..] else { unreachable!() };
        // As in `location`, `outcome` = `fetched`, `failed`: a sign begins the values of a label.
        let (mut names, mut in_values) = (BTreeSet::new(), false);
        for part in labels.split(", ").filter(|part| !part.is_empty()) {
            match part.split_once(" = ") {
                Some((label, _)) => {
                    names.insert(label.trim_matches('`').to_owned());
                    in_values = true;
                }
                None if !in_values => _ = names.insert(part.trim_matches('`').to_owned()),
                None => {}
            }
        }
        listed.insert(name.clone(), (kind.clone(), names));
    }
    for (name, (kind, labels)) in &in_code {
        let (listed_kind, listed_labels) =
            listed.get(name).unwrap_or_else(|| unreachable!("{name} is not on the page"));
        assert_eq!((listed_kind.as_str(), listed_labels), (*kind, labels), "{name}");
    }
    assert_eq!(listed.len(), in_code.len());
}

#[test]
fn page_of_profiles_has_every_profile_with_its_places_and_mark() {
    let code = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    for name in Profile::names() {
        let profile: Profile = name.parse().unwrap();
        let roles: Vec<_> = profile.roles_places().iter().map(|path| path.join(".")).collect();
        let mark = match profile.access_token_mark() {
            AccessTokenMark::Header => "the header `typ` is `at+jwt`".to_owned(),
            AccessTokenMark::NoMarkOfIdTokens => "no sign of an ID token".to_owned(),
            AccessTokenMark::OneOf(claims) if claims.len() > 1 => {
                format!("one of {}", code(claims))
            }
            AccessTokenMark::OneOf(claims) | AccessTokenMark::AllOf(claims) => code(claims),
            AccessTokenMark::Value(claim, value) => format!("`{claim}` is `{value}`"),
            AccessTokenMark::NoneOf(claims) => format!("none of {}", code(claims)),
            AccessTokenMark::Required(claims) => format!("always {}", code(claims)),
            AccessTokenMark::Nothing => "nothing: every token is rejected".to_owned(),
            AccessTokenMark::IdTokens => "ID tokens by design".to_owned(),
            other => unreachable!("{other:?}"),
        };
        let row = format!(
            "| `{name}` | `{}` | `{}` | {} | {mark} |",
            profile.audience_claim(),
            profile.scopes_place().join("."),
            code(&roles.iter().map(String::as_str).collect::<Vec<_>>()),
        );
        assert!(PROFILES.lines().any(|line| line == row), "the page needs the row\n{row}");
    }
    assert_eq!(PROFILES.matches("\n| `").count(), Profile::names().len());
}

/// The page has a reason for each default, and the default of the code.
#[test]
fn page_of_defaults_has_the_defaults_of_the_code() {
    let mut listed = 0;
    for row in rows(DEFAULTS).filter(|row| row.len() == 3) {
        let [method, default, _] = &row[..] else { unreachable!() };
        let setting = Setting::ALL.iter().find(|setting| setting.method == method);
        let setting = setting.unwrap_or_else(|| unreachable!("there is no setting `{method}`"));
        assert_eq!(default, setting.default, "{method}");
        listed += 1;
    }
    let numbers = Setting::ALL.iter().filter(|setting| setting.default.parse::<u64>().is_ok());
    for setting in numbers {
        let start = format!("| `{}` |", setting.method);
        assert!(DEFAULTS.lines().any(|line| line.starts_with(&start)), "{setting}");
    }
    assert!(listed > 25, "{listed}");
}

/// Each page with Rust code is compiled: by the doc tests of this package, or as a copy of a tested app.
#[test]
fn rust_code_of_each_page_is_run_by_a_test() {
    const DOC_TESTS: &str = include_str!("lib.rs");
    /// The pages that quote apps which other tests run.
    const COPIES: &str = "docs/migrating/";
    fn collect(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, pages);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let mut pages = Vec::new();
    collect(&root().join("docs"), &mut pages);
    let mut tested = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let path = page.strip_prefix(root()).unwrap().to_str().unwrap();
        if text.contains("```rust") && !path.starts_with(COPIES) {
            assert!(DOC_TESTS.contains(&format!("\"../../{path}\"")), "{path} is not in lib.rs");
            tested += 1;
        }
    }
    assert!(tested > 8, "{tested}");
}

/// The sidecar accepts the settings that the page shows.
#[test]
fn settings_of_the_page_on_forward_auth_can_be_used() {
    const PAGE: &str = include_str!("../../docs/how-to/forward-auth.md");
    let (_, shown) = PAGE.split_once("```toml\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    portcullis_sidecar::Config::parse(shown).unwrap();
}
