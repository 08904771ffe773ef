//! Single-flight: at most one computation per key is in flight, and a bounded number of requests
//! wait for it.
//!
//! A computation runs in its own task, so a client that disconnects does not cancel it.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::Duration;

use crate::fetch::FetchError;
use crate::sync::{Handle, Mutex, MutexGuard, timeout, watch};

/// The time past its deadline for which a computation is still awaited, because its own error is more
/// specific.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// The maximum number of requests that wait for one key at a time. Forged tokens must not exhaust
/// the memory while an issuer hangs.
pub(super) const MAX_WAITERS: usize = 1024;

/// A [`Line`] for each key that is in use.
pub(crate) struct SingleFlight<K, T> {
    max_keys: usize,
    lines: Mutex<HashMap<K, Arc<Line<T>>>>,
}

/// The computations of one key, and the requests that wait for them.
pub(crate) struct Line<T> {
    waiters: Arc<()>,
    pub(super) flights: Mutex<Flights<T>>,
}

/// The lock of a line. It is never held across an await.
pub(crate) struct Flights<T> {
    /// The number of flights started so far, which is the number of the latest flight.
    started: u64,
    flight: Option<Flight<T>>,
}

impl<K: Hash + Eq + Clone, T> SingleFlight<K, T> {
    pub(crate) fn new(max_keys: usize) -> Self {
        Self { max_keys, lines: Mutex::default() }
    }

    /// Returns the line of `key`; `None` if `max_keys` other lines are in use by waiting requests
    /// or computations.
    pub(crate) fn line(&self, key: &K) -> Option<Arc<Line<T>>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(key) {
            return Some(line.clone());
        }
        // Keys are secrets, so unused ones are removed whenever a key is added.
        lines.retain(|_, line| Arc::strong_count(line) > 1);
        let is_free = lines.len() < self.max_keys;
        is_free.then(|| lines.entry(key.clone()).or_default().clone())
    }
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        let flights = Mutex::new(Flights { started: 0, flight: None });
        Self { waiters: Arc::default(), flights }
    }
}

impl<T> Line<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Flights<T>> {
        // A panic while the lock is held cannot leave the data inconsistent.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a place among the waiting requests; `None` if all are taken.
    pub(crate) fn place(&self) -> Option<Place> {
        let waiter = self.waiters.clone();
        let is_free = Arc::strong_count(&waiter) <= MAX_WAITERS + 1;
        is_free.then(|| Place { started: self.lock().started, _waiter: waiter })
    }

    /// Ends flight `number` and returns the lock, so that the caller records the result under the lock.
    /// `None` if the flight was abandoned: the caller must then drop the result, because a later flight
    /// may already have ended.
    pub(crate) fn land(&self, number: u64) -> Option<MutexGuard<'_, Flights<T>>> {
        let mut flights = self.lock();
        flights.flight.take_if(|flight| flight.number == number)?;
        Some(flights)
    }
}

impl<T: Clone> Flights<T> {
    /// Returns the flight that may still succeed. For a flight that cannot succeed, returns the
    /// error `Abandoned` once.
    pub(crate) fn under_way(&mut self, now: Duration) -> Result<Option<Flight<T>>, FetchError> {
        match self.flight.take_if(|flight| !flight.is_under_way(now)) {
            Some(_) => Err(FetchError::Abandoned),
            None => Ok(self.flight.clone()),
        }
    }

    /// Starts a computation, and passes its number to it. `began` is the time of the start. The
    /// computation limits itself to `deadline`.
    pub(crate) fn start<F>(
        &mut self,
        began: Duration,
        deadline: Deadline,
        computation: impl FnOnce(u64) -> F,
    ) -> Result<Flight<T>, FetchError>
    where
        F: Future<Output = Result<T, FetchError>> + Send + 'static,
        T: Send + Sync + 'static,
    {
        let runtime = Handle::try_current().map_err(|_| FetchError::NoRuntime)?;
        self.started += 1;
        let (sender, landed) = watch::channel(None);
        let computation = computation(self.started);
        runtime.spawn(async move { sender.send_replace(Some(computation.await)) });
        let flight = Flight { number: self.started, began, deadline, landed };
        Ok(self.flight.insert(flight).clone())
    }
}

/// A place among the requests that wait for one key. Dropping it releases the place.
pub(crate) struct Place {
    started: u64,
    _waiter: Arc<()>,
}

impl Place {
    /// Returns whether `flight` started after this request arrived. Flights are numbered because a
    /// clock may return the same value twice.
    pub(crate) fn precedes<T>(&self, flight: &Flight<T>) -> bool {
        flight.number > self.started
    }
}

/// One computation. Clones wait for the same computation.
#[derive(Clone)]
pub(crate) struct Flight<T> {
    number: u64,
    began: Duration,
    deadline: Deadline,
    landed: watch::Receiver<Option<Result<T, FetchError>>>,
}

impl<T: Clone> Flight<T> {
    /// Returns whether the flight may still succeed. It cannot if its runtime has stopped or has
    /// been idle for too long.
    fn is_under_way(&self, now: Duration) -> bool {
        self.landed.borrow().is_none()
            && self.landed.has_changed().is_ok()
            && now.saturating_sub(self.began) <= self.deadline.after.saturating_add(PATIENCE)
    }

    /// Waits for the result, for a bounded time.
    pub(crate) async fn landed(mut self) -> Result<T, FetchError> {
        let landed = self.landed.wait_for(Option::is_some);
        // A closed channel means that the task has ended.
        let closed = || Err(FetchError::Abandoned);
        waited(&self.deadline, async {
            landed.await.map_or_else(|_| closed(), |it| it.clone().unwrap_or_else(closed))
        })
        .await?
    }
}

/// The time limit of a computation, and the URL for its timeout error.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    pub(crate) url: Arc<str>,
    pub(crate) after: Duration,
}

impl Deadline {
    pub(crate) fn passed(&self) -> FetchError {
        FetchError::Timeout { url: self.url.to_string(), after: self.after }
    }
}

/// Runs `computation` within `deadline`. A panic counts as a failure.
pub(crate) async fn bounded<T>(
    deadline: &Deadline,
    computation: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    let mut computation = pin!(computation);
    let caught = poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| computation.as_mut().poll(context)))
            .unwrap_or(Poll::Ready(Err(FetchError::Abandoned)))
    });
    let caught = timeout(deadline.after, caught).await;
    caught.unwrap_or_else(|_elapsed| Err(deadline.passed()))
}

/// Waits for a future that limits itself to `deadline`, plus [`PATIENCE`].
pub(crate) async fn waited<R>(
    deadline: &Deadline,
    waiting: impl Future<Output = R>,
) -> Result<R, FetchError> {
    if Handle::try_current().is_err() {
        return Err(FetchError::NoRuntime);
    }
    let waited = timeout(deadline.after.saturating_add(PATIENCE), waiting).await;
    waited.map_err(|_elapsed| deadline.passed())
}

#[cfg(all(test, portcullis_loom))]
mod models;
