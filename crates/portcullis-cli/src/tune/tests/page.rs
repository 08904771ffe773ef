//! Node runs the page's script. Each of its figures is compared with the command's.

mod address;

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{arguments, grid};
use crate::tune::issuer::{Habits, Offers};
use crate::tune::load::Load;
use crate::tune::mechanisms::mechanisms;
use crate::tune::outage::{Affected, usual_load};
use crate::tune::page;
use crate::tune::scenario::Scenario;
use crate::tune::sizing::{RULE, RULE_OF_HALF, Sizing};
use crate::tune::tiers;
use crate::units::{duration, number, percent};

/// The number of settings that are compared.
const SETTINGS: usize = 400;

/// The relative difference between the languages, which compute the last digits of `exp` and `powf`
/// differently.
const TOLERANCE: f64 = 1e-9;

/// Runs the page's script, and then `program`, which returns a value.
fn evaluate(input: &Value, program: &str) -> Value {
    evaluate_with(page::CALCULATIONS, input, program)
}

fn evaluate_with(calculations: &str, input: &Value, program: &str) -> Value {
    let node = std::env::var_os("PORTCULLIS_NODE").unwrap_or_else(|| "node".into());
    let mut child = Command::new(node)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node runs");
    let script = format!(
        "{calculations}\nconst input = {input};\n\
         console.log(JSON.stringify((() => {{ {program} }})()));"
    );
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The points at which the plots are compared, as shares of the longest lag and of two outages.
const PLACES: [f64; 5] = [0.05, 0.3, 0.5, 0.8, 0.99];

/// An issuer that also sends logout tokens.
const OFFERS: Offers =
    Offers { introspection: None, status_lists: None, backchannel_logout: Some(true) };

/// The command's own figures, with the names that the page uses for them.
fn figures(scenario: &Scenario, options: &str) -> Vec<(String, f64)> {
    let load = Load::of(scenario, None);
    let mut figures: Vec<(String, f64)> = [
        ("lag_bound", scenario.lag_bound()),
        ("lag_longest", scenario.accepted_for()),
        ("without_lag", 1.0 - scenario.lag_exceeds(0.0)),
        ("lag_median", scenario.lag_quantile(0.5)),
        ("lag_p99", scenario.lag_quantile(0.99)),
        ("refreshes", load.refreshes),
        ("idle_logins", load.idle_logins),
        ("fetches", scenario.fetches()),
        ("issuer_cores", load.issuer_cores(scenario)),
        ("key_lag_bound", scenario.key_lag_bound()),
        ("key_lag_bound_in_outage", scenario.key_lag_bound_in_outage()),
        ("tokens_ended", load.tokens_ended),
        ("keys_ended", scenario.keys_ended(scenario.outage)),
        ("locked_out", load.locked_out(scenario)),
        ("waiting", load.waiting),
        ("logging_in", load.logging_in),
        ("recovery", load.recovery(scenario).map_or(f64::INFINITY, |served| served.secs)),
        ("validations", load.validations),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for place in PLACES {
        let (lag, outage) = (place * scenario.accepted_for(), 2.0 * place * scenario.outage);
        figures.push((format!("exceeds {place}"), scenario.lag_exceeds(lag)));
        figures.push((format!("locked out {place}"), scenario.locked_out(outage)));
    }
    let all = mechanisms(scenario, &load, &arguments(options), OFFERS, true);
    let served = Affected::new(scenario, &load, None, all.route_cores).recovery;
    figures.push(("served".to_owned(), served.unwrap_or(f64::INFINITY)));
    let usual = usual_load(scenario, &load, all.route_cores);
    figures.push(("sized".to_owned(), Sizing::new(usual, scenario.hashes_on_half).cores));
    for (at, mechanism) in all.rows.iter().enumerate() {
        figures.extend([
            (format!("{at} lag_bound"), mechanism.lag_bound),
            (format!("{at} usual_lag"), mechanism.usual_lag),
            (format!("{at} issuer_requests"), mechanism.issuer_requests),
            (format!("{at} issuer_cores"), mechanism.issuer_cores),
            (format!("{at} locked_out"), mechanism.locked_out),
            (format!("{at} in_partition"), mechanism.in_partition),
        ]);
    }
    for (at, tier) in tiers::tiers(scenario, None).iter().enumerate() {
        figures.extend([
            (format!("tier {at} lag_bound"), tier.lag_bound),
            (format!("tier {at} refreshes 0"), tier.refreshes[0]),
            (format!("tier {at} refreshes 1"), tier.refreshes[1]),
            (format!("tier {at} issuer_cores 0"), tier.issuer_cores[0]),
            (format!("tier {at} issuer_cores 1"), tier.issuer_cores[1]),
            (format!("tier {at} locked_out"), tier.locked_out),
        ]);
    }
    figures
}

/// A program that returns the page's figures for a start scenario and the values of its sliders.
const FIGURES: &str = "return input.map(({ start, values }) => {
    const scenario = withSettings(start, values);
    const model = modelOf(scenario);
    const figures = Object.entries(model).filter(([, value]) => typeof value === 'number');
    for (const place of [0.05, 0.3, 0.5, 0.8, 0.99]) {
        figures.push([`exceeds ${place}`, model.exceeds(place * model.lag_longest)]);
        figures.push([`locked out ${place}`, model.lockedOut(2 * place * scenario.outage)]);
    }
    const mechanisms = mechanismsOf(scenario, model, values, start);
    figures.push(['served', model.servedBeside(usualCores(mechanisms))]);
    figures.push(['sized', model.sizedFor(usualCores(mechanisms))]);
    mechanisms.forEach(({ key, ...of }, at) => {
        for (const [name, value] of Object.entries(of)) figures.push([`${at} ${name}`, value]);
    });
    tiersOf(start, values).forEach(({ age, ...of }, at) => {
        for (const [name, value] of Object.entries(of)) {
            if (!Array.isArray(value)) figures.push([`tier ${at} ${name}`, value]);
            else value.forEach((one, n) => figures.push([`tier ${at} ${name} ${n}`, one]));
        }
    });
    return Object.fromEntries(figures.map(([name, value]) => [name, String(value)]));
});";

