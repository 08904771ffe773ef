//! The thread that makes the changes.

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Waiting, closed};
use crate::error::StoreError;
use crate::store::sqlite::direct::failed;
use crate::store::sqlite::problem::{BUSY_TIMEOUT, LOCKED};

/// The maximum number of changes in a group. It bounds how long the first change waits for the
/// others.
const MAX_GROUP: usize = 256;

pub(super) struct Writer<U> {
    pub(super) connection: Connection,
    waiting: Receiver<Box<dyn Waiting>>,
    turn: Arc<Semaphore>,
    usable: U,
}

type Group = Vec<Box<dyn Waiting>>;

impl<U: Fn() -> Result<(), sqlx::Error>> Writer<U> {
    pub(super) fn new(
        connection: Connection,
        waiting: Receiver<Box<dyn Waiting>>,
        turn: Arc<Semaphore>,
        usable: U,
    ) -> Self {
        Self { connection, waiting, turn, usable }
    }

    /// Makes changes until the queue is closed.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.waiting.recv() {
            let mut group = vec![first];
            self.add_waiting(&mut group);
            self.commit(group);
        }
    }

    fn add_waiting(&self, group: &mut Group) {
        while group.len() < MAX_GROUP
            && let Ok(change) = self.waiting.try_recv()
        {
            group.push(change);
        }
    }

    fn commit(&mut self, mut group: Group) {
        let turn = match self.begin() {
            Ok(turn) => turn,
            Err(error) => {
                // The changes that were queued meanwhile have waited for the lock, too, and get the
                // same error.
                self.add_waiting(&mut group);
                return answer(group, Err(error));
            }
        };
        // Add the changes that were queued while this thread waited for its turn.
        self.add_waiting(&mut group);
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

    /// Makes each change in its own transaction, after SQLite has rolled back the group's
    /// transaction.
    fn commit_each(&mut self, group: Group, turn: OwnedSemaphorePermit) {
        for mut change in group {
            let committed = self.connection.execute_batch("BEGIN IMMEDIATE").map_err(failed);
            let committed = committed.and_then(|()| {
                self.apply(&mut *change);
                // If SQLite rolled the transaction back, the change has already kept its error.
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
        let begun = self.connection.prepare_cached("BEGIN IMMEDIATE");
        begun.and_then(|mut prepared| prepared.raw_execute()).map_err(failed)?;
        Ok(turn)
    }

    /// Waits for this thread's turn among the writers of this process. SQLite has no queue of
    /// writers: without turns they would sleep and retry.
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
                return Err(StoreError::because(LOCKED, "another writer held it for 5 s"));
            }
            thread::park_timeout(left);
        }
    }

    pub(super) fn apply(&mut self, change: &mut dyn Waiting) {
        let run = |connection: &Connection, sql| {
            connection.prepare_cached(sql).and_then(|mut prepared| prepared.raw_execute())
        };
        if let Err(error) = run(&self.connection, "SAVEPOINT one") {
            return change.fail(failed(error));
        }
        let applied = change.apply(&mut self.connection);
        if self.connection.is_autocommit() {
            return;
        }
        let undone = if applied { Ok(0) } else { run(&self.connection, "ROLLBACK TO one") };
        if let Err(error) = undone.and_then(|_| run(&self.connection, "RELEASE one")) {
            // Part of the change may remain, so the whole transaction is rolled back, and the other
            // changes are made again.
            change.fail(failed(error));
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Commits. Returns when the changes are durable.
    fn end(&mut self) -> Result<(), StoreError> {
        let committed =
            self.connection.prepare_cached("COMMIT").and_then(|mut it| it.raw_execute());
        if committed.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        committed.map(drop).map_err(failed)
    }
}

fn answer(group: Group, committed: Result<(), StoreError>) {
    let committed = committed.map_err(Arc::new);
    for (at, change) in group.into_iter().enumerate() {
        change.answer(committed.as_ref().copied(), at == 0);
    }
}

struct Unpark(thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
