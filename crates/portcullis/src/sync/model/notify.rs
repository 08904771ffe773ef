//! tokio's `Notify`: a permit, or the tasks that wait for one.

use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use loom::sync::{Mutex, MutexGuard};

#[derive(Default)]
pub(crate) struct Notify(Mutex<State>);

#[derive(Default)]
struct State {
    has_permit: bool,
    next: u64,
    /// The tasks that wait, the oldest first. A notified one stays until it is polled or dropped.
    waiting: Vec<(u64, Option<Waker>)>,
}

impl std::fmt::Debug for Notify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notify")
    }
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notify_one(&self) {
        let mut state = self.state();
        match state.waiting.iter_mut().find_map(|(_, waker)| waker.take()) {
            Some(waker) => {
                drop(state);
                waker.wake();
            }
            None => state.has_permit = true,
        }
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        Notified { notify: self, number: None }
    }
}

pub(crate) struct Notified<'a> {
    notify: &'a Notify,
    number: Option<u64>,
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.notify.state();
        if let Some(number) = self.number {
            let at = state.waiting.iter().position(|(waiting, _)| *waiting == number);
            let Some(at) = at else { return Poll::Ready(()) };
            if state.waiting[at].1.is_none() {
                state.waiting.remove(at);
                drop(state);
                self.number = None;
                return Poll::Ready(());
            }
            state.waiting[at].1 = Some(context.waker().clone());
            return Poll::Pending;
        }
        if std::mem::take(&mut state.has_permit) {
            return Poll::Ready(());
        }
        let number = state.next;
        state.next += 1;
        state.waiting.push((number, Some(context.waker().clone())));
        drop(state);
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut state = self.notify.state();
        let Some(at) = state.waiting.iter().position(|(waiting, _)| *waiting == number) else {
            return;
        };
        let (_, waker) = state.waiting.remove(at);
        drop(state);
        // A notification that was not received goes to another task.
        if waker.is_none() {
            self.notify.notify_one();
        }
    }
}
