//! The wakers of the futures that wait for one thing. A future that is dropped leaves.

use std::mem;
use std::sync::PoisonError;
use std::task::Waker;

use loom::sync::Mutex;

#[derive(Default)]
pub(super) struct Waiting {
    next: u64,
    wakers: Vec<(u64, Waker)>,
}

impl Waiting {
    /// Takes all wakers, to wake them after the lock is released.
    pub(super) fn take(&mut self) -> Vec<Waker> {
        mem::take(&mut self.wakers).into_iter().map(|(_, waker)| waker).collect()
    }
}

/// The place of one future among the wakers in `state`.
pub(super) struct Place<'a, S> {
    state: &'a Mutex<S>,
    waiting: fn(&mut S) -> &mut Waiting,
    number: Option<u64>,
}

impl<'a, S> Place<'a, S> {
    pub(super) fn new(state: &'a Mutex<S>, waiting: fn(&mut S) -> &mut Waiting) -> Self {
        Self { state, waiting, number: None }
    }

    /// Stores the waker of the future's last poll.
    pub(super) fn wait(&mut self, state: &mut S, waker: &Waker) {
        let waiting = (self.waiting)(state);
        let number = *self.number.get_or_insert_with(|| {
            waiting.next += 1;
            waiting.next
        });
        waiting.wakers.retain(|(other, _)| *other != number);
        waiting.wakers.push((number, waker.clone()));
    }
}

impl<S> Drop for Place<'_, S> {
    fn drop(&mut self) {
        // loom cannot switch threads in a panic.
        if let Some(number) = self.number.filter(|_| !std::thread::panicking()) {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (self.waiting)(&mut state).wakers.retain(|(other, _)| *other != number);
        }
    }
}
