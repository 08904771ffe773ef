//! A runtime whose tasks are loom's threads, and timers that a model lets elapse.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use loom::sync::Mutex;

use super::waiting::{Place, Waiting};

/// Runs each task on a thread of its own.
#[derive(Debug, Clone)]
pub(crate) struct Handle;

#[derive(Debug)]
pub(crate) struct NoRuntime;

impl Handle {
    pub(crate) fn try_current() -> Result<Self, NoRuntime> {
        Ok(Self)
    }

    pub(crate) fn spawn<F>(&self, task: F)
    where
        F: Future<Output: Send> + Send + 'static,
    {
        super::spawn(|| drop(loom::future::block_on(task)));
    }
}

#[derive(Default)]
struct Timers {
    /// The number of timers that may elapse.
    left: usize,
    waiting: Waiting,
}

thread_local! {
    /// The timers of this execution, whose threads all run on one thread of the operating system.
    static TIMERS: RefCell<Arc<Mutex<Timers>>> = RefCell::default();
}

/// Begins an execution, in which no timer has elapsed.
pub(super) fn begin() {
    TIMERS.set(Arc::default());
}

fn timers() -> Arc<Mutex<Timers>> {
    TIMERS.with_borrow(Arc::clone)
}

/// Lets `number` timers elapse, now or when they are started.
pub(crate) fn elapse(number: usize) {
    let timers = timers();
    let mut state = timers.lock().unwrap_or_else(PoisonError::into_inner);
    state.left += number;
    let woken = state.waiting.take();
    drop(state);
    woken.into_iter().for_each(Waker::wake);
}

/// A timer elapsed.
#[derive(Debug)]
pub(crate) struct Elapsed;

/// Waits for `future`, until [`elapse`] lets the timer elapse. A model that never calls it shows
/// that no timer is needed for progress.
pub(crate) async fn timeout<F: Future>(_after: Duration, future: F) -> Result<F::Output, Elapsed> {
    let (mut future, timers) = (pin!(future), timers());
    let mut place = Place::new(&timers, |timers| &mut timers.waiting);
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        let mut state = timers.lock().unwrap_or_else(PoisonError::into_inner);
        if state.left > 0 {
            state.left -= 1;
            return Poll::Ready(Err(Elapsed));
        }
        place.wait(&mut state, context.waker());
        Poll::Pending
    })
    .await
}

/// A pause has no length: what happens in it can happen before and after it, too.
pub(crate) async fn sleep(_duration: Duration) {}
