//! Drops the messages that cannot be delivered any more.
//!
//! A sweep consists of steps. Each step is one short transaction, and the delivery goes on between two
//! steps: after an outage of a client there may be a hundred thousand messages to drop.

use std::time::{Duration, Instant};

use super::{Delivery, Undeliverable};
use crate::clock::is_ahead;
use crate::error::Error;
use crate::metrics;

/// The pause between two steps, in which other writers get their turn.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// How often a sweep begins, in seconds.
const EVERY_SECS: i64 = 10;

/// How often the messages are counted, in seconds, if the last count exceeded [`MANY`]: counting
/// takes time in proportion.
const COUNT_MANY_SECS: i64 = 60;

const MANY: i64 = 10_000;

/// The maximum number of messages that wait for one client.
const PER_CLIENT: i64 = 100_000;

/// The maximum number of messages that a step drops.
const BATCH: i64 = 2_000;

/// The progress of the current sweep.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// When the last sweep began.
    begun_at: Option<i64>,
    step: Step,
    /// When the last step ended.
    stepped: Option<Instant>,
    /// When the messages were last counted, and their number.
    counted: Option<(i64, i64)>,
    /// The number of dropped messages, for the log.
    expired: u64,
}

#[derive(Debug, Default)]
enum Step {
    #[default]
    Done,
    /// Messages that have expired are dropped.
    Expired,
    /// The oldest messages of these clients are dropped; with their number.
    Excess(Vec<(String, i64)>),
}

impl Sweep {
    /// Returns whether the current sweep has further steps.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.step, Step::Done)
    }
}

impl Delivery {
    /// Takes the next step of the sweep, or begins a sweep that is due. Does nothing in the pause
    /// after a step.
    pub(super) async fn sweep(&self, sweep: &mut Sweep) -> Result<(), Error> {
        if sweep.stepped.is_some_and(|at| at.elapsed() < PAUSE) {
            return Ok(());
        }
        let done = self.step(sweep).await;
        sweep.stepped = Some(Instant::now());
        done
    }

    async fn step(&self, sweep: &mut Sweep) -> Result<(), Error> {
        let now = self.now();
        let step = match std::mem::take(&mut sweep.step) {
            // The absolute value, since the clock may be set back.
            Step::Done if sweep.begun_at.is_some_and(|at| (now - at).abs() < EVERY_SECS) => {
                return Ok(());
            }
            Step::Done => {
                (sweep.begun_at, sweep.expired) = (Some(now), 0);
                // With a wrong clock, messages that must be delivered would count as expired.
                if self.store.heartbeat().await?.is_some_and(|last| is_ahead(last, now)) {
                    return Ok(());
                }
                Step::Expired
            }
            step => step,
        };
        // After an error the sweep ends, and the next one is due in 10 s.
        sweep.step = match step {
            Step::Expired => {
                let dropped = self.drop_some(Undeliverable::Expired(self.expired(now)), BATCH);
                let dropped = dropped.await?;
                metrics::logouts("expired", dropped);
                sweep.expired += dropped;
                if dropped == BATCH.unsigned_abs() {
                    Step::Expired
                } else {
                    if sweep.expired > 0 {
                        let count = sweep.expired;
                        tracing::warn!(
                            count,
                            "logout tokens dropped: the sessions' tokens expired"
                        );
                    }
                    match sweep.counted {
                        Some((at, count)) if count > MANY && (now - at).abs() < COUNT_MANY_SECS => {
                            Step::Done
                        }
                        _ => {
                            let (count, clients) = self.count().await?;
                            sweep.counted = Some((now, count));
                            excess(clients)
                        }
                    }
                }
            }
            Step::Excess(mut clients) => {
                if let Some((client_id, count)) = clients.pop() {
                    let which = Undeliverable::Of(client_id.clone());
                    metrics::logouts("dropped", self.drop_some(which, count.min(BATCH)).await?);
                    if count > BATCH {
                        clients.push((client_id, count - BATCH));
                    }
                }
                excess(clients)
            }
            Step::Done => Step::Done,
        };
        Ok(())
    }

    /// Counts the messages that wait. Returns their number, and how many of each client are too many.
    async fn count(&self) -> Result<(i64, Vec<(String, i64)>), Error> {
        let mut excess = self.store.waiting_logouts().await?;
        let all = excess.iter().map(|(_, count)| count).sum();
        metrics::logouts_waiting(all);
        excess.retain_mut(|(client_id, count)| {
            *count -= PER_CLIENT;
            if *count > 0 {
                let (client_id, count) = (&*client_id, *count);
                tracing::warn!(
                    client_id,
                    count,
                    "logout tokens dropped: more than 100,000 waited for the client"
                );
            }
            *count > 0
        });
        Ok((all, excess))
    }

    /// Drops at most `limit` messages, and returns their number.
    async fn drop_some(&self, which: Undeliverable, limit: i64) -> Result<u64, Error> {
        Ok(self.store.drop_logouts(which, self.now(), limit).await?)
    }
}

fn excess(clients: Vec<(String, i64)>) -> Step {
    if clients.is_empty() { Step::Done } else { Step::Excess(clients) }
}