/// The command's figures of a setting, and a description of the setting.
type Expected = (Vec<(String, f64)>, String);

/// All settings: the page's input, and the expected figures.
fn settings() -> (Value, Vec<Expected>) {
    let scenarios = grid::with_idle_limits(grid::scenarios(SETTINGS, 3));
    let mut expected = Vec::new();
    let mut input = Vec::new();
    for (at, scenario) in scenarios.iter().enumerate() {
        let issuer_cores = [0.5, 2.0, 3.0, 8.0, 40.0][at % 5];
        let scenario = &Scenario { issuer_cores, hashes_on_half: at % 7 < 5, ..*scenario };
        let part = at as f64 / SETTINGS as f64;
        let (age, live, list) = (3.0 + 200.0 * part, (at % 5) as f64 * 7.5, (at % 3) as f64 * 20.0);
        let feed = (at % 4) as f64 * 10.0;
        let reuse = ["", " --reuse-for 10s", " --reuse-for 5m"][at % 3];
        let options = format!(
            "--list-max-age {age} --live-share {live} --list-share {list} --feed-share {feed} --feed-max-age {age}{reuse}"
        );
        expected.push((figures(scenario, &options), format!("{options}: {scenario:?}")));
        let verifier = scenario.verifier;
        let max_age = (verifier.used_ttl < verifier.jwks_ttl).then_some(verifier.used_ttl);
        let habits = Habits { max_age, pushes: true, offers: OFFERS };
        let mut start = page::start(scenario, &arguments(&options), habits);
        // The sliders set these values, so the start values must not matter.
        let values = start["values"].take();
        for slider in ["access_expiry", "sessions", "instances", "outage", "issuer_cores"] {
            start["scenario"][slider] = json!(1);
        }
        input.push(json!({"start": start, "values": values}));
    }
    (Value::Array(input), expected)
}

