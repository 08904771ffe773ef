//! Compares `portcullis tune` with `second_model/model.py`, a simulation written from the guide
//! alone. Every figure of twelve settings must agree within the statistical error. No difference is
//! exempt.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an answer that cannot be read has failed the test"
)]

mod support;

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::run;

/// The seed of the second model, which makes it deterministic.
const SEED: &str = "1";
/// The factor that widens the command's intervals from 1.96 to 4 standard errors on each side. The
/// model's intervals have 4 as well.
const WIDEN: f64 = 4.0 / 1.96;

/// Each figure and the bounds of its interval, by JSON pointer into the command's report.
type Figures = BTreeMap<String, [f64; 3]>;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/second_model")
}

fn settings() -> Vec<Vec<String>> {
    serde_json::from_slice(&std::fs::read(folder().join("settings.json")).unwrap()).unwrap()
}

fn second_model() -> Vec<Figures> {
    let python = env::var_os("PORTCULLIS_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python)
        .arg("-B") // Python must not write bytecode beside the sources
        .args([folder().join("model.py"), folder().join("settings.json"), SEED.into()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn report(setting: &[String]) -> Value {
    let arguments: Vec<_> =
        ["tune", "--json"].into_iter().chain(setting.iter().map(String::as_str)).collect();
    run(&arguments, b"").expect(0).json().remove(0)
}

/// Describes how the command's figure differs from the second model's. Returns `None` if it does
/// not.
fn difference(report: &Value, pointer: &str, [value, low, high]: [f64; 3]) -> Option<String> {
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64);
    let Some(reported) = number(pointer) else {
        return Some(format!("{pointer} is not a number"));
    };
    if !(low..=high).contains(&reported) {
        return Some(format!("{pointer} is {reported}, not {value} (from {low} to {high})"));
    }
    let pair = pointer.strip_suffix("/model")?;
    let simulated = number(&format!("{pair}/simulated")).unwrap();
    let error = number(&format!("{pair}/error")).unwrap();
    let allowed = (high - low) / 2.0 + WIDEN * error;
    ((simulated - value).abs() > allowed)
        .then(|| format!("{pair}/simulated is {simulated}, not {value} ± {allowed}"))
}

#[test]
#[ignore = "needs Python: run cargo xtask test"]
fn figures_agree_with_the_second_model() {
    let (settings, figures) = (settings(), second_model());
    assert_eq!((settings.len(), figures.len()), (12, 12));
    let mut problems = Vec::new();
    for (setting, figures) in settings.iter().zip(&figures) {
        let report = report(setting);
        assert!(figures.len() > 30, "{figures:?}");
        let found = figures.iter().filter_map(|(pointer, of)| difference(&report, pointer, *of));
        problems.extend(found.map(|found| format!("{}: {found}", setting.join(" "))));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
