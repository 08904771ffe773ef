//! Renders the part of `benches/RESULTS.md` that one part of the benchmarks measures.

use std::fmt::Write as _;
use std::fs;

use super::figures::Figures;
use super::profile::PROFILED;
use super::results::Measured;
use super::{gateways, goals, patterns, revocation};
use crate::run::{Failure, output, program, root, version};

const PROFILE: &str = "\
## Instructions by place

`cargo xtask bench --only profile` counts them with valgrind, which does not support all CPU features that the signature check uses:
compare the other places. Rust inlines across crates, so a place is where the code was written, not the function that contains it.

";

/// Renders the figures of the part `name`, which this run measured.
pub(crate) fn part(name: &str, figures: &Figures) -> Result<Measured, Failure> {
    let today = output(program("date").args(["-u", "+%F"]))?;
    let rounds = figures.cases.iter().map(|case| case.rounds.len()).max().unwrap_or_default();
    let row = format!("| {name} | {} | {} | {rounds} | {} |", today.trim(), machine(), versions());
    Ok(Measured {
        name: name.to_owned(),
        row,
        goals: goals::rows(name, figures),
        sections: sections(name, figures),
    })
}

fn sections(part: &str, figures: &Figures) -> Vec<String> {
    let command = format!("`cargo xtask bench --only {part}`");
    let mut sections = Vec::new();
    match part {
        "patterns" => sections.push(format!(
            "## Patterns, side by side\n\n{command}\n\n{}\n",
            patterns::table(figures)
        )),
        "revocation" => sections.push(format!(
            "## Revocation, route by route\n\n{command}\n\n{}\n",
            revocation::table(figures)
        )),
        "gateways" => {
            let tables = gateways::tables(figures);
            return vec![format!("## Gateways, side by side\n\n{command}\n\n{tables}\n")];
        }
        "profile" => sections.push(profile(figures)),
        _ => {}
    }
    for group in figures.groups() {
        let mut text = format!("## {group}\n\n{command}\n\n");
        let Some(first) = figures.of(group).next() else { continue };
        let _ = writeln!(text, "| | median | 8 of 10 | / {} | allocations |", first.name);
        text.push_str("|---|---|---|---|---|\n");
        for case in figures.of(group) {
            let cases = [(group, case.name.as_str()), (group, first.name.as_str())];
            let ratio = figures.combined(cases, |[this, first]| this / first);
            let (Some(time), Some(ratio)) = (case.spread(), ratio) else { continue };
            let _ = writeln!(
                text,
                "| {} | {} | {} – {} | {:.3} | {} |",
                case.name,
                shown(time.median),
                shown(time.low),
                shown(time.high),
                ratio.median,
                case.allocations.map_or_else(String::new, |count| count.to_string()),
            );
        }
        text.push('\n');
        for note in figures.notes(group) {
            let _ = writeln!(text, "{note}\n");
        }
        sections.push(text);
    }
    sections
}

fn profile(figures: &Figures) -> String {
    let mut text = PROFILE.to_owned();
    for (case, algorithm) in PROFILED {
        let group = format!("instructions, {case} {algorithm}");
        for note in figures.notes(&group) {
            let _ = writeln!(text, "{case} {algorithm}: {note}\n");
        }
    }
    text
}

/// Formats nanoseconds with a fitting unit.
pub(crate) fn shown(nanos: f64) -> String {
    match nanos {
        few if few < 1e3 => format!("{few:.0} ns"),
        some if some < 1e7 => format!("{:.2} µs", some / 1e3),
        many if many < 1e9 => format!("{:.1} ms", many / 1e6),
        _ => format!("{:.2} s", nanos / 1e9),
    }
}

fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    format!("{count} × {}", model.map_or("an unknown CPU", |(_, model)| model))
}

/// Returns the versions of the compiler and of the measured crates.
fn versions() -> String {
    let mut all = vec![version("rustc").unwrap_or_default()];
    for lock in ["Cargo.lock", "benches/peers/Cargo.lock"] {
        let text = fs::read_to_string(root().join(lock)).unwrap_or_default();
        for name in [
            "aws-lc-rs",
            "jsonwebtoken",
            "jwt-authorizer",
            "axum-jwt-auth",
            "tower-oauth2-resource-server",
            "actix-web-httpauth",
            "oauth-resource-server",
            "huskarl-axum",
            "authkestra-axum",
            "oxitoken",
            "axum",
            "actix-web",
            "hyper",
        ] {
            let marker = format!("name = \"{name}\"\nversion = \"");
            for (_, rest) in text.match_indices(&marker).map(|(at, _)| text.split_at(at)) {
                let version = rest.trim_start_matches(&marker).split('"').next();
                let known = format!("{name} {}", version.unwrap_or_default());
                if !all.contains(&known) {
                    all.push(known);
                }
            }
        }
    }
    all.join(", ")
}
