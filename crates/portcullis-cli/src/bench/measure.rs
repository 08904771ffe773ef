//! Measures cases in interleaved slices of a few milliseconds and in alternating order, so that
//! load on the machine affects all cases alike. The project's benchmarks measure in the same way.
//! This module also tolerates a busy machine, and records single runs in a histogram.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::stop::Stop;

/// A measured operation.
pub(super) struct Case<'c> {
    pub(super) name: &'static str,
    pub(super) run: Box<dyn FnMut() + 'c>,
}

/// The results of a case, in nanoseconds per run.
pub(super) struct Measured {
    pub(super) name: &'static str,
    /// The time of each round, in order.
    pub(super) rounds: Vec<f64>,
    /// The times of single runs, each including a clock reading.
    pub(super) runs: Histogram<u64>,
    /// The number of allocations per run: the mean of a hundred runs.
    pub(super) allocations: f64,
}

impl<'c> Case<'c> {
    pub(super) fn new(name: &'static str, run: impl FnMut() + 'c) -> Self {
        Self { name, run: Box::new(run) }
    }
}

const SLICE: Duration = Duration::from_millis(3);
/// The number of batches in a slice. A batch takes a tenth of a millisecond, so the time of a clock
/// reading is negligible.
const BATCHES: u64 = 31;

/// Measures `rounds` rounds, or fewer after Ctrl-C, but at least one, so that every figure has a
/// value. Calls `done` after each round.
pub(super) fn measure(
    mut cases: Vec<Case<'_>>,
    rounds: u64,
    stop: &Stop,
    mut done: impl FnMut(),
) -> Vec<Measured> {
    let times: Vec<u64> = cases.iter_mut().map(|case| runs_in_a_slice(&mut case.run)).collect();
    let mut measured: Vec<Measured> = cases
        .iter_mut()
        .map(|case| {
            let counted = allocation_counter::measure(|| (0..100).for_each(|_| (case.run)()));
            let allocations = counted.count_total as f64 / 100.0;
            Measured { name: case.name, rounds: Vec::new(), runs: histogram(), allocations }
        })
        .collect();
    for round in 0..rounds {
        if round > 0 && stop.asked() {
            break;
        }
        let mut order: Vec<_> =
            cases.iter_mut().zip(&times).zip(&mut measured).map(|((a, b), c)| (a, *b, c)).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (case, times, measured) in order {
            measured.rounds.push(slice(&mut case.run, times));
            for _ in 0..times {
                let begun = Instant::now();
                (case.run)();
                measured.runs.saturating_record(nanos(begun.elapsed()));
            }
        }
        done();
    }
    measured
}

/// Measures the time of a run, in nanoseconds: the median of small batches, which tolerates
/// preemption by another program.
fn slice(run: &mut dyn FnMut(), times: u64) -> f64 {
    let batch = (times / BATCHES).max(1);
    let mut batches: Vec<_> = (0..times / batch)
        .map(|_| {
            let begun = Instant::now();
            (0..batch).for_each(|_| run());
            begun.elapsed().as_secs_f64() * 1e9 / batch as f64
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    batches.get(batches.len() / 2).copied().unwrap_or_default()
}

/// Returns the number of runs in a slice. Preemption lowers the count, so this is the maximum of
/// several tries. A slice of only one or two runs would measure a cold cache.
fn runs_in_a_slice(run: &mut dyn FnMut()) -> u64 {
    const TRIES: usize = 7;
    let mut try_once = || {
        let (begun, mut runs) = (Instant::now(), 0);
        while begun.elapsed() < SLICE {
            run();
            runs += 1;
        }
        runs
    };
    (0..TRIES).map(|_| try_once()).max().unwrap_or(1)
}

/// Creates a histogram of times from one nanosecond to one minute, with three significant digits.
pub(super) fn histogram() -> Histogram<u64> {
    // The constructor fails only for invalid bounds.
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap_or_else(|_| unreachable!())
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Measures the time between two consecutive clock readings, in nanoseconds. The time of every
/// single run includes it.
pub(super) fn clock_cost() -> f64 {
    let mut runs = histogram();
    for _ in 0..10_000 {
        let begun = Instant::now();
        runs.saturating_record(nanos(begun.elapsed()).max(1));
    }
    runs.value_at_quantile(0.5) as f64
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn preempted_try_does_not_set_the_runs_of_a_slice() {
        let mut runs = 0;
        let mut run = || {
            runs += 1;
            // The first run is slow, as if another program had preempted it.
            sleep(if runs == 1 { 2 * SLICE } else { SLICE / 50 });
        };
        assert!(runs_in_a_slice(&mut run) > 1);
    }
}
