//! Back-channel logout: reports the end of each session to the clients that have registered a URI
//! (OpenID Connect Back-Channel Logout 1.0).
//!
//! Triggers of the store write a message for each client in the transaction that ends a session. The
//! process that leads delivers the messages, and retries until the session's last access token has
//! expired. An attempt first claims its message in the store, so two processes do not send it at the
//! same time. If a process crashes after it has claimed a message, the message is sent again with the
//! same `jti` when the claim ends.

mod attempt;
mod slots;
mod store;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portcullis::clock::Clock;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use self::attempt::Attempt;
pub(crate) use self::attempt::not_delivered;
use self::slots::Slots;
pub(crate) use self::store::{Due, LogoutClient, LogoutMessage, LogoutStore, Undeliverable};
use crate::backchannel::Sender;
use crate::clock::{is_ahead, now_secs, secs};
use crate::domain::background::Background;
use crate::domain::clients::LogoutUris;
use crate::domain::keys::KeyRing;
use crate::domain::tokens::Tokens;
use crate::error::Error;
use crate::metrics;

/// How often the store is read for messages of other processes, and for retries that are due.
const POLL: Duration = Duration::from_millis(500);

/// How often undeliverable messages are dropped, in seconds.
const SWEEP_SECS: i64 = 10;

/// How long a claim is valid, in seconds: longer than an attempt takes.
const CLAIM_SECS: i64 = 15;

/// The maximum number of messages that wait for one client.
const PER_CLIENT: i64 = 100_000;

/// How many messages one transaction drops.
const BATCH: i64 = 200;

/// Sends logout tokens in the background.
pub(crate) struct Logouts {
    delivery: Arc<Delivery>,
    runtime: Handle,
    task: OnceLock<Background>,
}

/// The services that an attempt uses.
pub(crate) struct Delivery {
    pub(crate) store: Arc<dyn LogoutStore>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) uris: LogoutUris,
    pub(crate) sender: Sender,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Logouts {
    /// Must be called in the runtime on which the task will run.
    pub(crate) fn new(delivery: Delivery) -> Self {
        let delivery = Arc::new(delivery);
        Self { delivery, runtime: Handle::current(), task: OnceLock::new() }
    }

    /// Starts the task, unless it is already running. Only a process that serves requests calls this,
    /// because a command would end in the middle of an attempt.
    pub(crate) fn start(&self) {
        self.task.get_or_init(|| {
            let _entered = self.runtime.enter();
            Background::spawn(run(Arc::clone(&self.delivery)))
        });
    }

    pub(crate) fn stop(&self) {
        if let Some(task) = self.task.get() {
            task.stop();
        }
    }
}

async fn run(delivery: Arc<Delivery>) {
    let mut slots = Slots::default();
    let mut attempts = JoinSet::new();
    let mut swept_at: Option<i64> = None;
    loop {
        if delivery.store.leads() {
            let now = delivery.now();
            // Compares the absolute value, because the clock may have been set back.
            if swept_at.is_none_or(|swept| (now - swept).abs() >= SWEEP_SECS) {
                swept_at = Some(now);
                warn(delivery.sweep().await);
            }
            warn(delivery.begin_attempts(&mut slots, &mut attempts).await);
        }
        tokio::select! {
            () = delivery.store.session_ended() => {}
            Some(ended) = attempts.join_next() => {
                let mut next = Some(ended);
                while let Some(ended) = next {
                    if let Ok(attempt) = ended {
                        settle(&mut slots, &attempt);
                    }
                    next = attempts.try_join_next();
                }
            }
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

fn warn(done: Result<(), Error>) {
    if let Err(error) = done {
        let error = &error as &(dyn std::error::Error + 'static);
        tracing::warn!(error, "sending logout tokens failed; retrying");
    }
}

/// Logs only a client's first failure and the end of its failures, because an unreachable client must
/// not fill the log.
fn settle(slots: &mut Slots, attempt: &Attempt) {
    let client_id = &attempt.client_id;
    let has_changed = slots.end(client_id, attempt.failure.is_some());
    match &attempt.failure {
        Some(reason) if has_changed => {
            tracing::warn!(client_id, reason, "logout token not delivered; retrying");
        }
        None if has_changed => tracing::info!(client_id, "logout tokens are delivered again"),
        _ => {}
    }
}

impl Delivery {
    /// Begins as many attempts as there are free slots. Clients are served in a random order, so that
    /// no client is always the last.
    async fn begin_attempts(
        self: &Arc<Self>,
        slots: &mut Slots,
        attempts: &mut JoinSet<Attempt>,
    ) -> Result<(), Error> {
        let now = self.now();
        let due = Due { now, expired: self.expired(now) };
        let mut clients = self.store.clients_to_notify(due).await?;
        if !clients.is_empty() {
            let first = crate::random::below(u32::try_from(clients.len()).unwrap_or(u32::MAX))?;
            clients.rotate_left(usize::try_from(first).unwrap_or(0));
        }
        for client in clients {
            let free = i64::try_from(slots.free(&client.id)).unwrap_or(0);
            if free == 0 {
                continue;
            }
            let until = now.saturating_add(CLAIM_SECS);
            for message in self.store.claim_logouts(&client.id, due, until, free).await? {
                slots.begin(&client.id);
                attempts.spawn(Arc::clone(self).attempt(message, client.uri.clone()));
            }
        }
        Ok(())
    }

    /// Drops messages that have expired, and the oldest ones of a client for which too many wait.
    async fn sweep(&self) -> Result<(), Error> {
        let now = self.now();
        // If the clock is wrong, messages that must still be delivered would count as expired.
        if self.store.heartbeat().await?.is_some_and(|last| is_ahead(last, now)) {
            return Ok(());
        }
        let expired = self.drop_all(Undeliverable::Expired(self.expired(now)), i64::MAX).await?;
        if expired > 0 {
            metrics::logouts("expired", expired);
            tracing::warn!(count = expired, "logout tokens dropped: the sessions' tokens expired");
        }
        let mut waiting = 0;
        for (client_id, count) in self.store.waiting_logouts().await? {
            waiting += count.min(PER_CLIENT);
            if count > PER_CLIENT {
                let excess = Undeliverable::Of(client_id.clone());
                let dropped = self.drop_all(excess, count - PER_CLIENT).await?;
                metrics::logouts("dropped", dropped);
                tracing::warn!(
                    client_id,
                    count = dropped,
                    "logout tokens dropped: more than 100,000 waited for the client"
                );
            }
        }
        metrics::logouts_waiting(waiting);
        Ok(())
    }

    /// Drops at most `limit` messages, and returns their number.
    async fn drop_all(&self, which: Undeliverable, limit: i64) -> Result<u64, Error> {
        let mut dropped = 0;
        let mut left = limit;
        while left > 0 {
            let batch = left.min(BATCH);
            let found = self.store.drop_logouts(which.clone(), self.now(), batch).await?;
            dropped += found;
            left -= batch;
            if found < batch.unsigned_abs() {
                break;
            }
        }
        Ok(dropped)
    }

    /// Returns the `exp` of access tokens that no service accepts any more, even if the clocks of the
    /// issuer's processes and of the services differ.
    fn expired(&self, now: i64) -> i64 {
        now.saturating_sub(secs(2 * self.tokens.settings().clock_skew))
    }

    fn now(&self) -> i64 {
        now_secs(&*self.clock)
    }
}

impl fmt::Debug for Logouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logouts").field("task", &self.task).finish_non_exhaustive()
    }
}
