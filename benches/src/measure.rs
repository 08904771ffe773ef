//! Compares cases. Each round measures a slice of a few milliseconds of every case in turn. Every
//! other round runs the cases in reverse order, so that noise affects all cases equally.

use std::time::{Duration, Instant};

/// A measured case.
pub struct Case<'c> {
    name: String,
    run: Box<dyn FnMut() + 'c>,
}

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The results of one case: nanoseconds per run.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The case's name.
    pub name: String,
    /// One time per round, in the order of the rounds.
    pub rounds: Vec<f64>,
    /// The mean number of allocations in a hundred runs, if they are counted.
    pub allocations: Option<f64>,
}

impl Measured {
    /// A case without results.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), rounds: Vec::new(), allocations: None }
    }
}

impl<'c> Case<'c> {
    /// A case that runs `run` once each time.
    pub fn new(name: impl Into<String>, run: impl FnMut() + 'c) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

const SLICE: Duration = Duration::from_millis(3);

/// Whether this build counts allocations instead of measuring times.
pub const COUNTS: bool = cfg!(feature = "allocations");

/// Measures `cases` in this many rounds, or counts their allocations.
pub fn measure(mut cases: Vec<Case<'_>>, rounds: usize) -> Vec<Measured> {
    let times: Vec<usize> = cases.iter_mut().map(|case| runs_in_a_slice(&mut case.run)).collect();
    let mut measured: Vec<Measured> = cases
        .iter_mut()
        .map(|case| Measured { allocations: count(&mut case.run), ..Measured::new(&case.name) })
        .collect();
    for round in 0..if COUNTS { 0 } else { rounds } {
        let mut order: Vec<usize> = (0..cases.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let (Some(case), Some(&times)) = (cases.get_mut(at), times.get(at)) else { continue };
            let begun = Instant::now();
            (0..times).for_each(|_| (case.run)());
            let took = begun.elapsed().as_secs_f64() * 1e9;
            #[expect(clippy::cast_precision_loss, reason = "a few million at most")]
            let time = took / times as f64;
            if let Some(measured) = measured.get_mut(at) {
                measured.rounds.push(time);
            }
        }
    }
    measured
}

#[cfg(feature = "allocations")]
fn count(run: &mut dyn FnMut()) -> Option<f64> {
    let counted = allocation_counter::measure(|| (0..100).for_each(|_| run()));
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let count = counted.count_total as f64;
    Some(count / 100.0)
}

#[cfg(not(feature = "allocations"))]
fn count(_: &mut dyn FnMut()) -> Option<f64> {
    None
}

/// Prints a line that is shown below the group's table, for a figure that is not a time.
#[expect(clippy::print_stdout, reason = "standard output is its result")]
pub fn note(group: &str, text: &str) {
    println!("note\t{group}\t{text}");
}

fn runs_in_a_slice(run: &mut dyn FnMut()) -> usize {
    let (begun, mut runs) = (Instant::now(), 0);
    while begun.elapsed() < SLICE {
        run();
        runs += 1;
    }
    runs
}

/// Prints a line per case for `cargo xtask bench`: group, name, allocations, and the rounds.
/// Progress goes to standard error.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "standard output is its result")]
pub fn report(group: &str, measured: &[Measured]) {
    for Measured { name, rounds, allocations } in measured {
        let rounds: Vec<_> = rounds.iter().map(|time| format!("{time:.1}")).collect();
        let allocations = allocations.map_or_else(String::new, |count| count.to_string());
        println!("{group}\t{name}\t{allocations}\t{}", rounds.join(" "));
    }
    eprintln!("{}: {group}", if COUNTS { "counted" } else { "measured" });
}
