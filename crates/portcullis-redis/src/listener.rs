//! Waits for elements of the stream, and wakes the reader.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::problem::Problem;
use crate::scripts::LOG;
use crate::server::Server;

/// How long a command waits for an element, in milliseconds.
const BLOCK: u64 = 2000;

/// The deadline of each command: [`BLOCK`] plus the round trip.
const DEADLINE: Duration = Duration::from_secs(4);

/// The pauses between attempts to connect, from the first to the longest.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// Counts wakes: new elements, and each start and end of the connection, around which elements may be
/// missed. It has its own connection, because a command that waits blocks its connection.
pub(crate) struct Listener {
    server: Server,
    count: Arc<watch::Sender<u64>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Listener {
    pub(crate) fn new(server: Server) -> Self {
        Self { server, count: Arc::new(watch::Sender::new(0)), task: Mutex::default() }
    }

    pub(crate) fn count(&self) -> u64 {
        *self.count.borrow()
    }

    /// Completes when the count differs from `known`. The first call connects.
    pub(crate) async fn differ_from(&self, known: u64) {
        {
            let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            // If the runtime of the task has ended, the task has ended too, and is started again.
            if task.as_ref().is_none_or(JoinHandle::is_finished) {
                let (server, count) = (self.server.clone(), self.count.clone());
                *task = Some(tokio::spawn(listen(server, count)));
            }
        }
        let mut count = self.count.subscribe();
        // The sender lives as long as `self`.
        let _ = count.wait_for(|count| *count != known).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

async fn listen(server: Server, count: Arc<watch::Sender<u64>>) {
    let mut failures = 0;
    loop {
        if let Ok(mut connection) = server.connect(None).await
            && let Ok(mut last) = last_element(&mut connection).await
        {
            failures = 0;
            // The reader may not have seen this element. From here on, no element is missed.
            wake(&count);
            while let Ok(next) = element_after(&mut connection, &last).await {
                if let Some(next) = next {
                    last = next;
                    wake(&count);
                }
            }
            wake(&count);
        }
        let pause = PAUSES.get(failures).or(PAUSES.last()).copied().unwrap_or_default();
        failures += 1;
        tokio::time::sleep(pause).await;
    }
}

fn wake(count: &watch::Sender<u64>) {
    count.send_modify(|count| *count = count.wrapping_add(1));
}

async fn last_element(connection: &mut MultiplexedConnection) -> Result<String, Problem> {
    type Elements = Vec<(String, Value)>;
    let asked = redis::cmd("XREVRANGE").arg(LOG).arg("+").arg("-").arg("COUNT").arg(1).to_owned();
    let elements = in_time(asked.query_async::<Elements>(connection)).await?;
    Ok(elements.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id))
}

/// Waits for elements, and returns the last one; `None` if there is none yet.
async fn element_after(
    connection: &mut MultiplexedConnection,
    last: &str,
) -> Result<Option<String>, Problem> {
    type Streams = Option<Vec<(String, Vec<(String, Value)>)>>;
    let mut read = redis::cmd("XREAD");
    read.arg("BLOCK").arg(BLOCK).arg("STREAMS").arg(LOG).arg(last);
    let streams = in_time(read.query_async::<Streams>(connection)).await?;
    let elements = streams.into_iter().flatten().flat_map(|(_, elements)| elements);
    Ok(elements.last().map(|(id, _)| id))
}

async fn in_time<T>(command: impl Future<Output = redis::RedisResult<T>>) -> Result<T, Problem> {
    let result = tokio::time::timeout(DEADLINE, command).await;
    result.map_err(|_elapsed| Problem::Timeout(DEADLINE))?.map_err(Problem::from)
}
