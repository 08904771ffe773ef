//! Models of the primitives that loom does not have, and the function that runs a model.

pub(crate) mod atomic;
mod cell;
mod notify;
mod runtime;
mod waiting;
pub(crate) mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use loom::thread::{Builder, JoinHandle};

pub(crate) use cell::ArcSwapOption;
pub(crate) use notify::Notify;
pub(crate) use runtime::{Handle, elapse, sleep, timeout};

/// The maximum number of operations in one execution.
const MAX_BRANCHES: usize = 50_000;

/// The size of a thread's stack, in words. loom's default of 32 KiB is too small for a fetch.
const STACK: usize = 64 * 1024;

/// Starts a thread of a model.
pub(crate) fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().stack_size(STACK).spawn(run).unwrap()
}

/// Runs `model` in every interleaving with at most three preemptions, or with the number in
/// `PORTCULLIS_PREEMPTIONS`: with exact loads, and with loads that may return older values. Prints the
/// number of executions.
pub(crate) fn explore(name: &str, model: impl Fn() + Send + Sync + 'static) {
    let bound = std::env::var("PORTCULLIS_PREEMPTIONS").ok().and_then(|it| it.parse().ok());
    let bound = bound.unwrap_or(3);
    let (model, began) = (Arc::new(model), Instant::now());
    let executions = [true, false].map(|exact| {
        let executions = Arc::new(AtomicU64::new(0));
        let (model, counted) = (model.clone(), executions.clone());
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(bound);
        builder.max_branches = MAX_BRANCHES;
        atomic::loads_are_exact(exact);
        builder.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            runtime::begin();
            let model = model.clone();
            spawn(move || model()).join().unwrap();
        });
        executions.load(Ordering::Relaxed)
    });
    let ([exact, weak], secs) = (executions, began.elapsed().as_secs_f64());
    println!("explored {name}: {exact} + {weak} executions, {bound} preemptions, {secs:.1} s");
}
