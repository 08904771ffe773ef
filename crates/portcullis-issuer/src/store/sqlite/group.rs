//! Group commit: one thread makes all waiting changes in one transaction, and returns their
//! outcomes when the transaction is durable.
//!
//! A commit with `synchronous=FULL` waits for the disk, which takes longer than the changes in it.
//! The changes that are queued during a commit form the next group. A failed change is rolled back
//! to its savepoint and does not affect the others. If SQLite rolls back the whole transaction, for
//! example because the disk is full, each change is made again in its own transaction.

mod writer;

use std::path::Path;
use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use self::writer::Writer;
use super::problem::BUSY_TIMEOUT;
use crate::error::StoreError;
use crate::metrics;
use crate::store::dialect::Change;

/// The number of prepared statements in the cache.
const PREPARED: usize = 64;

/// The queue of changes, and the thread that makes them.
#[derive(Debug)]
pub(super) struct GroupCommit {
    queue: Mutex<Option<Sender<Box<dyn Waiting>>>>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl GroupCommit {
    /// Starts the thread, which has its own connection. Each writer of this process acquires
    /// `turn`. `usable` returns an error if the path no longer leads to the file.
    pub(super) fn start(
        path: &Path,
        turn: Arc<Semaphore>,
        usable: impl Fn() -> Result<(), sqlx::Error> + Send + 'static,
    ) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
        let (queue, waiting) = channel();
        let (end, ended) = oneshot::channel();
        let writer = Writer::new(connection, waiting, turn, usable);
        thread::Builder::new()
            .name("group-commit".to_owned())
            .spawn(move || {
                writer.run();
                let _ = end.send(());
            })
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(Self { queue: Mutex::new(Some(queue)), ended: Mutex::new(Some(ended)) })
    }

    /// Makes a change, and returns when it is durable.
    pub(super) async fn change<C: Change>(&self, change: C) -> Result<C::Outcome, StoreError> {
        let Answer { outcome, is_first } = self.answer_to(change).await?;
        // Counted here instead of on the writer's thread, because a test's recorder may be local to its
        // thread.
        if is_first {
            metrics::group_committed();
        }
        outcome
    }

    async fn answer_to<C: Change>(&self, change: C) -> Result<Answer<C::Outcome>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Box::new(One { change, outcome: None, answer: Some(answer) });
        {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let queue = queue.as_ref().ok_or_else(closed)?;
            queue.send(waiting).map_err(|_| closed())?;
        }
        answered.await.map_err(|_| closed())
    }

    /// Closes the queue, and waits until its changes are made and the connection is closed.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended {
            let _ = ended.await;
        }
    }
}

fn closed() -> StoreError {
    StoreError::new("the store is closed")
}

/// A change whose caller waits.
trait Waiting: Send {
    /// Whether the caller still waits: a change without a waiting caller is skipped.
    fn is_wanted(&self) -> bool;
    /// Makes the change, and keeps its outcome for the caller. Returns whether it succeeded.
    fn apply(&mut self, connection: &mut Connection) -> bool;
    /// Replaces the outcome with this error, even if the change succeeded before its transaction
    /// was rolled back.
    fn fail(&mut self, error: StoreError);
    /// Sends the kept outcome to the caller, or the error of the commit if the change is not
    /// durable.
    fn answer(self: Box<Self>, committed: Result<(), &Arc<StoreError>>, is_first: bool);
}

struct One<C: Change> {
    change: C,
    outcome: Option<Result<C::Outcome, StoreError>>,
    answer: Option<oneshot::Sender<Answer<C::Outcome>>>,
}

struct Answer<T> {
    outcome: Result<T, StoreError>,
    /// Whether the change is the first of its group, so that each group is counted once.
    is_first: bool,
}

impl<C: Change> Waiting for One<C> {
    fn is_wanted(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.is_closed())
    }

    fn apply(&mut self, connection: &mut Connection) -> bool {
        let applied = pin!(self.change.apply(connection));
        let outcome = match applied.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Err(StoreError::new("a change was not ready at once")),
        };
        self.outcome.insert(outcome).is_ok()
    }

    fn fail(&mut self, error: StoreError) {
        self.outcome = Some(Err(error));
    }

    fn answer(mut self: Box<Self>, committed: Result<(), &Arc<StoreError>>, is_first: bool) {
        let outcome = match (self.outcome.take(), committed) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(StoreError::shared(error)),
            (Some(outcome), Ok(())) => outcome,
            (None, Ok(())) => Err(StoreError::new("a change was not made")),
        };
        if let Some(answer) = self.answer.take() {
            let _ = answer.send(Answer { outcome, is_first });
        }
    }
}

#[cfg(test)]
mod tests;
