//! One stream: its caller, its end, and the futures that wait for the end.

use std::sync::{Arc, PoisonError};
use std::task::Waker;

use smallvec::SmallVec;

use super::ended::Ended;
use crate::authenticated::Authenticated;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// Watches a stream until the stream is dropped.
pub(super) trait Watcher: Send + Sync {
    fn forget(&self, entry: &Entry);
}

/// One stream.
pub(super) struct Entry {
    watcher: Option<Arc<dyn Watcher>>,
    /// The place in the table; `u32::MAX` if the stream is not in the table.
    place: AtomicU32,
    state: Mutex<State>,
}

struct State {
    who: Authenticated,
    ended: Option<Ended>,
    /// The wakers of the futures that wait for the end. A free place is `None`.
    wakers: SmallVec<[Option<Waker>; 1]>,
}

/// Streams that have ended. They are woken after the table's lock is released, because dropping a stream
/// locks the table.
pub(super) type Ending = Vec<(Arc<Entry>, Ended)>;

impl Entry {
    pub(super) fn new(watcher: Option<Arc<dyn Watcher>>, who: Authenticated) -> Arc<Self> {
        let state = State { who, ended: None, wakers: SmallVec::new() };
        let place = AtomicU32::new(u32::MAX);
        Arc::new(Self { watcher, place, state: Mutex::new(state) })
    }

    pub(super) fn put_at(&self, place: u32) {
        self.place.store(place, Ordering::Relaxed);
    }

    pub(super) fn place(&self) -> Option<u32> {
        Some(self.place.load(Ordering::Relaxed)).filter(|place| *place != u32::MAX)
    }

    /// Creates a stream that has already ended, because there is no runtime on which it can be watched.
    pub(super) fn unwatched(who: Authenticated) -> Arc<Self> {
        let entry = Self::new(None, who);
        entry.mark(Ended::Unwatched);
        entry
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.state().ended
    }

    pub(super) fn caller(&self) -> Authenticated {
        self.state().who.clone()
    }

    /// Replaces the token of the stream; `put` replaces it in the table. `Err` if the stream has ended.
    pub(super) fn replace(&self, who: Authenticated, put: impl FnOnce()) -> Result<(), Ended> {
        let mut state = self.state();
        if let Some(reason) = state.ended {
            return Err(reason);
        }
        put();
        state.who = who;
        Ok(())
    }

    /// Returns the reason if the stream has ended. Otherwise stores the waker.
    pub(super) fn wait(&self, place: &mut Option<usize>, waker: &Waker) -> Option<Ended> {
        let mut state = self.state();
        if state.ended.is_some() {
            return state.ended;
        }
        let wakers = &mut state.wakers;
        let at = *place.get_or_insert_with(|| {
            wakers.iter().position(Option::is_none).unwrap_or_else(|| {
                wakers.push(None);
                wakers.len() - 1
            })
        });
        if let Some(stored) = wakers.get_mut(at)
            && !stored.as_ref().is_some_and(|stored| stored.will_wake(waker))
        {
            *stored = Some(waker.clone());
        }
        None
    }

    pub(super) fn stop_waiting(&self, place: Option<usize>) {
        let mut state = self.state();
        if let Some(waker) = place.and_then(|place| state.wakers.get_mut(place)) {
            *waker = None;
        }
    }

    /// Records the end of the stream. The caller must then call [`wake`](Self::wake).
    pub(super) fn mark(&self, reason: Ended) {
        self.state().ended.get_or_insert(reason);
    }

    /// Wakes the futures that wait for the end.
    pub(super) fn wake(&self) {
        let mut state = self.state();
        // Keeps the vector's length, so that places stay valid for futures that are dropped later.
        let wakers: SmallVec<[Waker; 1]> =
            state.wakers.iter_mut().filter_map(Option::take).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(watcher) = &self.watcher {
            watcher.forget(self);
        }
    }
}
