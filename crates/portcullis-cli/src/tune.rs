//! `portcullis tune`: the bounds and costs of an access expiry and a JWKS TTL.

mod activity;
mod agreement;
mod arguments;
mod closed_forms;
mod costs;
mod feed;
mod figures;
mod html;
mod idle;
mod inputs;
mod issuer;
#[cfg(feature = "live")]
mod live;
mod load;
mod measured;
mod mechanisms;
mod memo;
mod mix;
mod model;
mod outage;
mod page;
mod partition;
mod peak;
mod progress;
mod recommend;
mod renewals;
mod replay;
mod report;
mod reuse;
mod scenario;
mod simulate;
mod sizing;
mod survive;
mod sweep;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod tiers;
mod waiting;
mod warnings;

use std::fs;
use std::time::Instant;

use portcullis::clock::{Clock as _, SystemClock};

use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
use crate::units::{duration, number};
pub(crate) use arguments::TuneArguments;
use progress::Progress;
use report::Report;

/// The end of `--help`.
pub(crate) const HELP: &str = include_str!("tune/help.txt");

pub(crate) fn run(arguments: &TuneArguments) -> Result<Exit, Failure> {
    arguments.check()?;
    // Opens the files first: a wrong path is an error before any computation.
    let html =
        arguments.html.as_deref().map(|file| output::Page::open("--html", file)).transpose()?;
    let page =
        arguments.page.as_deref().map(|file| output::Page::open("--page", file)).transpose()?;
    let began = Instant::now();
    let mut progress = Progress::new();
    let report =
        Report::new(arguments, output::command_line(&[]), &mut |what| progress.step(what))?;
    drop(progress);
    output::complain(&effort(began));
    if let Some(file) = html {
        file.write(&html::page(&report))?;
        for warning in &report.warnings {
            output::complain(&format!("portcullis: warning: {warning}"));
        }
    }
    if let Some(file) = page {
        file.write(&page::page(&report, arguments))?;
    }
    let mut output = Output::new();
    // Ignores a closed pipe, such as that of `| head`.
    let _ = if arguments.form.json {
        output.json(&report)?
    } else if arguments.form.memo {
        output.text(&memo::memo(&report, SystemClock::new().now()))?
    } else {
        output.text(&report.to_string())?
    };
    Ok(verdict(&report))
}

/// The exit code: 4 if closed form and simulation disagree, 5 if no setting reaches a goal.
fn verdict(report: &Report) -> Exit {
    let off = report.disagreements();
    if off.is_empty() {
        let unmet = report.recommendation.as_ref().is_some_and(|found| found.unmet);
        if unmet {
            output::complain("portcullis: no setting reaches the goal; see the recommendation");
        }
        return if unmet { Exit::Unmet } else { Exit::Good };
    }
    output::complain(&format!(
        "portcullis: closed form and simulation disagree; do not use these figures, and report a bug:\n{}",
        off.join("\n")
    ));
    Exit::Disagree
}

/// The time and, on Linux, the memory of the run. Not part of the report, which is reproducible.
fn effort(began: Instant) -> String {
    let took = format!("portcullis: {}", duration(began.elapsed().as_secs_f64()));
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kilobytes.map_or(took.clone(), |kb| format!("{took}, {} MB of memory", number(kb / 1e3)))
}