/// Returns the number of figures, and the figures that differ.
fn compare(calculations: &str, input: &Value, expected: &[Expected]) -> (usize, Vec<String>) {
    let found = evaluate_with(calculations, input, FIGURES);
    let (mut compared, mut off) = (0, Vec::new());
    for (found, (expected, of)) in found.as_array().unwrap().iter().zip(expected) {
        assert_eq!(found.as_object().unwrap().len(), expected.len(), "{of}");
        for (name, ours) in expected {
            let text = found[name].as_str().unwrap_or_else(|| panic!("{name} is missing"));
            let theirs: f64 = text.replace("Infinity", "inf").parse().unwrap();
            let difference = (theirs - ours).abs();
            let is_same = theirs == *ours || difference <= TOLERANCE * ours.abs().max(1e-6);
            if !is_same {
                off.push(format!("{name}: {theirs} by the page, {ours} by the command\n  {of}"));
            }
            compared += 1;
        }
    }
    (compared, off)
}

#[test]
#[ignore = "needs Node: run cargo xtask test"]
fn page_figures_equal_those_of_the_command_over_a_grid() {
    let (input, expected) = settings();
    let (compared, off) = compare(page::CALCULATIONS, &input, &expected);
    println!("{compared} figures of {SETTINGS} settings");
    assert!(compared > 40 * SETTINGS, "{compared}");
    assert!(off.is_empty(), "{} figures differ:\n{}", off.len(), off.join("\n"));
}

/// The comparison detects small errors in the page.
#[test]
#[ignore = "needs Node: run cargo xtask test"]
fn wrong_formula_in_the_page_is_noticed() {
    let (input, expected) = settings();
    for (formula, wrong) in [
        ("1 / burst + 1 / pause;", "1 / burst + 1.000001 / pause;"),
        ("wait * (1 + pause / burst)", "wait"),
        ("(Math.min(rest, used) + older) / cycle", "Math.min(rest, used) / cycle"),
        ("asInactive * activeBack(burst, pause, outage)", "asInactive"),
        ("serve += asActive * ", "serve += 0 * "),
        ("inactive - left", "inactive"),
        ("(slope * slope) / ahead", "(slope * slope) / (1.000001 * ahead)"),
        ("Math.exp(-rotations * age) * level", "level"),
        ("Math.exp(-rotations * from) * falling", "falling"),
        ("-Math.expm1(-x) / x", "Math.exp(-x / 2)"),
        ("(1 - meanDecay(x)) / x", "1 / 2"),
        ("(x * x) / 24", "0"),
        ("1 - (1 - old) * (1 - restarted)", "old"),
        ("expiry + 2 * verifier.leeway", "expiry + verifier.leeway"),
        ("work[of] / (cores[of] - load[of])", "work[of] / cores[of]"),
        ("work.logins > 0 ?", "false ?"),
        ("Math.floor(has / 2)", "has / 2"),
        ("Math.max(Math.floor(has / 2), 1)", "Math.floor(has / 2)"),
        ("load.all / 0.7", "load.all"),
        ("2 * load.logins", "load.logins"),
        ("2 * Math.ceil(need / 2)", "Math.ceil(need)"),
        ("all, logins: idleLogins * costs.login", "all, logins: 0"),
        ("1 - (1 - ended) ** scenario.fan_out", "ended"),
        ("const rest = idle - used;", "const rest = idle;"),
        ("(1 - active) * Math.exp(-rest / pause)", "Math.exp(-rest / pause)"),
        ("(of + 1 / burst + theta) * burst", "1"),
        ("idleLogins * costs.login + fetches", "idleLogins * costs.refresh + fetches"),
        ("2 * verifier.fetch_timeout + 1.1", "verifier.fetch_timeout + 1.1"),
        ("Math.floor(maxAge / 3)", "maxAge / 3"),
        ("one + 0.1 * (all - one)", "0.1 * all"),
        (
            "in_partition: either(expiry.in_partition, tooOld(oldest))",
            "in_partition: tooOld(oldest)",
        ),
        ("const fetched = listed > 0 ? 1 : 0", "const fetched = listed"),
        ("[fed, feed]", "[fed, list]"),
        ("Math.min(feedAge, expiry.lag_bound)", "feedAge + 1"),
        ("(of) => of.key === 'routes'", "(of) => of.key === 'expiry'"),
        ("model.validations * scenario.costs.lookup", "model.validations * scenario.costs.fetch"),
        ("between + activeTime(burst, pause, 0, reuse)", "between + reuse"),
        ("Math.max(windows, model.refreshes * seen)", "windows"),
    ] {
        assert_eq!(page::CALCULATIONS.matches(formula).count(), 1, "{formula}");
        let calculations = page::CALCULATIONS.replace(formula, wrong);
        let (_, off) = compare(&calculations, &input, &expected);
        assert!(!off.is_empty(), "{wrong} instead of {formula}");
    }
}

