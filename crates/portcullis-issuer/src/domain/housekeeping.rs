//! Housekeeping: a background task that deletes expired data in small batches.

mod store;

use std::sync::{Arc, Weak};
use std::time::Duration;

use portcullis::clock::Clock;

pub(crate) use self::store::{Chore, HousekeepingStore};
use crate::clock::{is_ahead, now_secs, secs};
use crate::domain::background::Background;
use crate::domain::messages;
use crate::domain::tokens::TokenSettings;
use crate::error::Error;

/// The interval between two runs. The first run comes after one interval, so short CLI commands never run
/// housekeeping.
const TICK: Duration = Duration::from_secs(30);

/// The maximum number of rows that one transaction deletes.
const BATCH: u64 = 200;

/// The pause between two batches, during which other writers get their turn.
const PAUSE: Duration = Duration::from_millis(20);

/// The age after which the heartbeat is written again, in seconds.
const BEAT: i64 = 60 * 60;

/// The task that deletes expired data.
#[derive(Debug)]
pub(crate) struct Housekeeping {
    pub(crate) store: Arc<dyn HousekeepingStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: TokenSettings,
    /// How long a spent refresh token may be repeated, in seconds.
    pub(crate) grace_secs: i64,
    pub(crate) audit_retention: Duration,
}

impl Housekeeping {
    /// Starts the task that runs periodically, in the process that leads.
    pub(crate) fn keep(self: &Arc<Self>) -> Background {
        Background::spawn(Self::run_periodically(Arc::downgrade(self)))
    }

    async fn run_periodically(weak: Weak<Self>) {
        loop {
            tokio::time::sleep(TICK).await;
            let Some(this) = weak.upgrade() else { return };
            if this.store.leads()
                && let Err(error) = this.run().await
            {
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::warn!(error, "housekeeping failed; retrying");
            }
        }
    }

    /// Deletes all data that is due.
    pub(crate) async fn run(&self) -> Result<(), Error> {
        let now = now_secs(&*self.clock);
        // This step runs even if the clock may be wrong. At worst, a client cannot repeat a refresh
        // whose response was lost.
        self.finish(Chore::EraseSuccessors, now.saturating_sub(self.grace_secs)).await?;
        let last = self.store.heartbeat().await?;
        if let Some(last) = last.filter(|last| is_ahead(*last, now)) {
            tracing::error!(
                now,
                last_run = last,
                "the clock is more than 7 days ahead of the last run; nothing is deleted. Correct \
                 the clock, or run `portcullis-issuer clock accept` if it is right"
            );
            return Ok(());
        }
        for chore in Chore::DELETIONS {
            let before = match chore {
                Chore::FreePlaces => self.tokens.until(now).free,
                Chore::ForgetEvents => now.saturating_sub(secs(self.audit_retention)),
                // The account is added before its token, so an account may briefly have no token.
                Chore::ForgetUnverified => now.saturating_sub(secs(messages::LIFETIME)),
                _ => now,
            };
            self.finish(chore, before).await?;
        }
        if last.is_none_or(|last| now.saturating_sub(last) >= BEAT) {
            self.store.beat(now).await?;
        }
        Ok(())
    }

    async fn finish(&self, chore: Chore, before: i64) -> Result<(), Error> {
        while self.store.tidy(chore, before, BATCH).await? == BATCH {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Accepts the clock as right. Returns the time of the last run, if there was one.
    pub(crate) async fn accept_clock(&self) -> Result<Option<i64>, Error> {
        let last = self.store.heartbeat().await?;
        self.store.beat(now_secs(&*self.clock)).await?;
        Ok(last)
    }
}
