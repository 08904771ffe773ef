//! `portcullis tune`: what an access expiry and a JWKS TTL cost, and what they bound.

mod activity;
mod arguments;
mod html;
#[cfg(feature = "live")]
mod live;
mod measured;
mod mechanisms;
mod memo;
mod model;
mod recommend;
mod report;
mod scenario;
mod simulate;
mod sweep;
#[cfg(test)]
mod tests;
mod text;

use std::fs;
use std::time::Instant;

use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
pub(crate) use arguments::TuneArguments;
use report::Report;

/// What `--help` ends with.
pub(crate) const HELP: &str = include_str!("tune/help.txt");

pub(crate) fn run(arguments: &TuneArguments) -> Result<Exit, Failure> {
    arguments.check()?;
    let began = Instant::now();
    let report = Report::new(arguments)?;
    output::complain(&effort(began));
    if let Some(file) = &arguments.html {
        fs::write(file, html::page(&report))
            .map_err(|error| Failure::wrong(format!("--html: {}: {error}", file.display())))?;
    }
    let mut output = Output::new();
    // That nobody reads it any more is no failure.
    let _ = if arguments.form.json {
        output.json(&report)?
    } else if arguments.form.memo {
        output.text(&memo::memo(&report))?
    } else {
        output.text(&report.to_string())?
    };
    Ok(Exit::Good)
}

/// How long it took, and the memory where the system tells: not part of the report, which is the
/// same each time.
fn effort(began: Instant) -> String {
    let took = format!("portcullis: {:.1} s", began.elapsed().as_secs_f64());
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or(took.clone(), |peak| format!("{took}, {} of memory at most", peak.trim()))
}