/// The report, the page, the guide and the reference state the rule in the same words.
#[test]
fn rule_of_the_cores_is_the_same_on_the_page_in_the_guide_and_in_the_reference() {
    const GUIDE: &str = include_str!("../../../../portcullis/src/guide/tune_it.md");
    const REFERENCE: &str = include_str!("../../../../../docs/reference/issuer-settings.md");
    let of = super::report("--sessions 1000");
    let offline = page::page(&of, &arguments("--sessions 1000"));
    for text in [GUIDE, REFERENCE, &offline, &of.to_string()] {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&format!("{RULE} {RULE_OF_HALF}")), "{text}");
    }
    // Another issuer has no such limit.
    let options = "--sessions 1000 --costs-of keycloak --login-peak 900";
    let keycloak = super::report(options);
    for text in [keycloak.to_string(), page::page(&keycloak, &arguments(options))] {
        assert!(text.contains(RULE) && !text.contains("ompanion issuer hashes"), "{text}");
    }
}

/// Another TTL changes the default of `refresh_ahead`, and `max-age` shortens the TTL.
#[test]
#[ignore = "needs Node: run cargo xtask test"]
fn another_ttl_has_its_own_defaults() {
    let mut input = Vec::new();
    let mut expected = Vec::new();
    for (at, scenario) in grid::scenarios(60, 4).iter().enumerate() {
        let max_age = [None, Some(0.0), Some(5.0), Some(45.0), Some(4000.0)][at % 5];
        let ttl = [1.0, 7.0, 60.0, 300.0, 86_400.0][at / 5 % 5];
        expected.push(serde_json::to_value(scenario.verifier.with_ttl(ttl, max_age)).unwrap());
        input.push(json!([scenario.verifier, ttl, max_age]));
    }
    let found = evaluate(&Value::Array(input), "return input.map((of) => withTtl(...of));");
    for (found, expected) in found.as_array().unwrap().iter().zip(&expected) {
        for (name, value) in expected.as_object().unwrap() {
            let (ours, theirs) = (value.as_f64().unwrap(), found[name].as_f64().unwrap());
            assert!((ours - theirs).abs() <= 1e-12 * ours, "{name}: {found} is not {expected}");
        }
    }
}

#[test]
#[ignore = "needs Node: run cargo xtask test"]
fn page_writes_numbers_as_the_command_does() {
    let values: Vec<f64> = (0..900)
        .map(|step| f64::from(step % 37 + 1) * 1.037_192_3 * 10.0_f64.powi(step % 19 - 9))
        .chain([0.0, 0.999_6, 59.96, 119.96, 300.0, 3599.9, 20_000.0, 86_400.0, 216_000.0])
        .collect();
    let program = "return input.map((of) => [number(of), duration(of), percent(of / 1e9)]);";
    let found = evaluate(&json!(values), program);
    for (value, found) in values.iter().zip(found.as_array().unwrap()) {
        let expected = json!([number(*value), duration(*value), percent(value / 1e9)]);
        assert_eq!(found, &expected, "{value}");
    }
}
