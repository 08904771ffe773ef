//! `portcullis bench`: measures the cost of local validation on this machine, and that of the bare
//! signature check and of jsonwebtoken for comparison.

mod arguments;
mod compare;
mod csv;
mod html;
mod http;
mod material;
mod measure;
mod peer;
mod report;
mod rotation;
mod stop;
mod text;
mod validate;

use indicatif::{ProgressBar, ProgressStyle};

use crate::exit::{Exit, Failure};
use crate::output::{Output, Page, command_line};
pub(crate) use arguments::BenchArguments;
use compare::Comparison;
use material::Material;
use report::{Cores, Machine, Report};
use stop::Stop;

/// The text at the end of `bench --help`.
pub(crate) const HELP: &str = include_str!("bench/help.txt");

pub(crate) fn run(arguments: &BenchArguments) -> Result<Exit, Failure> {
    arguments.check()?;
    let mut output = Output::new();
    if !arguments.compare.is_empty() {
        let comparison = Comparison::read(&arguments.compare)?;
        let _ = if arguments.json {
            output.json(&comparison)?
        } else {
            output.text(&comparison.to_string())?
        };
        return Ok(Exit::Good);
    }
    // An invalid path is reported before the measurement starts.
    let html = arguments.html.as_deref().map(|file| Page::open("--html", file)).transpose()?;
    let csv = arguments.csv.as_deref().map(|file| Page::open("--csv", file)).transpose()?;
    let report = match &arguments.from {
        Some(file) => Report::read("--from", file)?,
        None => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::wrong(format!("cannot start threads: {error}")))?
            .block_on(measure(arguments))?,
    };
    html.map_or(Ok(()), |page| page.write(&html::page(&report)))?;
    csv.map_or(Ok(()), |page| page.write(&csv::csv(&report)))?;
    let _ =
        if arguments.json { output.json(&report)? } else { output.text(&report.to_string())? };
    Ok(if report.interrupted { Exit::Interrupted } else { Exit::Good })
}

async fn measure(arguments: &BenchArguments) -> Result<Report, Failure> {
    let stop = Stop::default();
    stop.listen().await;
    let mut materials: Vec<Material> = if arguments.tokens.is_empty() {
        arguments.algorithms().into_iter().map(Material::generate).collect()
    } else {
        vec![Material::given(arguments).await?]
    };
    let rounds = arguments.rounds;
    let short = rounds.div_ceil(3);
    let turns = if arguments.with_layer.is_some() { arguments.http_requests / 50 } else { 0 };
    let steps = rounds * materials.len() as u64 + 2 * short + arguments.rotation_secs * 10 + turns;
    let bar = progress(steps);
    let mut report = Report {
        machine: Machine::this(),
        command: command_line(&arguments.tokens),
        generated: arguments.tokens.is_empty(),
        expired: materials.iter().any(|material| material.expired),
        rounds,
        interrupted: false,
        clock_nanos: measure::clock_cost(),
        validations: Vec::new(),
        cores: Vec::new(),
        threads: Vec::new(),
        distinct: Vec::new(),
        rotation: None,
        http: None,
    };
    for material in &mut materials {
        bar.set_message(format!("validate {}", material.algorithm));
        let validation = validate::one(material, rounds, &stop, || bar.inc(1)).await?;
        report.cores.extend(Cores::of(&validation, arguments.rps));
        report.validations.push(validation);
        if stop.asked() {
            break;
        }
    }
    // Threads and distinct tokens have nearly the same effect with every algorithm, so they are
    // measured only with the last one. By default that is EdDSA, which signs fast.
    if let Some(material) = materials.last_mut().filter(|_| !stop.asked()) {
        bar.set_message("threads");
        let threads = arguments.threads();
        report.threads = validate::threads(material, &threads, short, &stop, || bar.inc(1)).await?;
        bar.set_message("distinct tokens");
        let distinct = arguments.distinct();
        report.distinct =
            validate::distinct(material, &distinct, short, &stop, || bar.inc(1)).await?;
    }
    if arguments.rotation_secs > 0 && !stop.asked() {
        bar.set_message("key rotation");
        report.rotation = rotation::run(arguments, &stop, || bar.inc(1)).await?;
    }
    if let (Some(with), Some(without), Some(material)) =
        (&arguments.with_layer, &arguments.without_layer, materials.first())
        && !stop.asked()
    {
        bar.set_message("HTTP");
        let requests = arguments.http_requests;
        let http = http::run(with, without, material.token(), requests, &stop, || bar.inc(1));
        report.http = Some(http.await?);
    }
    bar.finish_and_clear();
    report.interrupted = stop.asked();
    Ok(report)
}

/// Returns a progress bar on standard error, which is shown only if standard error is a terminal.
fn progress(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {percent} %  {msg}, {eta} left");
    let bar = ProgressBar::new(steps);
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}
