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
mod sweep;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::clock::Clock;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use self::attempt::Attempt;
use self::slots::Slots;
pub(crate) use self::store::{Due, LogoutClient, LogoutMessage, LogoutStore, Undeliverable};
use self::sweep::{PAUSE, Sweep};
use crate::backchannel::Sender;
use crate::clock::{now_secs, secs};
use crate::domain::background::Background;
use crate::domain::clients::LogoutUris;
use crate::domain::keys::KeyRing;
use crate::domain::tokens::Tokens;
use crate::error::Error;
use crate::metrics;

/// How often the store is read for messages of other processes, and for retries that are due.
const POLL: Duration = Duration::from_millis(500);

/// When a process that serves no requests begins to send. A command ends sooner: it would end in the
/// middle of an attempt.
const WITHOUT_ROUTES: Duration = Duration::from_secs(10);

/// How long a claim is valid, in seconds: longer than an attempt takes.
const CLAIM_SECS: i64 = 15;

/// Sends logout tokens in the background.
pub(crate) struct Logouts {
    serves: Arc<Notify>,
    task: Background,
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
    /// Starts the task, which begins to send after [`WITHOUT_ROUTES`] or at a call of
    /// [`start`](Self::start). The process that leads must send, even if it serves no requests:
    /// otherwise the other processes wait for it.
    pub(crate) fn new(delivery: Delivery) -> Self {
        let serves = Arc::new(Notify::new());
        let told = Arc::clone(&serves);
        let task = Background::spawn(async move {
            tokio::select! {
                () = told.notified() => {}
                () = tokio::time::sleep(WITHOUT_ROUTES) => {}
            }
            run(Arc::new(delivery)).await;
        });
        Self { serves, task }
    }

    /// Begins to send at once: this process serves requests.
    pub(crate) fn start(&self) {
        self.serves.notify_one();
    }

    pub(crate) fn stop(&self) {
        self.task.stop();
    }
}

async fn run(delivery: Arc<Delivery>) {
    let mut slots = Slots::default();
    let mut attempts = JoinSet::new();
    let mut sweep = Sweep::default();
    let mut led = false;
    loop {
        let leads = delivery.store.leads();
        if leads {
            warn(delivery.sweep(&mut sweep).await);
            warn(delivery.begin_attempts(&mut slots, &mut attempts).await);
        } else if led {
            // The next leader counts them.
            metrics::logouts_waiting(0);
            sweep = Sweep::default();
        }
        led = leads;
        let wait = if sweep.is_under_way() { PAUSE } else { POLL };
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
            () = tokio::time::sleep(wait) => {}
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
    let times = (attempt.began, Instant::now());
    let has_changed = slots.end(client_id, times, attempt.failure.is_some());
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
        slots.look_at_clock(Instant::now());
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
                let began = Instant::now();
                slots.begin(&client.id, began);
                attempts.spawn(Arc::clone(self).attempt(message, client.uri.clone(), began));
            }
        }
        Ok(())
    }

    /// Returns the `exp` of access tokens that no service accepts any more, even if the clocks of
    /// the issuer's processes and of services differ.
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
