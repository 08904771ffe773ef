//! Group commit: one thread makes all waiting changes in one transaction, and answers when that is
//! durable.
//!
//! A commit with `synchronous=FULL` waits for the disk, and costs more than the changes in it. While
//! it waits, other changes queue; they are the next group. A change that fails is undone by its
//! savepoint and does not affect the others. If SQLite undoes the whole transaction, as on a full
//! disk, each change is made again by itself.

use std::path::Path;
use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::problem::{BUSY_TIMEOUT, LOCKED};
use crate::error::StoreError;
use crate::metrics;
use crate::store::dialect::Change;

/// The largest group: it bounds how long its first change waits for the others.
const MAX_GROUP: usize = 256;

/// A group of more changes than this is followed by others, whose callers are still at work.
const LONELY: usize = 4;

/// How long the next change of such a group may be away.
const GAP: Duration = Duration::from_micros(200);

/// A write-ahead log of so many pages is moved into the main file, which takes two more waits for the
/// disk. SQLite's own default is 1,000.
const CHECKPOINT: &str = "PRAGMA wal_autocheckpoint = 4000";

/// Statements that are kept prepared.
const PREPARED: usize = 64;

/// The queue of changes, and the thread that makes them.
#[derive(Debug)]
pub(super) struct GroupCommit {
    queue: Mutex<Option<Sender<Box<dyn Waiting>>>>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl GroupCommit {
    /// Starts the thread, on a connection of its own. `turn` is what writers of this process take,
    /// and `usable` says whether the path still leads to the file.
    pub(super) fn start(
        path: &Path,
        turn: Arc<Semaphore>,
        usable: impl Fn() -> Result<(), sqlx::Error> + Send + 'static,
    ) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
        connection.query_row(CHECKPOINT, [], |_| Ok(()))?;
        let (queue, waiting) = channel();
        let (end, ended) = oneshot::channel();
        let writer = Writer { connection, waiting, turn, usable, last: 0, took: Duration::ZERO };
        thread::Builder::new()
            .name("group-commit".to_owned())
            .spawn(move || {
                writer.run();
                let _ = end.send(());
            })
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(Self { queue: Mutex::new(Some(queue)), ended: Mutex::new(Some(ended)) })
    }

    /// Makes a change; returns when it is durable.
    pub(super) async fn change<C: Change>(&self, change: C) -> Result<C::Outcome, StoreError> {
        let Answer { outcome, is_first } = self.answer_to(change).await?;
        // Here, and not on the thread: a recorder may be this task's own.
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

    /// Makes the changes that wait, and closes the connection.
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
    /// Whether the caller still waits: a change that nobody was told of need not be made.
    fn is_wanted(&self) -> bool;
    /// Makes the change, and keeps what to answer. Returns whether it succeeded.
    fn apply(&mut self, connection: &mut Connection) -> bool;
    /// Answers: with what was kept, or with why it is not durable.
    fn answer(self: Box<Self>, committed: Result<(), &Arc<StoreError>>, is_first: bool);
}

struct One<C: Change> {
    change: C,
    outcome: Option<Result<C::Outcome, StoreError>>,
    answer: Option<oneshot::Sender<Answer<C::Outcome>>>,
}

struct Answer<T> {
    outcome: Result<T, StoreError>,
    /// Of its group, which is counted once.
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
            Poll::Pending => Err(StoreError::new("a change waits for something else")),
        };
        self.outcome.insert(outcome).is_ok()
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

struct Writer<U> {
    connection: Connection,
    waiting: Receiver<Box<dyn Waiting>>,
    turn: Arc<Semaphore>,
    usable: U,
    /// The size of the last group, and how long it took.
    last: usize,
    took: Duration,
}

type Group = Vec<Box<dyn Waiting>>;

impl<U: Fn() -> Result<(), sqlx::Error>> Writer<U> {
    fn run(mut self) {
        while let Ok(first) = self.waiting.recv() {
            let mut group = vec![first];
            self.add_waiting(&mut group);
            self.add_coming(&mut group);
            self.last = group.len();
            let begun = Instant::now();
            self.commit(group);
            self.took = begun.elapsed();
        }
    }

