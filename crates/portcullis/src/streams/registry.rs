//! The streams under way of one authenticator.

use std::mem;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;

use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::ended::Ended;
use super::renew::Renews;
use super::table::{Table, Watch};
use crate::authenticated::Authenticated;
use crate::clock::{Clock, Timestamp};
use crate::revocation::Means;

/// The streams under way, and the background task that ends them.
///
/// The table has weak references: a stream that is dropped removes itself.
pub(crate) struct SessionsUnderWay {
    table: Mutex<Table>,
    /// Wakes the background task before its next second.
    pub(super) changed: Arc<Notify>,
    pub(super) clock: Arc<dyn Clock>,
    /// The runtime that the authenticator was built on.
    pub(super) runtime: Option<Handle>,
    home: OnceLock<Weak<dyn Renews>>,
    /// The number of streams whose own check waits for the issuer.
    pub(super) asking: AtomicUsize,
}

/// One stream.
pub(super) struct Entry {
    registry: Option<Arc<SessionsUnderWay>>,
    /// The place in the table; `u32::MAX` without one.
    place: AtomicU32,
    state: Mutex<State>,
}

struct State {
    who: Authenticated,
    ended: Option<Ended>,
    /// The wakers of the futures that wait for the end. A free place is `None`.
    wakers: SmallVec<[Option<Waker>; 1]>,
}

/// Streams that have ended, to be woken after the table's lock is released: dropping a stream locks the table.
pub(super) type Ending = Vec<(Arc<Entry>, Ended)>;

impl SessionsUnderWay {
    pub(crate) fn new(clock: Arc<dyn Clock>, runtime: Option<Handle>) -> Self {
        let (table, changed, home, asking) = Default::default();
        Self { table, changed, clock, runtime, home, asking }
    }

    /// Sets the authenticator that validates the tokens of renewals.
    pub(crate) fn belongs_to(&self, home: &Arc<dyn Renews>) {
        let _ = self.home.set(Arc::downgrade(home));
    }

    /// Checks all streams whose revocation knowledge may have changed, soon and in the background.
    /// Without this call, they are checked within a second.
    ///
    /// For sources of revocation knowledge. A status list calls it through its listeners.
    #[cfg(test)]
    pub(crate) fn recheck(&self) {
        self.changed.notify_one();
    }

    pub(super) fn home(&self) -> Option<Arc<dyn Renews>> {
        self.home.get()?.upgrade()
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // No holder of the lock can leave the table inconsistent.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stream, and starts the background task if it does not run.
    pub(super) fn open(self: &Arc<Self>, who: Authenticated) -> Arc<Entry> {
        let watch = self.watch(&who);
        let entry = Entry::new(Some(self.clone()), who);
        let starts = self.table().insert(&entry, watch);
        if starts {
            self.start();
        }
        self.check_anew(&entry);
        entry
    }

    /// Puts the token of a renewal in place of the stream's. `Err` if the stream has ended.
    pub(super) fn replace(&self, entry: &Arc<Entry>, who: Authenticated) -> Result<(), Ended> {
        let watch = self.watch(&who);
        let mut table = self.table();
        let mut state = entry.state();
        if let Some(reason) = state.ended {
            return Err(reason);
        }
        table.replace(entry, watch);
        let before = mem::replace(&mut state.who, who);
        drop((state, table));
        drop(before);
        self.check_anew(entry);
        Ok(())
    }

    /// What the table must know of a token.
    fn watch(&self, who: &Authenticated) -> Watch {
        let now = Timestamp::now(&*self.clock);
        let watch = Watch::new(who, now);
        watch.group.notify(&self.changed);
        watch
    }

    /// Closes the gap between the request's check and the entry in the table: a status list may
    /// have changed meanwhile.
    fn check_anew(&self, entry: &Arc<Entry>) {
        let who = entry.caller();
        let mut lists = who.demands().means();
        lists.retain(|means| matches!(means, Means::StatusList(_)));
        let now = || Timestamp::now(&*self.clock);
        if !lists.into_iter().all(|means| who.plainly_stands(means, now)) {
            self.table().check_at(entry, 0);
            self.changed.notify_one();
        }
    }

    /// Wakes what waits for these streams, which are no longer in the table.
    pub(super) fn end(ending: Ending) {
        let mut counts: Vec<(Ended, usize)> = Vec::new();
        for (entry, reason) in ending {
            entry.wake();
            match counts.iter_mut().find(|(counted, _)| *counted == reason) {
                Some((_, count)) => *count += 1,
                None => counts.push((reason, 1)),
            }
        }
        for (reason, streams) in counts {
            tracing::info!(
                target: "portcullis::streams",
                reason = reason.as_str(), streams,
                "streams ended",
            );
        }
    }
}

impl Drop for SessionsUnderWay {
    fn drop(&mut self) {
        // The background task finds that it has nothing to watch, and ends.
        self.changed.notify_one();
    }
}

impl Entry {
    fn new(registry: Option<Arc<SessionsUnderWay>>, who: Authenticated) -> Arc<Self> {
        let state = State { who, ended: None, wakers: SmallVec::new() };
        let place = AtomicU32::new(u32::MAX);
        Arc::new(Self { registry, place, state: Mutex::new(state) })
    }

    pub(super) fn put_at(&self, place: u32) {
        self.place.store(place, Ordering::Relaxed);
    }

    pub(super) fn place(&self) -> Option<u32> {
        Some(self.place.load(Ordering::Relaxed)).filter(|place| *place != u32::MAX)
    }

    /// Creates a stream that has ended, because nothing can watch it.
    pub(super) fn unwatched(who: Authenticated) -> Arc<Self> {
        let entry = Self::new(None, who);
        entry.mark(Ended::Unwatched);
        entry
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn registry(&self) -> Option<&Arc<SessionsUnderWay>> {
        self.registry.as_ref()
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.state().ended
    }

    pub(super) fn caller(&self) -> Authenticated {
        self.state().who.clone()
    }

    /// Returns the reason if the stream has ended, or else stores the waker.
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

    /// Notes the end of the stream. [`SessionsUnderWay::end`] then wakes what waits for it.
    pub(super) fn mark(&self, reason: Ended) {
        self.state().ended.get_or_insert(reason);
    }

    fn wake(&self) {
        let mut state = self.state();
        // Places stay valid for futures that are dropped later.
        let wakers: SmallVec<[Waker; 1]> =
            state.wakers.iter_mut().filter_map(Option::take).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(registry) = &self.registry {
            registry.table().remove(self);
        }
    }
}
