//! `benches/RESULTS.md`.

use std::fmt::Write as _;
use std::fs;

use super::figures::Figures;
use super::profile::PROFILED;
use super::{goals, patterns, plot, revocation};
use crate::run::{root, version};

const INTRODUCTION: &str = "\
Written by `cargo xtask bench`; nothing here is typed. `cargo xtask bench --only validator` and so on measures one part. Read the ratios: times belong to the machine, and differences below 4 %
are noise. The cases of a group are measured in turn, some milliseconds each, in the opposite order every other round; a ratio is
taken round by round, and its median is given with what eight of ten rounds lie between. `cold` is with the token cache off,
`warm` is a token that was seen before; in `new tokens` no token ever comes twice while it is kept. Everybody gets the same
request with the same token, and beside peers every handler gets the same typed claims: `warm` by `SharedClaims`, which are read
once for a token, `claims read each time` by `Claims`, as the peers do. Times and allocations are taken by two builds, since counting
takes time itself. Whole services are charged with their
processor time for a request, server and sender on one core.
";

const PROFILE: &str = "\
## Where the instructions go

`cargo xtask bench --only profile` counts them with valgrind, which hides some of what the CPU could do for the signature check: read
what is not that. Rust inlines across crates, so that a place is where code was written, not which function it ended up in.

";

/// The whole page.
pub(crate) fn page(figures: &Figures) -> String {
    let mut text = format!("# Results\n\n{INTRODUCTION}\n");
    let rounds = figures.cases.iter().map(|case| case.rounds.len()).max().unwrap_or_default();
    let _ = writeln!(text, "Up to {rounds} rounds, on {}.", machine());
    let _ = writeln!(text, "{}.\n", versions());
    let _ = writeln!(text, "## What it must show\n\n{}", goals::table(figures));
    for (name, _) in plot::plots(figures) {
        let _ = writeln!(text, "![{name}](plots/{name}.svg)\n");
    }
    let _ = writeln!(text, "## Patterns, side by side\n\n{}", patterns::table(figures));
    let _ = writeln!(text, "## Revocation, route by route\n\n{}", revocation::table(figures));
    for group in figures.groups() {
        let _ = writeln!(text, "## {group}\n");
        let _ = writeln!(text, "`cargo xtask bench --only {}`\n", part_of(group));
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
    }
    text.push_str(PROFILE);
    for (case, algorithm) in PROFILED {
        let group = format!("instructions, {case} {algorithm}");
        for note in figures.notes(&group) {
            let _ = writeln!(text, "{case} {algorithm}: {note}\n");
        }
    }
    text
}

/// The part that measures a group.
fn part_of(group: &str) -> &'static str {
    match group.split(' ').next() {
        Some("validator") => "validator",
        Some("axum" | "actix" | "hyper") => "adapters",
        Some("service") => "service",
        Some("refresh") => "refresh",
        Some("flood") => "flood",
        Some("revocation,") => "revocation",
        Some("patterns," | "issuer,") => "patterns",
        Some("peers") => "peers",
        Some("beside") => "node",
        _ => "cache",
    }
}

/// Nanoseconds, readable.
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

/// Of the compiler, and of what is measured.
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