    fn add_waiting(&self, group: &mut Group) {
        while group.len() < MAX_GROUP
            && let Ok(change) = self.waiting.try_recv()
        {
            group.push(change);
        }
    }

    /// While callers of the last group come back one after another, waits for the next: for half the
    /// time of a commit at most. Otherwise the first of them would have a commit of its own.
    fn add_coming(&self, group: &mut Group) {
        if self.last <= LONELY {
            return;
        }
        let until = Instant::now() + self.took / 2;
        while group.len() < MAX_GROUP
            && Instant::now() < until
            && let Ok(change) = self.waiting.recv_timeout(GAP)
        {
            group.push(change);
        }
    }

    fn commit(&mut self, mut group: Group) {
        let turn = match self.begin() {
            Ok(turn) => turn,
            Err(error) => {
                // All of them have waited for the lock, those that queued meanwhile too.
                self.add_waiting(&mut group);
                return answer(group, Err(error));
            }
        };
        group.retain(|change| change.is_wanted());
        for change in &mut group {
            self.apply(&mut **change);
            if self.connection.is_autocommit() {
                return self.commit_each(group, turn);
            }
        }
        let committed = self.end();
        drop(turn);
        answer(group, committed);
    }

    /// For a group whose transaction SQLite has undone.
    fn commit_each(&mut self, group: Group, turn: OwnedSemaphorePermit) {
        for mut change in group {
            let committed = self.connection.execute_batch("BEGIN IMMEDIATE").map_err(Into::into);
            let committed = committed.and_then(|()| {
                self.apply(&mut *change);
                if self.connection.is_autocommit() { Ok(()) } else { self.end() }
            });
            answer(vec![change], committed);
        }
        drop(turn);
    }

    /// Starts a transaction, when it is this thread's turn.
    fn begin(&mut self) -> Result<OwnedSemaphorePermit, StoreError> {
        let turn = self.take_turn()?;
        (self.usable)()?;
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.raw_execute()?;
        Ok(turn)
    }

    /// The writers of this process take turns: SQLite itself would have them sleep and try again.
    fn take_turn(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let closed = |_| closed();
        if let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() {
            return Ok(turn);
        }
        let deadline = Instant::now() + BUSY_TIMEOUT;
        let mut acquiring = pin!(Arc::clone(&self.turn).acquire_owned());
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match acquiring.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(turn) => return turn.map_err(closed),
                Poll::Pending => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::because(LOCKED, "another writer took 5 s"));
            }
            thread::park_timeout(left);
        }
    }

    fn apply(&mut self, change: &mut dyn Waiting) {
        let run = |connection: &Connection, sql| {
            connection.prepare_cached(sql).and_then(|mut prepared| prepared.raw_execute())
        };
        // Without a savepoint the change is not made; it has nothing to answer but that.
        if run(&self.connection, "SAVEPOINT one").is_err() {
            return;
        }
        let applied = change.apply(&mut self.connection);
        if self.connection.is_autocommit() {
            return;
        }
        if !applied {
            let _ = run(&self.connection, "ROLLBACK TO one");
        }
        let _ = run(&self.connection, "RELEASE one");
    }

    /// Commits. Returns when the changes are durable.
    fn end(&mut self) -> Result<(), StoreError> {
        let committed =
            self.connection.prepare_cached("COMMIT").and_then(|mut it| it.raw_execute());
        if committed.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        Ok(committed.map(drop)?)
    }
}

fn answer(group: Group, committed: Result<(), StoreError>) {
    let committed = committed.map_err(Arc::new);
    for (at, change) in group.into_iter().enumerate() {
        change.answer(committed.as_ref().map(|()| ()), at == 0);
    }
}

struct Unpark(thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests;
