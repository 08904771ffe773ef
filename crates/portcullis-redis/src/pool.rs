//! A small pool of connections, which are opened when they are needed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::problem::Problem;
use crate::server::Server;

/// The pause after the first failed attempt to connect. It doubles after each further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Connections. Each operation uses a connection exclusively, because WAITAOF blocks the connection and
/// counts the writes on it. An operation that fails or is cancelled closes its connection, so that no
/// connection is in an unknown state.
pub(crate) struct Pool {
    server: Server,
    response_timeout: Duration,
    places: Semaphore,
    idle: Mutex<Vec<MultiplexedConnection>>,
    failure: Mutex<Option<Failure>>,
}

/// The last attempt to connect, if it failed.
struct Failure {
    problem: Problem,
    pause: Duration,
    next_at: Instant,
}

/// What an operation does while no attempt to connect is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It fails at once.
    Fail,
    /// It waits.
    Wait,
}

impl Pool {
    pub(crate) fn new(server: Server, response_timeout: Duration, connections: usize) -> Self {
        Self {
            server,
            response_timeout,
            places: Semaphore::new(connections),
            idle: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    /// Runs an operation on a connection.
    pub(crate) async fn run<T>(
        &self,
        patience: Patience,
        operation: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let idle = lock(&self.idle).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect(patience).await?,
        };
        let result = operation(&mut connection).await?;
        lock(&self.idle).push(connection);
        Ok(result)
    }

    async fn connect(&self, patience: Patience) -> Result<MultiplexedConnection, Problem> {
        let last = lock(&self.failure)
            .as_ref()
            .map(|failure| (failure.next_at, failure.problem.to_string()));
        if let Some((next_at, problem)) = last {
            match patience {
                Patience::Wait => tokio::time::sleep_until(next_at).await,
                Patience::Fail if Instant::now() < next_at => return Err(Problem::Waits(problem)),
                Patience::Fail => {}
            }
        }
        let opened = self.server.connect(Some(self.response_timeout)).await;
        let mut failure = lock(&self.failure);
        *failure = opened.as_ref().err().map(|problem| {
            let pause = failure.as_ref().map_or(FIRST_PAUSE, |last| last.pause * 2);
            let pause = pause.min(LONGEST_PAUSE);
            Failure { problem: problem.clone(), pause, next_at: Instant::now() + pause }
        });
        opened
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
